"""An agent that asks and the people who answer, over the fakes: what tests of waits begin with."""

from __future__ import annotations

from typing import Any

from agentruns.actions import (
    ApprovalWanted,
    Asked,
    Blocker,
    ReviewWanted,
)
from agentruns.agent_calls import AgentResult
from agentruns.agent_reports import AgentReport
from agentruns.comment import Comment
from agentruns.commenting import NewComment
from agentruns.deciding import Answered
from agentruns.definitions import ActivityRequest
from agentruns.model import Problem
from agentruns.problem_words import AGENT_FAILED
from agentruns.reassigning import Reassigned, Reassignment
from agentruns.secret import Secret
from agentruns.subtasks import Subtask
from agentruns.wait import (
    Answer,
    ApprovalType,
    BlockerType,
    Decision,
    Wait,
)
from tests.fakes.driver import Driver
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World

OPERATOR = "operator:k1"
EDITOR = "lead-editor"
WRITE = ActivityRequest(agent_role=WRITER, message="write", title="An article")


def world_with_an_editor() -> World:
    """Where a second agent of one's own can be given work."""
    world = World()
    world.put_agent(role=EDITOR, adapter=WRITER_ADAPTER)
    signing = {"signing_secrets": ["whsec_" + "c2VjcmV0" * 4]}
    world.secrets.put(f"agentruns/test/agents/{TENANT}/{EDITOR}", signing, "")
    return world


class Desk:
    """One activity of an agent of one's own, its execution beside it. `settle` lets all that is
    due now happen; time passes only where a test says so."""

    def __init__(self, world: World | None = None, request: ActivityRequest = WRITE) -> None:
        self.world = world or World()
        self.driver = Driver(self.world)
        self.activity_id = self.world.accept(request).activity_id
        self.settle()

    def settle(self, seconds: float = 0) -> None:
        self.driver.at(0, lambda: None)  # what was woken since is taken with it
        self.driver.run(seconds=seconds)

    @property
    def record(self) -> Any:
        return self.world.record(self.activity_id)

    @property
    def status(self) -> str:
        return str(self.record.activity.status.value)

    @property
    def run_id(self) -> str:
        return str(self.record.current_run.run_id)

    @property
    def events(self) -> list[str]:
        return self.world.event_types(self.activity_id)

    # The agent.

    def review(self, title: str = "Look at it") -> Asked:
        wanted = ReviewWanted(title=title, description="a draft")
        return self.world.request_review(TENANT, self.run_id, wanted)

    def approval(self, *linked: str, title: str = "Publish", **fields: Any) -> Asked:
        values: dict[str, Any] = {"approval_type": ApprovalType.CHANNEL_ACTION}
        wanted = ApprovalWanted(title=title, linked_activity_ids=linked, **(values | fields))
        return self.world.create_approval(TENANT, self.run_id, wanted)

    def blocker(self, description: str = "no data") -> Asked:
        blocker = Blocker(blocker_type=BlockerType.INSUFFICIENT_DATA, description=description)
        return self.world.report_blocker(TENANT, self.run_id, blocker)

    def subtask(self, role: str = WRITER, **fields: Any) -> Wait:
        subtask = Subtask(title="Research", agent_role=role, prompt="find out", **fields)
        wait = self.world.create_subtask(TENANT, self.run_id, subtask)
        self.settle()
        return wait

    def reassign(self, **fields: Any) -> Reassigned:
        wanted = Reassignment(reason="not mine", **fields)
        return self.world.reassign(TENANT, self.run_id, wanted)

    def comment(self, text: str) -> Comment:
        return self.world.add_comment.by_run(TENANT, self.run_id, NewComment(text=text))

    def result(self, text: str = "done", *, error: str = "", activity_id: str = "") -> None:
        """The current run's, of this activity or of another."""
        record = self.world.record(activity_id or self.activity_id)
        sent = [
            each for each in self.world.agent.sent if each.dispatch_id == record.current_run.run_id
        ]
        caller = self.world.task_tokens.read(Secret(sent[-1].task_token))
        problem = Problem(code=AGENT_FAILED, message=error) if error else None
        output = None if error else text
        result = AgentResult(report=AgentReport(), output=output, problem=problem)
        self.world.deliver_result(caller, record.current_run.run_id, result)

    # People, and the stream.

    def decide(self, asked: Asked, decision: str, note: str = "", **fields: Any) -> Answered:
        answer = Answer(
            decision=Decision(decision),
            note=note,
            **({"answered_by": OPERATOR} | fields),
        )
        return self.world.decide_approval(TENANT, asked.wait.wait_id, answer)

    def resolve(self, wait: Wait, note: str = "") -> Answered:
        return self.world.resolve_human_task(TENANT, wait.wait_id, note, OPERATOR)

    def inbox(self) -> list[tuple[str, str]]:
        page = self.world.list_inbox(TENANT, 100, None)
        return [(item.kind, item.activity.activity_id) for item in page.items]

    def stream(self, *activity_ids: str) -> None:
        """The events of these activities reach `link_activities`, all of them again each time."""
        for activity_id in activity_ids:
            for event in self.world.events(activity_id):
                self.world.link_activities(event)
                self.world.follow_mentions(event)
        self.settle()
