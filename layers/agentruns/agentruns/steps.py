"""What the state machine and its workers say to each other: ids, a status and the next step.

Ids only, since Step Functions shows every input and output in clear. The ASL's choices read
`next_step`; `tests/unit` holds both sides to the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from agentruns.problem_words import cause_for

if TYPE_CHECKING:
    from agentruns.model import Problem
    from agentruns.statuses import ActivityStatus, RunStatus


class NextStep(StrEnum):
    """Where the execution goes from here."""

    START = "start"
    CHECK = "check"
    PARK = "park"
    SETTLE = "settle"
    RETRY = "retry"
    END_DONE = "end_done"
    END_FAILED = "end_failed"
    END_CANCELLED = "end_cancelled"
    END_DUPLICATE = "end_duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTask:
    """The input of every worker after OpenRun."""

    tenant: str
    activity_id: str
    run_id: str
    execution_arn: str

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> RunTask:
        return cls(**{name: str(event[name]) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The output of every worker. `wait_seconds` comes before the next step is taken."""

    tenant: str
    activity_id: str
    run_id: str
    adapter: str
    run_status: RunStatus
    activity_status: ActivityStatus
    next_step: NextStep
    wait_seconds: int = 0
    park_seconds: int = 0
    problem: Problem | None = None

    def to_json(self) -> dict[str, Any]:
        """The object Step Functions sees; `error` and `cause` become those of a Fail state."""
        return {
            "tenant": self.tenant,
            "activity_id": self.activity_id,
            "run_id": self.run_id,
            "adapter": self.adapter,
            "run_status": self.run_status.value,
            "activity_status": self.activity_status.value,
            "next_step": self.next_step.value,
            "wait_seconds": self.wait_seconds,
            "park_seconds": self.park_seconds,
            "error": self.problem.code if self.problem else "",
            "cause": cause_for(self.problem, self.run_id) if self.problem else "",
        }
