"""What a platform engineer types for AWS, against the emulator: Enter at every question."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import stack as embedded
from local.sam import sam_environment
from tests.deployment import Deployment

pytestmark = [pytest.mark.stack, pytest.mark.slow]

QUESTIONS = 60
"""More than there are: what is left over is not read."""


@pytest.fixture
def clean_checkout(tmp_path: Path) -> Path:
    """The files that git tracks, as they are now, and nothing that a build left behind."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=embedded.CHECKOUT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(embedded.CHECKOUT / name, target)
    return tmp_path


@pytest.fixture
def deleted_afterwards(deployment: Deployment) -> Iterator[None]:
    yield
    embedded.client(deployment.info, "cloudformation").delete_stack(StackName="agentruns")


def test_every_question_of_the_guide_has_an_answer_that_deploys(
    deployment: Deployment, clean_checkout: Path, deleted_afterwards: None
) -> None:
    environment = sam_environment({"AWS_ENDPOINT_URL": deployment.info.endpoint_url})
    environment["PATH"] = f"{embedded.CHECKOUT / '.venvs/sam/bin'}{os.pathsep}{environment['PATH']}"

    def sam(*arguments: str) -> str:
        ended = subprocess.run(
            ["sam", *arguments],
            cwd=clean_checkout,
            env=environment,
            input="\n" * QUESTIONS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert 0 == ended.returncode, ended.stdout[-4000:]
        return ended.stdout

    sam("build")
    built = clean_checkout / ".aws-sam" / "build"
    compiled = list(built.glob("ApiDependenciesLayer/python/pydantic_core/*.so"))
    assert ["_pydantic_core.cpython-313-aarch64-linux-gnu.so"] == [file.name for file in compiled]
    shown = sam("deploy", "--guided")
    assert "Successfully created/updated stack - agentruns" in shown
    assert "agentruns connect leena --stack agentruns" in shown
