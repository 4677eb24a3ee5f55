"""The layers hold what their build files say, pinned as in the development environment."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
LAYERS = CHECKOUT / "layers"
THIRD_PARTY = ["dependencies", "api_dependencies"]


def pins(lock):
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock.read_text(), re.MULTILINE))


def test_the_third_party_layers_are_built_alike():
    texts = {(LAYERS / name / "Makefile").read_text() for name in THIRD_PARTY}
    assert len(texts) == 1


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_the_development_environment_has_the_layers_versions(name):
    development = pins(CHECKOUT / "requirements/dev.txt")
    layer = pins(LAYERS / name / "requirements.txt")
    assert layer
    assert {package: development.get(package) for package in layer} == layer


@pytest.mark.parametrize("name", THIRD_PARTY)
def test_no_layer_ships_what_the_runtime_brings_or_what_slows_starts(name):
    unwanted = {"boto3", "botocore", "aws-xray-sdk", "cryptography", "rich", "pyyaml"}
    assert not unwanted & pins(LAYERS / name / "requirements.txt").keys()


def test_only_the_api_layer_has_pydantic():
    assert "pydantic" not in pins(LAYERS / "dependencies/requirements.txt")
    assert "pydantic" in pins(LAYERS / "api_dependencies/requirements.txt")


def test_no_lock_names_an_index():
    for lock in [*CHECKOUT.glob("requirements/*.txt"), *LAYERS.glob("*/requirements.txt")]:
        assert "://" not in lock.read_text(), lock
