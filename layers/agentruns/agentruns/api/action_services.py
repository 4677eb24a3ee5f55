"""The Agent API's actions: part of its services.

Not here: the rest of them (`agent_services`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.actions import CreateApproval, ReportBlocker, RequestReview
from agentruns.commenting import AddComment
from agentruns.mentions import NotifyAgents
from agentruns.reassigning import Reassign
from agentruns.subtasks import CreateSubtask

if TYPE_CHECKING:
    from agentruns.activities import AcceptActivity
    from agentruns.linking import LinkActivities
    from agentruns.ports import ActivityStore, Clock, Executions
    from agentruns.wait_ports import CommentStore
    from agentruns.waking import WakeExecution


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionServices:
    report_blocker: ReportBlocker
    request_review: RequestReview
    create_approval: CreateApproval
    create_subtask: CreateSubtask
    reassign: Reassign
    add_comment: AddComment


def action_services_over(
    *,
    activities: ActivityStore,
    comments: CommentStore,
    accept_activity: AcceptActivity,
    link_activities: LinkActivities,
    executions: Executions,
    wake_execution: WakeExecution,
    clock: Clock,
) -> ActionServices:
    return ActionServices(
        report_blocker=ReportBlocker(activities=activities, clock=clock),
        request_review=RequestReview(activities=activities, clock=clock),
        create_approval=CreateApproval(
            activities=activities, link_activities=link_activities, clock=clock
        ),
        create_subtask=CreateSubtask(
            activities=activities,
            accept_activity=accept_activity,
            executions=executions,
            clock=clock,
        ),
        reassign=Reassign(
            activities=activities,
            accept_activity=accept_activity,
            executions=executions,
            wake_execution=wake_execution,
            clock=clock,
        ),
        add_comment=AddComment(
            activities=activities,
            comments=comments,
            notify_agents=NotifyAgents(accept_activity=accept_activity),
            clock=clock,
        ),
    )
