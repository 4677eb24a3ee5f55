"""Errors: every class has its HTTP status, its place in the state machine and in the drawn tree."""

from __future__ import annotations

import re
from http import HTTPStatus

from agentruns import agent_errors, errors, refusals, request_errors, wait_errors
from agentruns.api.problems import STATUSES
from agentruns.error_names import permanent_error_names
from agentruns.errors import AgentrunsError, PermanentError
from tests.unit.structure.project import imports, modules

DRAWN_LINE = re.compile(r"^    ([│ ]*[├└]── )?([A-Z]\w+)", re.MULTILINE)
DEFINING = {
    *(errors.__name__, refusals.__name__, request_errors.__name__, agent_errors.__name__),
    *("agentruns.api.problems", "agentruns.error_names"),
}
SIGNALS = {"StoreConflict"}  # between a store and a use case; drawn in the text below the tree


def error_classes() -> set[type[AgentrunsError]]:
    found: set[type[AgentrunsError]] = set()
    branches: list[type[AgentrunsError]] = [AgentrunsError]
    while branches:
        branch = branches.pop()
        found.add(branch)
        branches += branch.__subclasses__()
    return {each for each in found if each.__module__.startswith("agentruns.")}


def drawn_tree() -> dict[str, str]:
    """Each class of the docstring's tree with its parent there."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = DRAWN_LINE.match(line)
        if match is None:
            continue
        depth = len(match[1] or "") // 4
        path[depth:] = [match[2]]
        parents[match[2]] = path[depth - 1] if depth else ""
    return parents


def test_every_error_has_an_http_status():
    assert error_classes() == set(STATUSES)


def test_an_error_of_ours_is_answered_with_an_error_status():
    assert {status for status in STATUSES.values() if status < HTTPStatus.BAD_REQUEST} == set()


def test_transient_errors_ask_to_come_again():
    again = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY}
    transient = {each for each in error_classes() if issubclass(each, errors.TransientError)}

    assert {STATUSES[each] for each in transient} <= again


def test_the_drawn_tree_is_the_real_one():
    real = {each.__name__: each.__bases__[0].__name__ for each in error_classes()}
    real["AgentrunsError"] = ""

    assert {name: base for name, base in real.items() if name not in SIGNALS} == drawn_tree()


def test_signals_are_told_of_below_the_tree():
    text = errors.__doc__ or ""

    assert [name for name in SIGNALS if f"`{name}`" not in text] == []


def test_every_error_is_defined_in_one_place():
    apart = {each.__name__ for each in (refusals, request_errors, agent_errors, wait_errors)}
    refused = {each for each in error_classes() if each.__module__ == refusals.__name__}
    here = {each for each in error_classes() if each.__module__ == errors.__name__}

    assert {each.__module__ for each in error_classes() - here} == apart
    assert refused == {e for e in error_classes() if issubclass(e, errors.UpstreamRejected)} - {
        errors.UpstreamRejected
    }


def test_every_error_has_a_code_of_its_own():
    codes = [each.code for each in error_classes()]

    assert sorted(codes) == sorted(set(codes))
    assert [code for code in codes if re.fullmatch(r"[a-z]+(_[a-z]+)*", code) is None] == []


def test_permanent_names_are_the_permanent_branch():
    permanent = {each.__name__ for each in error_classes() if issubclass(each, PermanentError)}

    assert set(permanent_error_names()) == permanent


def test_every_error_is_raised_by_somebody():
    """A leaf that nobody raises is a promise that nobody keeps."""
    used: set[str] = set()
    for name, path in modules().items():
        if name not in DEFINING:
            used |= {found.rsplit(".", 1)[-1] for found in imports(path)}
            used |= set(re.findall(r"errors\.(\w+)", path.read_text()))
    raised = {
        each.__name__
        for each in error_classes()
        if not each.__subclasses__() and each.__name__ not in used
    }

    assert raised == set()
