"""Bodies and answers of `/v1/runs`; a run's callback token and dispatch id are in none of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agentruns.agent_calls import NANOS
from agentruns.api.schemas.fields import (
    AOP_ID_PATTERN,
    WORKFLOW_RUN_ID_PATTERN,
    Answer,
    Body,
    Moment,
    ProblemAnswer,
)
from agentruns.errors import InvalidRequest
from agentruns.model import Activity, ActivityRecord, Evidence, Run, WakeReason
from agentruns.providers import LEAP_WORKFLOW, LEENA_AOP, LeapWorkflowAdapter
from agentruns.resolving import FOUND_FIELDS, Found
from agentruns.run_outputs import own_ref
from agentruns.statuses import ActivityStatus, RunStatus


class BindBody(Body):
    """What was found at the provider; the one that the run's adapter has.

    In Leena AI the item with our run id as `agentruns_run_id`, in Leap the run with our run id in
    its webhook URL.
    """

    aop_item_id: Annotated[
        str | None, Field(pattern=AOP_ID_PATTERN, examples=["69e90f247276b2fa8f2766e0"])
    ] = None
    workflow_run_id: Annotated[
        str | None, Field(pattern=WORKFLOW_RUN_ID_PATTERN, examples=["rnp_x4Q7mZ2LkVb"])
    ] = None

    def found(self) -> Found:
        """InvalidRequest unless exactly one is given."""
        ids = {LEENA_AOP: self.aop_item_id, LEAP_WORKFLOW: self.workflow_run_id}
        given = [
            Found(adapter_type=adapter_type, remote_id=remote_id)
            for adapter_type, remote_id in ids.items()
            if remote_id is not None
        ]
        if len(given) != 1:
            fault = "give exactly one of aop_item_id and workflow_run_id"
            raise InvalidRequest([(field, fault) for field in FOUND_FIELDS.values()])
        return given[0]


class ResolveBody(Body):
    """What became of a `start_unknown` run. Exactly one of the two is given."""

    bind: BindBody | None = None
    not_started: Annotated[Literal[True] | None, Field(examples=[True])] = None

    def found(self) -> Found | None:
        """None where nothing was started. InvalidRequest unless exactly one is given."""
        if (self.bind is None) is (self.not_started is None):
            fault = "give exactly one of bind and not_started"
            raise InvalidRequest([("bind", fault), ("not_started", fault)])
        return None if self.bind is None else self.bind.found()


class EvidenceAnswer(Answer):
    """One observation of how the run ended; `decided` marks the first, which won."""

    source: Annotated[str, Field(examples=["poll"])]
    status: RunStatus
    observed_at: Moment
    decided: bool
    output_bytes: Annotated[
        int | None, Field(description="Of an output that came after the run's end.")
    ]
    output_sha256: str | None

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceAnswer:
        return cls(
            source=evidence.source.value,
            status=evidence.status,
            observed_at=evidence.observed_at,
            decided=evidence.decided,
            output_bytes=evidence.output.size_bytes if evidence.output else None,
            output_sha256=evidence.output.sha256 if evidence.output else None,
        )


class RunLinksAnswer(Answer):
    """Paths, to be put behind the API's address. `output` is null where there is none."""

    self: str
    activity: str
    events: str
    output: str | None

    @classmethod
    def of(cls, run: Run, has_output: bool) -> RunLinksAnswer:  # private to here
        path = f"/v1/runs/{run.run_id}"
        return cls(
            self=path,
            activity=f"/v1/activities/{run.activity_id}",
            events=f"{path}/events",
            output=f"{path}/output" if has_output else None,
        )


class UsageAnswer(Answer):
    """What the agent said with its result."""

    input_tokens: int | None
    output_tokens: int | None

    @classmethod
    def of(cls, run: Run) -> UsageAnswer | None:
        report = run.report
        if report is None or (report.input_tokens is None and report.output_tokens is None):
            return None
        return cls(input_tokens=report.input_tokens, output_tokens=report.output_tokens)


class RunAnswer(Answer):
    run_id: Annotated[str, Field(examples=["run_01J9Z3M7QK8W5T2X4Y6A8B0C1D_1"])]
    activity_id: str
    attempt: int
    wake_reason: Annotated[WakeReason, Field(description="Why it was opened.")]
    status: RunStatus
    aop_item_id: Annotated[str | None, Field(description="Of an AOP: its item in Leena AI.")]
    workflow_run_id: Annotated[str | None, Field(description="Of a workflow: its run in Leap.")]
    provider_run_id: str | None
    provider_request_id: str | None
    provider_status: str | None
    reference_id: str | None
    created_at: Moment
    started_at: Moment | None
    initiated_at: Moment | None
    completed_at: Moment | None
    row_count: Annotated[int | None, Field(description="Of a bulk run, once Leap has said it.")]
    ended_at: Moment | None
    polls: int
    failed_checks: int
    last_checked_at: Moment | None
    next_check_at: Moment | None
    last_problem: ProblemAnswer | None
    error: ProblemAnswer | None
    output: Annotated[
        Any, Field(description="Null where it is too large; `links.output` has it then.")
    ]
    output_bytes: Annotated[int | None, Field(description="Its length as `links.output` gives it.")]
    output_sha256: str | None
    usage: Annotated[UsageAnswer | None, Field(description="Tokens, of an agent of one's own.")]
    tool_calls: Annotated[int, Field(description="How many the agent reported.")]
    cost_usd: Annotated[float, Field(description="Of the reported tool calls together.")]
    evidence: list[EvidenceAnswer]
    links: RunLinksAnswer

    @classmethod
    def of(cls, activity: Activity, run: Run) -> RunAnswer:
        ref = own_ref(run)
        is_workflow = isinstance(activity.adapter, LeapWorkflowAdapter)
        return cls(
            run_id=run.run_id,
            activity_id=run.activity_id,
            attempt=run.attempt,
            wake_reason=run.wake_reason,
            status=run.status,
            aop_item_id=None if is_workflow else run.remote_id,
            workflow_run_id=run.remote_id if is_workflow else None,
            provider_run_id=run.provider_run_id,
            provider_request_id=run.provider_request_id,
            provider_status=run.provider_status,
            reference_id=run.reference_id,
            created_at=run.created_at,
            started_at=run.started_at,
            initiated_at=run.initiated_at,
            completed_at=run.completed_at,
            row_count=run.row_count,
            ended_at=run.ended_at,
            polls=run.polls,
            failed_checks=run.failed_checks,
            last_checked_at=run.last_checked_at,
            next_check_at=run.next_check_at,
            last_problem=ProblemAnswer.of(run.last_problem),
            error=ProblemAnswer.of(run.error),
            output=run.output,
            output_bytes=ref.size_bytes if ref else None,
            output_sha256=ref.sha256 if ref else None,
            usage=UsageAnswer.of(run),
            tool_calls=run.tool_calls,
            cost_usd=run.tool_cost_nanousd / NANOS,
            evidence=[EvidenceAnswer.of(evidence) for evidence in run.evidence],
            links=RunLinksAnswer.of(run, has_output=ref is not None),
        )


class ResolvedAnswer(Answer):
    """`status` is the activity's; `run` is the one that goes on: the same, or the next."""

    activity_id: str
    status: ActivityStatus
    run: RunAnswer

    @classmethod
    def of(cls, record: ActivityRecord) -> ResolvedAnswer:
        return cls(
            activity_id=record.activity.activity_id,
            status=record.activity.status,
            run=RunAnswer.of(record.activity, record.current_run),
        )
