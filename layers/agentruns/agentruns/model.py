"""What agentruns keeps of its work: activities, their runs, the evidence and the events.

Plain immutable values. Not here: agents and requests (`definitions`), connections and adapters
(`providers`), the statuses and their transitions (`statuses`), the rules that make one value of
another (`lifecycle`), how a value is stored (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agentruns.durations import NO_HISTORY, DurationHistory
from agentruns.errors import RunNotFound
from agentruns.polling import USUAL_DETECTION, Detection
from agentruns.wait import OnApprovalExpired, Wait

if TYPE_CHECKING:
    from agentruns.agent_reports import AgentReport, ToolCall
    from agentruns.comment import Comment, Mention
    from agentruns.event_types import EventType
    from agentruns.outputs import Output, OutputRef
    from agentruns.providers import Adapter
    from agentruns.statuses import ActivityStatus, RunStatus
    from agentruns.watching import Watch

T = TypeVar("T")


class Priority(StrEnum):
    NORMAL = "normal"
    HIGH = "high"


class OnStartUnknown(StrEnum):
    """What to do when a start was sent and no trustworthy answer came."""

    HOLD = "hold"
    RETRY = "retry"
    FAIL = "fail"


class Admission(StrEnum):
    """Whether an activity may be under way, where its connection limits how many are."""

    UNLIMITED = "unlimited"
    """The connection had no limit when the activity was opened."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    LEFT = "left"
    """Ended, or ended while it waited: its slot is somebody else's."""


class Trigger(StrEnum):
    """What opened an activity."""

    API = "api"
    EVENT = "event"
    SCHEDULE = "schedule"
    REDRIVE = "redrive"
    AGENT = "agent"
    PROBE = "probe"
    MENTION = "mention"


class WakeReason(StrEnum):
    """Why a run was opened: what its agent is told first."""

    NEW_TASK = "new_task"
    RETRY = "retry"
    REJECTION = "rejection"
    REVIEW_FEEDBACK = "review_feedback"
    SUBTASK_COMPLETED = "subtask_completed"
    BLOCKER_RESOLVED = "blocker_resolved"
    APPROVAL_DECIDED = "approval_decided"
    PROBE = "probe"
    MENTION = "mention"


class EvidenceSource(StrEnum):
    """Who observed how a run ended."""

    START = "start"
    POLL = "poll"
    WEBHOOK = "webhook"
    AGENT = "agent"
    HUMAN = "human"
    DEADLINE = "deadline"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How many runs an activity may have, and how long to wait before the next."""

    max_attempts: int = 1
    backoff_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a run or an activity ended as it did. `code` is snake_case, `message` is for a person."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How somebody saw a run end. `decided`: the first, which won. `output`: of a later one."""

    source: EvidenceSource
    status: RunStatus
    observed_at: datetime
    decided: bool
    output: OutputRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt at an activity. All times are aware UTC."""

    tenant: str
    activity_id: str
    run_id: str
    attempt: int
    status: RunStatus
    created_at: datetime
    version: int = 0
    wake_reason: WakeReason = WakeReason.NEW_TASK
    # The start: who dispatches, and what the provider answered.
    dispatch_id: str | None = None
    started_at: datetime | None = None
    remote_id: str | None = None  # what the provider calls it: an AOP item's id, a workflow run's
    provider_request_id: str | None = None
    provider_run_id: str | None = None
    other_remote_ids: tuple[str, ...] = ()  # of a start that turned out to be two
    # What the status checks say.
    provider_status: str | None = None
    reference_id: str | None = None
    initiated_at: datetime | None = None
    completed_at: datetime | None = None
    row_count: int | None = None  # of a bulk run
    status_since: datetime | None = None  # a pause's age sets its cadence
    polls: int = 0
    failed_checks: int = 0
    last_checked_at: datetime | None = None
    next_check_at: datetime | None = None
    is_swept_next: bool = False
    last_problem: Problem | None = None
    # The parked execution, when the sweeper has to look, and what it needs to spare this row.
    callback_token: str | None = None
    due_at: datetime | None = None
    watch: Watch | None = None
    # The end.
    ended_at: datetime | None = None
    error: Problem | None = None
    output: Any = None
    output_ref: OutputRef | None = None  # of one that is too large for the row
    report: AgentReport | None = None
    tool_calls: int = 0
    tool_cost_nanousd: int = 0
    tool_call_bytes: int = 0
    comments: int = 0
    evidence: tuple[Evidence, ...] = ()

    @property
    def is_watched(self) -> bool:
        """Parked, well, and due by its plan: a look that finds nothing new is written nowhere."""
        is_parked = self.callback_token is not None and self.status.is_followed
        is_planned = self.due_at is not None and self.due_at == self.next_check_at
        return self.watch is not None and is_parked and is_planned and not self.failed_checks


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAccepted:
    """What the provider calls a run that it took."""

    remote_id: str
    request_id: str | None = None
    provider_run_id: str | None = None
    row_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a provider told of a run, in our words. `status` None: its word is none we know."""

    status: RunStatus | None
    provider_status: str
    reference_id: str | None = None
    initiated_at: datetime | None = None
    completed_at: datetime | None = None
    problem: Problem | None = None
    output: Any = None
    row_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityInput:
    """What the agent is told: it can be large, and the URL of a bulk run's CSV may be signed."""

    message: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    input_csv_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A piece of work given to an agent. Its `version` guards it and all its runs."""

    tenant: str
    activity_id: str
    agent_role: str | None
    adapter: Adapter
    trigger: Trigger
    status: ActivityStatus
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime
    attempt: int = 1
    generation: int = 1
    last_sequence: int = 0
    version: int = 0
    title: str = ""
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    on_start_unknown: OnStartUnknown = OnStartUnknown.HOLD
    detection: Detection = USUAL_DETECTION
    is_bulk: bool = False  # its runs are bulk runs, over the rows of a CSV
    durations: DurationHistory = NO_HISTORY  # of earlier runs: its polls are planned by it
    execution_arn: str | None = None
    # Its slot of the connection, from its admission on; one attempt after the other keeps it.
    admission: Admission = Admission.UNLIMITED
    slot: int | None = None
    ended_at: datetime | None = None
    error: Problem | None = None
    # Lineage: which activity this one does again, took over or is a subtask of, and the reverse.
    redrive_of: str | None = None
    redriven_as: str | None = None
    reassigned_from: str | None = None
    reassigned_as: str | None = None
    parent_activity_id: str | None = None
    mentioned_in: Mention | None = None  # of a notification
    # How long its work may take, without what it waits for people; None: until the deadline.
    timeout_seconds: int | None = None
    on_approval_expired: OnApprovalExpired = OnApprovalExpired.FAIL

    @property
    def timeout(self) -> timedelta:
        if self.timeout_seconds is None:
            return self.deadline_at - self.created_at
        return timedelta(seconds=self.timeout_seconds)

    @property
    def first_reason(self) -> WakeReason:
        """Why its first run is opened; of a notification also where it is done again."""
        if self.mentioned_in is not None:
            return WakeReason.MENTION
        return WakeReason.PROBE if self.trigger is Trigger.PROBE else WakeReason.NEW_TASK


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRecord:
    """An activity with its runs and its waits, oldest first, as read in one go."""

    activity: Activity
    runs: tuple[Run, ...]
    waits: tuple[Wait, ...] = ()

    @property
    def current_run(self) -> Run:
        return self.runs[-1]

    def run(self, run_id: str) -> Run:
        """RunNotFound where the activity has no such run."""
        for run in self.runs:
            if run.run_id == run_id:
                return run
        raise RunNotFound(run_id)

    @property
    def blocking_waits(self) -> tuple[Wait, ...]:
        """Those that are open and keep the next run from being opened."""
        return tuple(wait for wait in self.waits if wait.is_open and wait.is_blocking)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event before it has its place in the activity's log."""

    type: EventType
    at: datetime
    run_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An entry of an activity's log; `sequence` is gapless from 1."""

    tenant: str
    activity_id: str
    sequence: int
    type: EventType
    at: datetime
    run_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition to store in one transaction: the new values, with the versions they were read
    with; the store takes it only if no row moved on since. `admission_before`: what the activity's
    admission was, where the change moves it; queue and slots move along. `outputs`: what the runs
    only refer to; it is stored before them."""

    activity: Activity
    runs: tuple[Run, ...] = ()
    events: tuple[NewEvent, ...] = ()
    admission_before: Admission | None = None
    outputs: tuple[Output, ...] = ()
    tool_call: ToolCall | None = None
    waits: tuple[Wait, ...] = ()
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A request's key within its scope (tenant and route), and what the body was."""

    scope: str
    key: str
    body_sha256: str
    activity_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of a listing; `next_cursor` is None on the last one."""

    items: tuple[T, ...]
    next_cursor: str | None
