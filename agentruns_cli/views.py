"""The API's objects as the command reads them: parsed once, unknown fields and statuses tolerated.

An older command must follow a newer server, so a status is kept as the text that came. Not here:
the wire (client.py) and the layout (describe.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an activity or a run failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One observation of how a run ended."""

    source: str
    status: str
    observed_at: datetime | None
    decided: bool
    output_bytes: int | None
    output_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt at an activity. `last_problem` is why a check failed, while it still goes on."""

    run_id: str
    attempt: int
    status: str
    wake_reason: str | None
    aop_item_id: str | None
    workflow_run_id: str | None
    provider_run_id: str | None
    reference_id: str | None
    provider_request_id: str | None
    created_at: datetime | None
    started_at: datetime | None
    initiated_at: datetime | None
    completed_at: datetime | None
    row_count: int | None
    ended_at: datetime | None
    polls: int
    last_checked_at: datetime | None
    next_check_at: datetime | None
    last_problem: Fault | None
    error: Fault | None
    output: Any
    output_bytes: int | None
    evidence: tuple[Evidence, ...]

    @property
    def has_large_output(self) -> bool:
        """It has one, and the API did not send it along."""
        return self.output is None and self.output_bytes is not None

    @property
    def provider_ids(self) -> tuple[tuple[str, str], ...]:
        """Pairs of label and id, only those that are known."""
        pairs = (
            ("item", self.aop_item_id),
            ("workflow run", self.workflow_run_id),
            ("provider run", self.provider_run_id),
            ("reference", self.reference_id),
            ("provider request", self.provider_request_id),
        )
        return tuple((label, value) for label, value in pairs if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A piece of work given to an agent, with its runs where the API sent them."""

    activity_id: str
    agent_role: str | None
    trigger: str | None
    adapter: Mapping[str, Any]
    title: str | None
    message: str | None
    context: Mapping[str, Any]
    input_csv_url: str | None
    tags: tuple[str, ...]
    priority: str | None
    status: str
    created_at: datetime | None
    updated_at: datetime | None
    deadline_at: datetime | None
    ended_at: datetime | None
    error: Fault | None
    generation: int | None
    admission: str | None
    redrive_of: str | None
    redriven_as: str | None
    runs: tuple[Run, ...]
    waits: tuple[Mapping[str, Any], ...]
    parent_activity_id: str | None
    mentioned_in: Mapping[str, Any]
    reassigned_from: str | None
    reassigned_as: str | None

    @property
    def latest_run(self) -> Run | None:
        """The run of the highest attempt, or None before the first."""
        return max(self.runs, key=lambda run: run.attempt, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One failed activity of a bulk redrive. `outcome`: would_redrive, redriven or skipped."""

    activity_id: str
    agent_role: str | None
    created_at: datetime | None
    error: Fault | None
    outcome: str
    redriven_as: str | None
    skipped: Fault | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a log. Text and gaps have no sequence number; `cursor` is where reading goes on
    behind it, and `after_event` the last event before it, or the event itself."""

    sequence: int | None
    type: str
    at: datetime | None
    run_id: str | None
    detail: Mapping[str, Any]
    cursor: str

    @property
    def after_event(self) -> int:
        head = self.cursor.partition(".")[0]
        return int(head) if head.isdecimal() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One step of a connection's check."""

    name: str
    ok: bool
    detail: str


def parse_activity(body: Mapping[str, Any]) -> Activity:
    """An activity as `GET /v1/activities/{id}` and the list's items show it."""
    return Activity(
        activity_id=_text(body.get("activity_id")) or "",
        agent_role=_text(body.get("agent_role")),
        trigger=_text(body.get("trigger")),
        adapter=_mapping(body.get("adapter")),
        title=_text(body.get("title")),
        message=_text(body.get("message")),
        context=_mapping(body.get("context")),
        input_csv_url=_text(body.get("input_csv_url")),
        tags=tuple(str(tag) for tag in _sequence(body.get("tags"))),
        priority=_text(body.get("priority")),
        status=_text(body.get("status")) or "",
        created_at=_moment(body.get("created_at")),
        updated_at=_moment(body.get("updated_at")),
        deadline_at=_moment(body.get("deadline_at")),
        ended_at=_moment(body.get("ended_at")),
        error=_fault(body.get("error")),
        generation=_number(body.get("generation")),
        admission=_text(body.get("admission")),
        redrive_of=_text(body.get("redrive_of")),
        redriven_as=_text(body.get("redriven_as")),
        runs=tuple(parse_run(run) for run in _objects(body.get("runs"))),
        waits=tuple(_objects(body.get("waits"))),
        parent_activity_id=_text(body.get("parent_activity_id")),
        mentioned_in=_mapping(body.get("mentioned_in")),
        reassigned_from=_text(body.get("reassigned_from")),
        reassigned_as=_text(body.get("reassigned_as")),
    )


def parse_run(body: Mapping[str, Any]) -> Run:
    """A run as it stands in an activity's `runs`."""
    return Run(
        run_id=_text(body.get("run_id")) or "",
        attempt=_number(body.get("attempt")) or 0,
        status=_text(body.get("status")) or "",
        wake_reason=_text(body.get("wake_reason")),
        aop_item_id=_text(body.get("aop_item_id")),
        workflow_run_id=_text(body.get("workflow_run_id")),
        provider_run_id=_text(body.get("provider_run_id")),
        reference_id=_text(body.get("reference_id")),
        provider_request_id=_text(body.get("provider_request_id")),
        created_at=_moment(body.get("created_at")),
        started_at=_moment(body.get("started_at")),
        initiated_at=_moment(body.get("initiated_at")),
        completed_at=_moment(body.get("completed_at")),
        row_count=_number(body.get("row_count")),
        ended_at=_moment(body.get("ended_at")),
        polls=_number(body.get("polls")) or 0,
        last_checked_at=_moment(body.get("last_checked_at")),
        next_check_at=_moment(body.get("next_check_at")),
        last_problem=_fault(body.get("last_problem")),
        error=_fault(body.get("error")),
        output=body.get("output"),
        output_bytes=_number(body.get("output_bytes")),
        evidence=tuple(_evidence(item) for item in _objects(body.get("evidence"))),
    )


def parse_considered(body: Mapping[str, Any]) -> tuple[Considered, ...]:
    """The items of `POST /v1/activities/redrive`."""
    return tuple(
        Considered(
            activity_id=_text(item.get("activity_id")) or "",
            agent_role=_text(item.get("agent_role")),
            created_at=_moment(item.get("created_at")),
            error=_fault(item.get("error")),
            outcome=_text(item.get("outcome")) or "",
            redriven_as=_text(item.get("redriven_as")),
            skipped=_fault(item.get("skipped")),
        )
        for item in _objects(body.get("items"))
    )


def parse_event(body: Mapping[str, Any]) -> Event:
    """An event as `GET /v1/runs/{run_id}/events` shows it."""
    sequence = _number(body.get("sequence"))
    return Event(
        sequence=sequence,
        type=_text(body.get("type")) or "",
        at=_moment(body.get("at")),
        run_id=_text(body.get("run_id")),
        detail=_mapping(body.get("detail")),
        cursor=_text(body.get("cursor")) or str(sequence or 0),
    )


def parse_checks(body: Mapping[str, Any]) -> tuple[Check, ...]:
    """The steps of `POST /v1/connections/{name}/check`."""
    return tuple(
        Check(
            name=_text(check.get("name")) or "",
            ok=check.get("ok") is True,
            detail=_text(check.get("detail")) or "",
        )
        for check in _objects(body.get("checks"))
    )


def parse_moment(text: str) -> datetime | None:
    """An ISO 8601 moment as aware UTC, one without an offset taken as UTC; None if unreadable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _evidence(body: Mapping[str, Any]) -> Evidence:
    return Evidence(
        source=_text(body.get("source")) or "",
        status=_text(body.get("status")) or "",
        observed_at=_moment(body.get("observed_at")),
        decided=body.get("decided") is True,
        output_bytes=_number(body.get("output_bytes")),
        output_sha256=_text(body.get("output_sha256")),
    )


def _fault(value: object) -> Fault | None:
    if not isinstance(value, Mapping):
        return None
    return Fault(code=_text(value.get("code")) or "", message=_text(value.get("message")) or "")


def _moment(value: object) -> datetime | None:
    return parse_moment(value) if isinstance(value, str) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in _sequence(value) if isinstance(item, Mapping)]
