"""Activities, runs and events as rows, and back. `None` and an empty output are left out.

Explicit on purpose: an attribute's name is a contract with rows that are stored already.
`tests/contracts` holds every field to the round trip.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agentruns.agent_reports import AgentReport
from agentruns.comment import Mention
from agentruns.durations import DurationHistory
from agentruns.event_types import EventType
from agentruns.model import (
    Activity,
    ActivityInput,
    Admission,
    Event,
    Evidence,
    EvidenceSource,
    OnStartUnknown,
    Priority,
    Problem,
    RetryPolicy,
    Run,
    Trigger,
    WakeReason,
)
from agentruns.outputs import OutputRef
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.store import keys
from agentruns.store.settings_json import (
    adapter_from_json,
    adapter_to_json,
    detection_from_json,
    detection_to_json,
    retry_to_json,
)
from agentruns.store.values import (
    Row,
    read_json,
    read_optional_time,
    read_time,
    write_json,
    write_optional_time,
    write_time,
)
from agentruns.store.watches import read_watch, write_watch
from agentruns.wait import OnApprovalExpired


def activity_row(activity: Activity) -> Row:
    return {
        "pk": keys.activity_key(activity.tenant, activity.activity_id),
        "sk": keys.META,
        "listing_pk": keys.activities_listing(activity.tenant),
        "listing_sk": activity.activity_id,
        "tenant": activity.tenant,
        "activity_id": activity.activity_id,
        "agent_role": activity.agent_role,
        "adapter": write_json(adapter_to_json(activity.adapter)),
        "trigger": activity.trigger.value,
        "status": activity.status.value,
        "created_at": write_time(activity.created_at),
        "updated_at": write_time(activity.updated_at),
        "deadline_at": write_time(activity.deadline_at),
        "attempt": activity.attempt,
        "generation": activity.generation,
        "last_sequence": activity.last_sequence,
        "version": activity.version,
        "title": activity.title,
        "priority": activity.priority.value,
        "tags": activity.tags,
        "retry": write_json(retry_to_json(activity.retry)),
        "on_start_unknown": activity.on_start_unknown.value,
        "detection": write_json(detection_to_json(activity.detection)),
        "is_bulk": activity.is_bulk or None,
        "durations": activity.durations.text or None,
        "execution_arn": activity.execution_arn,
        "admission": activity.admission.value,
        "slot": activity.slot,
        "ended_at": write_optional_time(activity.ended_at),
        "error": _write_problem(activity.error),
        "redrive_of": activity.redrive_of,
        "redriven_as": activity.redriven_as,
        "reassigned_from": activity.reassigned_from,
        "reassigned_as": activity.reassigned_as,
        "parent_activity_id": activity.parent_activity_id,
        "mentioned_in": _write_mention(activity.mentioned_in),
        "timeout_seconds": activity.timeout_seconds,
        "on_approval_expired": activity.on_approval_expired.value,
    }


def read_activity(row: Row) -> Activity:
    return Activity(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        agent_role=row.get("agent_role"),
        adapter=adapter_from_json(read_json(row["adapter"])),
        trigger=Trigger(row["trigger"]),
        status=ActivityStatus(row["status"]),
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
        deadline_at=read_time(row["deadline_at"]),
        attempt=row["attempt"],
        generation=row["generation"],
        last_sequence=row["last_sequence"],
        version=row["version"],
        title=row["title"],
        priority=Priority(row["priority"]),
        tags=row["tags"],
        retry=RetryPolicy(**read_json(row["retry"])),
        on_start_unknown=OnStartUnknown(row["on_start_unknown"]),
        detection=detection_from_json(row.get("detection")),
        is_bulk=row.get("is_bulk", False),
        durations=DurationHistory.from_text(row.get("durations", "")),
        execution_arn=row.get("execution_arn"),
        admission=Admission(row.get("admission", Admission.UNLIMITED)),
        slot=row.get("slot"),
        ended_at=read_optional_time(row.get("ended_at")),
        error=_read_problem(row.get("error")),
        redrive_of=row.get("redrive_of"),
        redriven_as=row.get("redriven_as"),
        reassigned_from=row.get("reassigned_from"),
        reassigned_as=row.get("reassigned_as"),
        parent_activity_id=row.get("parent_activity_id"),
        mentioned_in=_read_mention(row.get("mentioned_in")),
        timeout_seconds=row.get("timeout_seconds"),
        on_approval_expired=OnApprovalExpired(row.get("on_approval_expired", "fail")),
    )


def input_row(activity: Activity, activity_input: ActivityInput) -> Row:
    return {
        "pk": keys.activity_key(activity.tenant, activity.activity_id),
        "sk": keys.INPUT,
        "message": activity_input.message,
        "context": write_json(dict(activity_input.context)),
        "input_csv_url": activity_input.input_csv_url,
    }


def read_input(row: Row) -> ActivityInput:
    return ActivityInput(
        message=row["message"],
        context=read_json(row["context"]),
        input_csv_url=row.get("input_csv_url"),
    )


def run_row(run: Run) -> Row:
    return {
        "pk": keys.activity_key(run.tenant, run.activity_id),
        "sk": keys.run_sort_key(run.attempt),
        **_due_attributes(run),
        **_inbox_attributes(run),
        "tenant": run.tenant,
        "activity_id": run.activity_id,
        "run_id": run.run_id,
        "attempt": run.attempt,
        "status": run.status.value,
        "created_at": write_time(run.created_at),
        "version": run.version,
        "wake_reason": run.wake_reason.value,
        "dispatch_id": run.dispatch_id,
        "started_at": write_optional_time(run.started_at),
        "remote_id": run.remote_id,
        "provider_request_id": run.provider_request_id,
        "provider_run_id": run.provider_run_id,
        "other_remote_ids": run.other_remote_ids or None,
        "provider_status": run.provider_status,
        "reference_id": run.reference_id,
        "initiated_at": write_optional_time(run.initiated_at),
        "completed_at": write_optional_time(run.completed_at),
        "row_count": run.row_count,
        "status_since": write_optional_time(run.status_since),
        "polls": run.polls,
        "failed_checks": run.failed_checks,
        "last_checked_at": write_optional_time(run.last_checked_at),
        "next_check_at": write_optional_time(run.next_check_at),
        "is_swept_next": run.is_swept_next or None,
        "last_problem": _write_problem(run.last_problem),
        "callback_token": run.callback_token,
        "due_at": write_optional_time(run.due_at),
        "watch": write_watch(run.watch) if run.watch and run.is_watched else None,
        "ended_at": write_optional_time(run.ended_at),
        "error": _write_problem(run.error),
        "output": None if run.output is None else write_json(run.output),
        "output_ref": _write_output_ref(run.output_ref),
        "report": _write_report(run.report),
        "tool_calls": run.tool_calls or None,
        "tool_cost_nanousd": run.tool_cost_nanousd or None,
        "tool_call_bytes": run.tool_call_bytes or None,
        "comments": run.comments or None,
        "evidence": write_json([_evidence_to_json(each) for each in run.evidence]),
    }


def read_run(row: Row) -> Run:
    output = row.get("output")
    return Run(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        run_id=row["run_id"],
        attempt=row["attempt"],
        status=RunStatus(row["status"]),
        created_at=read_time(row["created_at"]),
        version=row["version"],
        wake_reason=WakeReason(row.get("wake_reason", WakeReason.NEW_TASK)),
        dispatch_id=row.get("dispatch_id"),
        started_at=read_optional_time(row.get("started_at")),
        remote_id=row.get("remote_id", row.get("aop_item_id")),  # as rows were written before
        provider_request_id=row.get("provider_request_id"),
        provider_run_id=row.get("provider_run_id"),
        other_remote_ids=row.get("other_remote_ids", ()),
        provider_status=row.get("provider_status"),
        reference_id=row.get("reference_id"),
        initiated_at=read_optional_time(row.get("initiated_at")),
        completed_at=read_optional_time(row.get("completed_at")),
        row_count=row.get("row_count"),
        status_since=read_optional_time(row.get("status_since")),
        polls=row["polls"],
        failed_checks=row["failed_checks"],
        last_checked_at=read_optional_time(row.get("last_checked_at")),
        next_check_at=read_optional_time(row.get("next_check_at")),
        is_swept_next=row.get("is_swept_next", False),
        last_problem=_read_problem(row.get("last_problem")),
        callback_token=row.get("callback_token"),
        due_at=read_optional_time(row.get("due_at")),
        watch=read_watch(row["watch"]) if "watch" in row else None,
        ended_at=read_optional_time(row.get("ended_at")),
        error=_read_problem(row.get("error")),
        output=None if output is None else read_json(output),
        output_ref=_read_output_ref(row.get("output_ref")),
        report=_read_report(row.get("report")),
        tool_calls=row.get("tool_calls", 0),
        tool_cost_nanousd=row.get("tool_cost_nanousd", 0),
        tool_call_bytes=row.get("tool_call_bytes", 0),
        comments=row.get("comments", 0),
        evidence=tuple(_evidence_from_json(each) for each in read_json(row["evidence"])),
    )


def event_row(event: Event) -> Row:
    return {
        "pk": keys.activity_key(event.tenant, event.activity_id),
        "sk": keys.event_sort_key(event.sequence),
        "tenant": event.tenant,
        "activity_id": event.activity_id,
        "sequence": event.sequence,
        "type": event.type.value,
        "at": write_time(event.at),
        "run_id": event.run_id,
        "detail": write_json(dict(event.detail)),
    }


def read_event(row: Row) -> Event:
    return Event(
        tenant=row["tenant"],
        activity_id=row["activity_id"],
        sequence=row["sequence"],
        type=EventType(row["type"]),
        at=read_time(row["at"]),
        run_id=row.get("run_id"),
        detail=read_json(row["detail"]),
    )


def _due_attributes(run: Run) -> Row:
    if run.due_at is None:
        return {}
    return {
        "due_pk": keys.due_shard_key(keys.due_shard(run.activity_id)),
        "due_sk": keys.due_sort_key(run.due_at, run.run_id),
    }


def _inbox_attributes(run: Run) -> Row:
    """Of a run that waits for a person: of the provider's, or one who says what became of it."""
    if run.status not in {RunStatus.PAUSED, RunStatus.START_UNKNOWN}:
        return {}
    return {
        "inbox_pk": keys.inbox_key(run.tenant),
        "inbox_sk": keys.inbox_sort_key(run.status_since or run.created_at, run.run_id),
    }


def _write_problem(problem: Problem | None) -> str | None:
    if problem is None:
        return None
    return write_json({"code": problem.code, "message": problem.message})


def _read_problem(text: str | None) -> Problem | None:
    return None if text is None else Problem(**read_json(text))


def _write_mention(mention: Mention | None) -> str | None:
    return None if mention is None else write_json(asdict(mention))


def _read_mention(text: str | None) -> Mention | None:
    return None if text is None else Mention(**read_json(text))


def _write_report(report: AgentReport | None) -> str | None:
    return None if report is None else write_json(asdict(report))


def _read_report(text: str | None) -> AgentReport | None:
    return None if text is None else AgentReport(**read_json(text))


def _write_output_ref(ref: OutputRef | None) -> str | None:
    return None if ref is None else write_json(_output_ref_to_json(ref))


def _read_output_ref(text: str | None) -> OutputRef | None:
    return None if text is None else _output_ref_from_json(read_json(text))


def _output_ref_to_json(ref: OutputRef) -> dict[str, str | int]:
    return {"sha256": ref.sha256, "bytes": ref.size_bytes}


def _output_ref_from_json(value: dict[str, Any]) -> OutputRef:
    return OutputRef(sha256=value["sha256"], size_bytes=value["bytes"])


def _evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    output = {"output": _output_ref_to_json(evidence.output)} if evidence.output else {}
    return output | {
        "source": evidence.source.value,
        "status": evidence.status.value,
        "observed_at": write_time(evidence.observed_at),
        "decided": evidence.decided,
    }


def _evidence_from_json(value: dict[str, Any]) -> Evidence:
    return Evidence(
        source=EvidenceSource(value["source"]),
        status=RunStatus(value["status"]),
        observed_at=read_time(value["observed_at"]),
        decided=value["decided"],
        output=_output_ref_from_json(value["output"]) if "output" in value else None,
    )
