"""Mentions on the embedded stack: a notified agent's answer comes into the thread; IAM enforced.

The rules are `tests/unit/core`'s; here the real state machine, stream and functions carry them.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from agentruns.activities import AcceptActivity
from agentruns.comment import Comment
from agentruns.commenting import AddComment, NewComment
from agentruns.mentions import NotifyAgents
from agentruns.model import Activity
from agentruns.statuses import ActivityStatus
from agentruns.store.stores import DynamoDbStores
from agentruns.store.table import DynamoDbTable
from tests.deployment import PATIENCE_SECONDS, TENANT, Deployment
from tests.fakes.clock import FakeClock
from tests.fakes.executions import FakeExecutions
from tests.fakes.outputs import InMemoryOutputStore
from tests.workflow.test_waits import AskingAgent, put, start


@pytest.fixture
def agents() -> Iterator[list[AskingAgent]]:
    """Those that a test starts; all are stopped after it."""
    started: list[AskingAgent] = []
    yield started
    for agent in started:
        agent.stop()


def thread_of(deployment: Deployment, activity_id: str, length: int) -> list[dict[str, Any]]:
    """The comments, once there are so many."""
    path = f"/v1/activities/{activity_id}/comments"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        items = deployment.call("GET", path)["items"]
        if len(items) >= length:
            return list(items)
        assert time.monotonic() < deadline, items
        time.sleep(0.5)


def test_an_agent_mentions_another_which_answers_in_the_thread(deployment: Deployment, agents: Any):
    editor = put(deployment, agents, "mentioned_editor")
    text = "@agent:mentioned-editor is it good? @agent:nobody"
    put(deployment, agents, "mentioning", {"new_task": ("add-comment", {"text": text})})

    activity_id = start(deployment, "mentioning")
    comment, reply = thread_of(deployment, activity_id, 2)

    (notified,) = comment["notified"]
    assert [{"agent_role": "nobody", "reason": "unknown_agent"}] == comment["not_notified"]
    assert ("agent:mentioned_editor", comment["comment_id"]) == (
        reply["author"],
        reply["reply_to"],
    )
    assert reply["text"].startswith("Done: agent:mentioning mentioned you")
    (context,) = editor.contexts
    mentioned = context["mentionedIn"]
    assert ("mention", activity_id, text) == (
        context["wakeReason"],
        mentioned["activityId"],
        mentioned["comments"][0]["text"],
    )
    record = deployment.wait_for_end(notified["activity_id"])
    assert (ActivityStatus.DONE, reply["run_id"]) == (
        record.activity.status,
        record.current_run.run_id,
    )
    assert deployment.wait_for_end(activity_id).activity.status is ActivityStatus.DONE
    assert len(thread_of(deployment, activity_id, 2)) == 2


class _Dies(NotifyAgents):
    """Between storing the comment and notifying."""

    def __call__(self, thread: Activity, comment: Comment) -> None:
        raise ConnectionError("gone")


def test_the_stream_notifies_where_the_api_died(deployment: Deployment, agents: Any):
    put(deployment, agents, "lost_editor")
    put(deployment, agents, "lost_writer")
    activity_id = start(deployment, "lost_writer")
    deployment.wait_for_end(activity_id)
    client = functools.cache(lambda: deployment.aws("dynamodb"))
    stores = DynamoDbStores(DynamoDbTable(deployment.info.table_name, client), InMemoryOutputStore)
    accept_activity = AcceptActivity(
        activities=stores.activities,
        agents=stores.agents,
        connections=stores.connections,
        executions=FakeExecutions(),
        validate_csv_url=str,
        clock=FakeClock(),
    )
    add_comment = AddComment(
        activities=stores.activities,
        comments=stores.inbox,
        notify_agents=_Dies(accept_activity=accept_activity),
        clock=lambda: datetime.now(UTC),
    )

    comment = NewComment(text="@agent:lost_editor is it good?")
    added = add_comment.by_operator(TENANT, activity_id, "k1", comment).comment

    reply = thread_of(deployment, activity_id, 2)[-1]
    (notified,) = added.notified
    assert (added.comment_id, "agent:lost_editor") == (reply["reply_to"], reply["author"])
    record = deployment.record(str(notified.activity_id))
    assert record.activity.status is ActivityStatus.DONE
