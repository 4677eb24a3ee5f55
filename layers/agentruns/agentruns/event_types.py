"""The words of an activity's log: what each of its events tells."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """The detail-types on the bus."""

    ACTIVITY_OPENED = "ActivityOpened"
    ACTIVITY_STARTED = "ActivityStarted"
    RUN_STARTED = "RunStarted"
    RUN_STATUS_CHANGED = "RunStatusChanged"
    RUN_COMPLETED = "RunCompleted"
    RUN_FAILED = "RunFailed"
    RUN_START_UNKNOWN = "RunStartUnknown"
    RUN_RETRIED = "RunRetried"
    RUN_CONTRADICTED = "RunContradicted"
    DUPLICATE_START_DETECTED = "DuplicateStartDetected"
    ACTIVITY_BLOCKED = "ActivityBlocked"
    ACTIVITY_RESUMED = "ActivityResumed"
    ACTIVITY_COMPLETED = "ActivityCompleted"
    ACTIVITY_FAILED = "ActivityFailed"
    ACTIVITY_CANCELLED = "ActivityCancelled"
    ACTIVITY_REDRIVEN = "ActivityRedriven"
    ACTIVITY_REASSIGNED = "ActivityReassigned"
    ACTIVITY_HELD = "ActivityHeld"
    RUN_RESUMED = "RunResumed"
    REVIEW_REQUESTED = "ReviewRequested"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_DECIDED = "ApprovalDecided"
    APPROVAL_EXPIRED = "ApprovalExpired"
    HUMAN_TASK_OPENED = "HumanTaskOpened"
    HUMAN_TASK_RESOLVED = "HumanTaskResolved"
    HUMAN_TASK_EXPIRED = "HumanTaskExpired"
    SUBTASK_CREATED = "SubtaskCreated"
    SUBTASK_ENDED = "SubtaskEnded"
    COMMENT_ADDED = "CommentAdded"
    TOOL_CALLED = "ToolCalled"
