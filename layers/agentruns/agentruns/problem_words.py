"""Problems whose message is somebody's own words, and what of those may leave the table.

An agent says why it failed, a person why he refused: like any text of the work, that is for whoever
may read the activity. An execution's history and the bus have the code. Not here: what follows from
a problem (`lifecycle`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.model import Problem

AGENT_FAILED = "agent_failed"
APPROVAL_REJECTED = "approval_rejected"
CANCELLED = "cancelled"
REASSIGNED = "reassigned"

IN_OWN_WORDS = frozenset({AGENT_FAILED, APPROVAL_REJECTED, CANCELLED, REASSIGNED})
"""Every other message is ours, or one line in which a provider says why it refuses."""


def cause_for(problem: Problem, run_id: str) -> str:
    """What an execution says of it."""
    if problem.code in IN_OWN_WORDS:
        return f"run {run_id} has the words"
    return problem.message
