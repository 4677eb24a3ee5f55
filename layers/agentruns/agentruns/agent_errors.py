"""Errors about agents: their keys, skills and text, their runs' calls. `errors` draws the tree."""

from __future__ import annotations

from collections.abc import Sequence

from agentruns.errors import Conflict, InvalidRequest, NotFound


class AgentKeyNotFound(NotFound):
    code = "agent_key_not_found"
    noun = "agent key"


class SkillNotFound(NotFound):
    code = "skill_not_found"
    noun = "skill"


class DeltaAlreadyReceived(Conflict):
    """A number has one text."""

    code = "delta_already_received"

    def __init__(self, run_id: str, number: int) -> None:
        super().__init__(
            f"run {run_id!r} has another text under sequenceNum {number}; give each its own number"
        )
        self.run_id = run_id
        self.number = number


class RunLimitReached(InvalidRequest):
    """The run goes on and may end well; of this it has had its share."""

    code = "run_limit_reached"


class SkillInUse(Conflict):
    code = "skill_in_use"

    def __init__(self, skill: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"skill {skill!r} is assigned to the agents {', '.join(sorted(roles))}; "
            "take it from them first"
        )
        self.skill = skill
        self.roles = tuple(roles)


class ResultAlreadyReceived(Conflict):
    """A run has one result. `status` is what it came to."""

    code = "result_already_received"

    def __init__(self, run_id: str, status: str, *, was_delivered: bool) -> None:
        what = "has its result" if was_delivered else "ended without a result of its agent"
        super().__init__(f"run {run_id!r} {what}; it is {status}")
        self.run_id = run_id
        self.status = status


class RunNotDispatched(Conflict):
    code = "run_not_dispatched"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id!r} waits to be dispatched; its agent does not have it yet")
        self.run_id = run_id
