"""Waits on the embedded stack: an agent asks, the execution parks, an answer goes on; IAM enforced.

The rules are `tests/unit/core`'s; here the real state machine, stream and functions carry them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agentruns.model import ActivityRecord
from agentruns.statuses import ActivityStatus
from local.reference_agent import ReferenceAgent
from tests.deployment import Deployment, is_parked

REVIEW = {"title": "Look at it", "description": "a draft"}


class AskingAgent(ReferenceAgent):
    """Asks for `asks` (an action and its body, by the wake reason), then delivers, if the work is
    still its own."""

    def __init__(self, asks: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
        super().__init__()
        self.asks = asks
        self.answers: list[dict[str, Any]] = []
        self.contexts: list[dict[str, Any]] = []

    def work(self, dispatch: dict[str, Any]) -> None:
        action, body = self.asks.get(dispatch["wakeReason"], ("", {}))
        if action:
            url = dispatch["callbackUrl"].removesuffix("result") + f"actions/{action}"
            self.answers.append(self.call(dispatch, "POST", url, body))
        if action != "reassign":
            super().work(dispatch)

    def result_for(self, context: dict[str, Any]) -> dict[str, Any]:
        self.contexts.append(context)
        return super().result_for(context)


@pytest.fixture
def agents() -> Iterator[list[AskingAgent]]:
    """Those that a test starts; all are stopped after it."""
    started: list[AskingAgent] = []
    yield started
    for agent in started:
        agent.stop()


def put(
    deployment: Deployment,
    agents: list[AskingAgent],
    role: str,
    asks: Mapping[str, tuple[str, dict[str, Any]]] | None = None,
    kind: type[AskingAgent] = AskingAgent,
) -> Any:
    """A stored agent of that role, serving."""
    agent = kind(asks or {})
    agent.start()
    agents.append(agent)
    body = {"adapter": {"type": "webhook", "url": agent.url}}
    agent.signing_secret = deployment.call("PUT", f"/v1/agents/{role}", body)["signing_secret"]
    return agent


def start(deployment: Deployment, role: str, message: str = "Write") -> str:
    body = {"agent_role": role, "message": message}
    return str(deployment.call("POST", "/v1/activities", body)["activity_id"])


def waits_parked(record: ActivityRecord) -> bool:
    return record.current_run.status.is_terminal and is_parked(record)


def in_inbox(deployment: Deployment, activity_id: str) -> dict[str, Any]:
    items = deployment.call("GET", "/v1/inbox?limit=100")["items"]
    (item,) = (each for each in items if each["activity_id"] == activity_id)
    return dict(item)


def test_a_rejected_review_comes_back_with_the_note(deployment: Deployment, agents: Any):
    agent = put(deployment, agents, "writer_review", {"new_task": ("request-review", REVIEW)})
    activity_id = start(deployment, "writer_review")
    record = deployment.wait_for(activity_id, waits_parked)
    assert record.activity.status is ActivityStatus.AWAITING_REVIEW
    item = in_inbox(deployment, activity_id)
    assert agent.answers[0]["approvalId"] == item["id"]

    body = {"decision": "rejected", "note": "too long"}
    deployment.call("POST", f"/v1/approvals/{item['id']}/decision", body)

    record = deployment.wait_for_end(activity_id)
    assert record.activity.status is ActivityStatus.DONE
    last = agent.contexts[-1]
    assert ("rejection", "too long", "Done: Write") == (
        last["wakeReason"],
        last["rejectionNote"],
        last["priorOutput"],
    )
    assert len(agent.dispatches) == 2


def test_a_blocker_is_resolved_from_the_command_line(deployment: Deployment, agents: Any):
    blocker = {"blockerType": "needs_human_input", "description": "which one?"}
    put(deployment, agents, "writer_blocked", {"new_task": ("report-blocker", blocker)})
    activity_id = start(deployment, "writer_blocked")
    deployment.wait_for(activity_id, waits_parked)
    listed = deployment.agentruns("inbox", "-q").stdout.split()
    task_id = in_inbox(deployment, activity_id)["id"]
    assert task_id in listed

    resolved = deployment.agentruns("resolve", task_id, "--note", "the second", "--watch")

    assert resolved.exit_code == 0, resolved.stderr
    assert deployment.record(activity_id).activity.status is ActivityStatus.DONE


def test_a_subtasks_output_wakes_its_parent(deployment: Deployment, agents: Any):
    put(deployment, agents, "researcher")
    subtask = {"title": "Research", "agentRole": "researcher", "prompt": "Find out"}
    agent = put(deployment, agents, "writer_parent", {"new_task": ("create-subtask", subtask)})

    record = deployment.wait_for_end(start(deployment, "writer_parent"))

    assert record.activity.status is ActivityStatus.DONE
    assert ("subtask_completed", "Done: Find out") == (
        agent.contexts[-1]["wakeReason"],
        agent.contexts[-1]["subtaskOutput"],
    )


class SilentAgent(AskingAgent):
    """Takes the work, asks for all of `wanted`, and delivers nothing."""

    wanted: tuple[tuple[str, dict[str, Any]], ...] = ()

    def work(self, dispatch: dict[str, Any]) -> None:
        for action, body in self.wanted:
            url = dispatch["callbackUrl"].removesuffix("result") + f"actions/{action}"
            self.answers.append(self.call(dispatch, "POST", url, body))


def parent_of_a_silent_subtask(
    deployment: Deployment, agents: Any, role: str, *then: tuple[str, dict[str, Any]]
) -> tuple[str, str]:
    """Parent and child, once the child is parked at its agent, who says nothing."""
    subtask = {"title": "Research", "agentRole": f"{role}_child", "prompt": "Find out"}
    parent = put(deployment, agents, role, kind=SilentAgent)
    put(deployment, agents, f"{role}_child", kind=SilentAgent)
    parent.wanted = (("create-subtask", subtask), *then)
    parent_id = start(deployment, role)
    deployment.wait_for(parent_id, lambda _: len(parent.answers) == len(parent.wanted))
    child_id = parent.answers[0]["subtaskActivityId"]
    deployment.wait_for(child_id, is_parked)
    return parent_id, child_id


def test_a_cancelled_parent_takes_its_subtask_along(deployment: Deployment, agents: Any):
    parent_id, child_id = parent_of_a_silent_subtask(deployment, agents, "cancelled")

    answer = deployment.call("POST", f"/v1/activities/{parent_id}/cancel")

    (subtask,) = answer["subtasks"]
    assert (subtask["activity_id"], subtask["status"]) == (child_id, "cancelled")
    assert subtask["detail"].startswith("cancel_unsupported: an agent is not told")
    assert deployment.execution(deployment.execution_arn(child_id)).status == "ABORTED"


def test_the_sweeper_cancels_what_a_parent_left_that_was_given_on(
    deployment: Deployment, agents: Any
):
    given_on = {"toUserId": "ada", "reason": "not for an agent"}
    parent_id, child_id = parent_of_a_silent_subtask(
        deployment, agents, "giver", ("reassign", given_on)
    )

    deployment.sweep()

    record = deployment.wait_for_end(child_id)
    assert record.activity.status is ActivityStatus.CANCELLED
    assert deployment.record(parent_id).activity.status is ActivityStatus.REASSIGNED
    assert deployment.execution(deployment.execution_arn(child_id)).status == "ABORTED"


def test_a_linked_activity_waits_for_the_approval(deployment: Deployment, agents: Any):
    review = {"new_task": ("request-review", REVIEW)}
    put(deployment, agents, "writer_linked", review)
    linked_id = start(deployment, "writer_linked")
    deployment.wait_for(linked_id, waits_parked)
    approval = {"title": "Go", "type": "channel_action", "linkedActivityIds": [linked_id]}
    put(deployment, agents, "writer_asks", {"new_task": ("create-approval", approval)})
    activity_id = start(deployment, "writer_asks")
    deployment.wait_for(activity_id, waits_parked)
    assert deployment.record(linked_id).activity.status is ActivityStatus.AWAITING_APPROVAL

    body = {"decision": "rejected", "note": "not now"}
    approval_id = in_inbox(deployment, activity_id)["id"]
    deployment.call("POST", f"/v1/approvals/{approval_id}/decision", body)
    review_id = in_inbox(deployment, linked_id)["id"]
    deployment.call("POST", f"/v1/approvals/{review_id}/decision", {"decision": "approved"})

    error = deployment.wait_for_end(linked_id).activity.error
    assert error is not None
    assert error.code == "approval_rejected"


def test_an_activity_is_given_to_a_person_who_does_it(deployment: Deployment, agents: Any):
    given = {"new_task": ("reassign", {"toUserId": "ada", "reason": "by hand"})}
    put(deployment, agents, "writer_gives", given)
    record = deployment.wait_for_end(start(deployment, "writer_gives"))
    assert record.activity.status is ActivityStatus.REASSIGNED
    new_id = str(record.activity.reassigned_as)
    deployment.wait_for(new_id, is_parked)

    task_id = in_inbox(deployment, new_id)["id"]
    deployment.call("POST", f"/v1/human-tasks/{task_id}/resolve", {"note": "written"})

    record = deployment.wait_for_end(new_id)
    assert record.activity.status is ActivityStatus.DONE
    assert record.current_run.output == {"text": "written"}


def test_an_expired_approval_fails_its_activity(deployment: Deployment, agents: Any):
    approval = {"new_task": ("create-approval", {"title": "Go", "type": "channel_action"})}
    put(deployment, agents, "writer_expires", approval)
    activity_id = start(deployment, "writer_expires")
    deployment.wait_for(activity_id, waits_parked)
    deployment.let_waits_expire(activity_id)

    deployment.sweep()

    error = deployment.wait_for_end(activity_id).activity.error
    assert error is not None
    assert error.code == "approval_expired"
