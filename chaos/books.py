"""Both sides' books as the checker reads them: rows and event logs here, ledgers there.

Plain immutable values. Not here: where they come from (`stack`, `ledgers`, `agents`), what is wrong
with them (`checker`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentruns.model import ActivityRecord, Event, Run
from agentruns.providers import WEBHOOK_AGENT
from agentruns.statuses import ActivityStatus

VERDICTS = ("lost", "doubled", "contradicted", "stuck", "gaps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An entry of a provider's ledger. `status`: what became of it, in its words. `is_told`: it
    told us of that itself, and was answered that we took it."""

    run_id: str
    remote_id: str
    status: str
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A dispatch that an agent of one's own took, whatever it answered."""

    run_id: str
    activity_id: str
    wake_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCall:
    """A call of the Agent API as its agent remembers it.

    `name`: the last part of its path. `status`: of the last answer, None where none came; `tries`:
    how often it was sent, so that with more than one an answer may have been lost. `is_ours`: false
    where its token was damaged.
    """

    run_id: str
    name: str
    sent: Mapping[str, Any]
    status: int | None
    answer: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    tries: int = 1
    is_ours: bool = True

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status <= 299


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """An entry of a run's log as an operator reads it from the start: a piece of text, or (`text`
    None) numbers that are said to be missing. `first` and `last` are the same for text."""

    first: int
    last: int
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAnswer:
    """What a person said to an item of the inbox, and whether it was taken. `decision`: in the
    product's words."""

    wait_id: str
    decision: str
    note: str
    is_taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """`accepted`: the activities the API or an event was answered with, one for each request made,
    in its order. `records` and `events` by activity id, for every activity that is stored. `texts`:
    by run id, of those that an agent streamed for."""

    accepted: Sequence[str]
    records: Mapping[str, ActivityRecord]
    events: Mapping[str, Sequence[Event]]
    starts: Sequence[Start]
    taken: Sequence[Taken] = ()
    calls: Sequence[AgentCall] = ()
    texts: Mapping[str, Sequence[LogLine]] = field(default_factory=dict)
    answers: Sequence[PersonAnswer] = ()

    def runs(self) -> Mapping[str, Run]:
        """All runs by their ids."""
        return {run.run_id: run for record in self.records.values() for run in record.runs}

    def agent_runs(self) -> Iterator[tuple[ActivityRecord, Run]]:
        """The runs of agents of one's own, each with its activity."""
        for record in self.records.values():
            if record.activity.adapter.type == WEBHOOK_AGENT:
                for run in record.runs:
                    yield record, run

    def calls_named(self, *names: str) -> Iterator[AgentCall]:
        return (call for call in self.calls if call.name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """`verdict` is one of VERDICTS; `activity_id` is "" where nobody has an activity for it."""

    verdict: str
    activity_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`accepted` counts what was asked for, by operators, events and agents; `starts` what the
    providers took. `ended` counts activities by terminal status; `unknown` those that visibly wait
    for a person, `unknown_started` those of them that the provider had taken. `resolved`: runs
    whose start nobody knew of until the provider told."""

    accepted: int
    starts: int
    ended: Mapping[ActivityStatus, int]
    unknown: int
    unknown_started: int
    resolved: int
    offences: Sequence[Offence]

    def count(self, verdict: str) -> int:
        """How many offences of that kind."""
        return sum(offence.verdict == verdict for offence in self.offences)

    @property
    def is_clean(self) -> bool:
        return not self.offences
