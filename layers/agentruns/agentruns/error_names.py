"""The classes of `errors` by their names: what Step Functions and rows know them by."""

from __future__ import annotations

from agentruns import agent_errors, refusals, request_errors, wait_errors
from agentruns.errors import AgentrunsError, PermanentError, UpstreamRejected

_LEAVES = (refusals, request_errors, agent_errors, wait_errors)
"""A class is found below its branch once its module is imported."""


def permanent_error_names() -> tuple[str, ...]:
    """The class names below PermanentError, sorted: what the state machine never retries."""
    return tuple(sorted(each.__name__ for each in _branch(PermanentError)))


def refusal_names() -> frozenset[str]:
    """The class names below UpstreamRejected: the provider said no, so it did nothing."""
    return frozenset(each.__name__ for each in _branch(UpstreamRejected))


def error_code(class_name: str) -> str:
    """The code of a class of ours by its name; `internal_error` for anybody else's."""
    codes = {each.__name__: each.code for each in _branch(AgentrunsError)}
    return codes.get(class_name, AgentrunsError.code)


def _branch(root: type[AgentrunsError]) -> list[type[AgentrunsError]]:
    found = [root]
    for each in found:  # grows while it is read
        found.extend(each.__subclasses__())
    return found
