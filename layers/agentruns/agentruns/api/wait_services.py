"""What the operator API needs of what waits for people: part of its services.

Not here: the rest of them (`services`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns.commenting import AddComment
from agentruns.deciding import DecideApproval, ResolveHumanTask
from agentruns.inbox import ListInbox
from agentruns.mentions import NotifyAgents
from agentruns.waking import TransactAndWake, WakeExecution

if TYPE_CHECKING:
    from agentruns.activities import AcceptActivity
    from agentruns.ports import ActivityStore, Clock
    from agentruns.wait_ports import CommentStore, Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitServices:
    list_inbox: ListInbox
    decide_approval: DecideApproval
    resolve_human_task: ResolveHumanTask
    add_comment: AddComment
    comments: CommentStore


def wait_services_over(
    *,
    activities: ActivityStore,
    inbox: Inbox,
    comments: CommentStore,
    accept_activity: AcceptActivity,
    wake_execution: WakeExecution,
    clock: Clock,
) -> WaitServices:
    transact_and_wake = TransactAndWake(activities=activities, wake_execution=wake_execution)
    return WaitServices(
        list_inbox=ListInbox(activities=activities, inbox=inbox, clock=clock),
        decide_approval=DecideApproval(transact_and_wake=transact_and_wake, clock=clock),
        resolve_human_task=ResolveHumanTask(transact_and_wake=transact_and_wake, clock=clock),
        add_comment=AddComment(
            activities=activities,
            comments=comments,
            notify_agents=NotifyAgents(accept_activity=accept_activity),
            clock=clock,
        ),
        comments=comments,
    )
