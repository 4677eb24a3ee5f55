"""Why a run was opened, and what its agent is told besides its task: what came before, and what
people said since.

Pure. Not here: how an agent fetches this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentruns.model import ActivityRecord, Run, WakeReason
from agentruns.wait import Decision, Wait, WaitKind

_WITH_A_REJECTION_NOTE = frozenset({WakeReason.REJECTION, WakeReason.REVIEW_FEEDBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """`notes`: the answered waits that the run is told of, oldest first."""

    prior_output: str | None = None
    rejection_note: str | None = None
    reviewer_feedback: str | None = None
    subtask_output: str | None = None
    notes: tuple[Wait, ...] = ()


def wake_reason(told: Iterable[Wait]) -> WakeReason:
    """Of a run that was opened by answers: of several the one that asks most of the agent."""
    reasons = {_reason(wait) for wait in told if wait.is_blocking}
    return next(reason for reason in _BY_WEIGHT if reason in reasons)


_BY_WEIGHT = (
    WakeReason.REJECTION,
    WakeReason.REVIEW_FEEDBACK,
    WakeReason.APPROVAL_DECIDED,
    WakeReason.BLOCKER_RESOLVED,
    WakeReason.SUBTASK_COMPLETED,
    WakeReason.RETRY,
)


def _reason(wait: Wait) -> WakeReason:
    if wait.kind is WaitKind.BLOCKER:
        return WakeReason.BLOCKER_RESOLVED
    if wait.kind is WaitKind.SUBTASK:
        return WakeReason.SUBTASK_COMPLETED
    if not wait.kind.is_decided:
        return WakeReason.RETRY
    if wait.decision is Decision.REJECTED:
        return WakeReason.REJECTION
    is_feedback = wait.kind is WaitKind.REVIEW and bool(wait.note)
    if wait.decision is Decision.CHANGES_REQUESTED or is_feedback:
        return WakeReason.REVIEW_FEEDBACK
    return WakeReason.APPROVAL_DECIDED


def briefing(record: ActivityRecord) -> Briefing:
    """Of the current run. A retry is told again what the run it makes up for was told."""
    made_up_for = _made_up_for(record)
    told_in = {each.run_id for each in made_up_for}
    notes = tuple(
        wait
        for wait in record.waits
        if wait.told_in in told_in and wait.kind is not WaitKind.LINKED_APPROVAL
    )
    feedback = _lines(_said(wait) for wait in notes if wait.kind.is_for_a_person)
    rejections = [wait for wait in notes if wait.decision in _NOT_GIVEN] or notes
    wants_rejection = any(run.wake_reason in _WITH_A_REJECTION_NOTE for run in made_up_for)
    return Briefing(
        prior_output=_prior_output(record),
        rejection_note=_lines(map(_said, rejections)) if wants_rejection else None,
        reviewer_feedback=feedback,
        subtask_output=_lines(wait.output or wait.note or "" for wait in _subtasks(notes)),
        notes=notes,
    )


def text_of(output: Any) -> str | None:
    """An output as text: its `text` where it has one, else as JSON."""
    if output is None or isinstance(output, str):
        return output
    if isinstance(output, dict) and isinstance(output.get("text"), str):
        return str(output["text"])
    return json.dumps(output, ensure_ascii=False)


_NOT_GIVEN = frozenset({Decision.REJECTED, Decision.CHANGES_REQUESTED})


def _made_up_for(record: ActivityRecord) -> list[Run]:
    """The current run, and those before it of which each was retried."""
    found: list[Run] = []
    for run in reversed(record.runs):
        found.append(run)
        if run.wake_reason is not WakeReason.RETRY:
            break
    return found


def _prior_output(record: ActivityRecord) -> str | None:
    outputs = (text_of(run.output) for run in reversed(record.runs[:-1]))
    return next((output for output in outputs if output), None)


def _subtasks(notes: Iterable[Wait]) -> list[Wait]:
    return [wait for wait in notes if wait.kind is WaitKind.SUBTASK]


def _said(wait: Wait) -> str:
    chosen = f"Chosen option: {wait.option}" if wait.option else ""
    return "\n".join(part for part in (wait.note or "", chosen) if part)


def _lines(texts: Iterable[str]) -> str | None:
    return "\n\n".join(text for text in texts if text) or None
