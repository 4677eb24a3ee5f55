"""Environment: each function declares what its builder asks for, no more and no less."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from agentruns import wiring, wiring_parts
from agentruns.errors import SettingsMissing
from agentruns.settings import Settings
from tests.unit.structure.project import (
    FUNCTION_NAMES,
    FUNCTIONS,
    function_properties,
    modules,
    template,
)

FIELDS = {field.name for field in fields(Settings)}
EVERY_VALUE = {name.upper(): "1" for name in FIELDS}


def shared_variables() -> set[str]:
    return set(template()["Globals"]["Function"]["Environment"]["Variables"])


def declared(function: str) -> set[str]:
    variables: dict[str, Any] = function_properties(function)["Environment"]["Variables"]
    return set(variables)


def clear_builders() -> None:
    for builder in (*vars(wiring).values(), *vars(wiring_parts).values()):
        if hasattr(builder, "cache_clear"):
            builder.cache_clear()


@pytest.fixture
def asked(monkeypatch):
    """The names of every setting that is required from now on."""
    names: set[str] = set()

    def load(*required: str) -> Settings:
        names.update(required)
        return Settings(**dict.fromkeys(FIELDS, "1"))

    class Recording:
        """Stands for Settings in wiring."""

    Recording.load = staticmethod(load)  # type: ignore[attr-defined]  # a recording double
    clear_builders()
    monkeypatch.setattr(wiring, "Settings", Recording)
    monkeypatch.setattr(wiring_parts, "Settings", Recording)
    yield names
    clear_builders()


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_declares_what_its_builder_requires(function, asked):
    getattr(wiring, function)()

    assert {name.upper() for name in asked} == declared(function)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_missing_variable_is_told_by_name(function, monkeypatch):
    for name in EVERY_VALUE:
        monkeypatch.delenv(name, raising=False)
    clear_builders()

    with pytest.raises(SettingsMissing) as raised:
        getattr(wiring, function)()

    assert set(raised.value.names) <= declared(function)
    clear_builders()


def test_every_variable_of_the_template_is_a_setting_or_powertools():
    names = shared_variables().union(*(declared(function) for function in FUNCTION_NAMES))

    assert {n for n in names if not n.startswith("POWERTOOLS_")} <= {n.upper() for n in FIELDS}


def test_every_setting_is_declared_by_some_function():
    names = shared_variables().union(*(declared(function) for function in FUNCTION_NAMES))

    assert {name.upper() for name in FIELDS} <= names


def test_only_settings_reads_the_environment():
    files = {**modules(), **{path.parent.name: path for path in FUNCTIONS.glob("*/*.py")}}

    readers = {n for n, path in files.items() if re.search(r"environ\b|getenv", path.read_text())}
    assert readers == {"agentruns.settings"}


def test_every_function_has_a_builder_of_its_name():
    for function in FUNCTION_NAMES:
        assert f"wiring.{function}()" in (FUNCTIONS / function / "app.py").read_text()
        assert callable(getattr(wiring, function))
