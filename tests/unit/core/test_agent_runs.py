"""Runs of agents of one's own: dispatched at most once, ended by their call, whatever the order."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agentruns.agent_errors import ResultAlreadyReceived, RunNotDispatched
from agentruns.definitions import ActivityRequest
from agentruns.errors import AgentNotFound, StartUnknown, UpstreamUnavailable
from agentruns.model import EvidenceSource
from agentruns.refusals import AgentRefused
from agentruns.request_errors import Unauthenticated
from agentruns.statuses import ActivityStatus, RunStatus
from tests.fakes.world import TENANT, WRITER, WRITER_ADAPTER, World
from tests.unit.core.agents import DRAFT, FAILURE, WRITING, Writer, parked_writing


def seen(writer: Writer, activity_id: str) -> Any:
    return writer.world.record(activity_id)


def test_a_dispatch_says_what_the_protocol_has():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.run(seconds=5)

    run_id = seen(writer, activity_id).current_run.run_id
    document = dict(writer.latest.document)
    assert document.pop("taskToken").count(".") == 2
    assert document == {
        "taskId": run_id,
        "tenantId": TENANT,
        "agentRole": WRITER,
        "runId": run_id,
        "activityId": activity_id,
        "prompt": 'Write it\n\nContext:\n{\n  "topic": "VPN"\n}',
        "systemPrompt": "",
        "skillsContext": "",
        "wakeReason": "new_task",
        "sessionId": None,
        "callbackUrl": f"https://api.example/agent/v1/runs/{run_id}/result",
        "contextUrl": f"https://api.example/agent/v1/runs/{run_id}/context",
        "timeoutMs": 86_400_000,
    }
    assert writer.latest.url == WRITER_ADAPTER.url
    assert writer.latest.dispatch_id == run_id


def test_accepted_is_not_done_and_the_result_ends_it():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.run(seconds=5)
    assert seen(writer, activity_id).current_run.status is RunStatus.RUNNING

    writer.driver.at(600, writer.delivers)
    writer.driver.run(seconds=1200)

    record = seen(writer, activity_id)
    assert record.activity.status is ActivityStatus.DONE
    assert record.current_run.output == "the draft"
    assert record.current_run.report == DRAFT.report
    assert [each.source for each in record.current_run.evidence] == [EvidenceSource.AGENT]
    assert len(writer.world.agent.sent) == 1


def test_no_execution_is_told_an_agents_own_words():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.run(seconds=5)
    writer.delivers(FAILURE)

    step = writer.world.settle_run(writer.world.task(activity_id)).to_json()

    record = seen(writer, activity_id)
    assert record.activity.error == FAILURE.problem
    run_id = record.current_run.run_id
    assert (step["error"], step["cause"]) == ("agent_failed", f"run {run_id} has the words")


def test_the_deadline_ends_a_run_whose_agent_never_calls():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.run()

    record = seen(writer, activity_id)
    assert record.activity.status is ActivityStatus.FAILED
    assert record.current_run.status is RunStatus.TIMEOUT


def test_a_late_result_is_kept_as_evidence_and_refused():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.driver.run(seconds=5)
    sent, caller = writer.latest, writer.caller()
    writer.driver.run()

    with pytest.raises(ResultAlreadyReceived, match="ended without a result"):
        writer.world.deliver_result(caller, sent.dispatch_id, DRAFT)
    with pytest.raises(ResultAlreadyReceived, match="has its result"):
        writer.world.deliver_result(caller, sent.dispatch_id, DRAFT)

    run = seen(writer, activity_id).current_run
    assert run.status is RunStatus.TIMEOUT
    assert [(each.source, each.decided) for each in run.evidence] == [
        (EvidenceSource.DEADLINE, True),
        (EvidenceSource.AGENT, False),
    ]
    assert writer.world.event_types(activity_id).count("RunContradicted") == 1


def test_an_agent_that_failed_is_given_another_run_with_what_it_had():
    writer = Writer.at_work(max_attempts=2)
    activity_id = writer.asked()
    writer.driver.at(10, lambda: writer.delivers(FAILURE))
    writer.driver.at(100, lambda: writer.delivers(DRAFT))
    writer.driver.run(seconds=300)

    record = seen(writer, activity_id)
    assert [run.status for run in record.runs] == [RunStatus.FAILED, RunStatus.COMPLETED]
    assert record.activity.status is ActivityStatus.DONE
    assert [sent.document["wakeReason"] for sent in writer.world.agent.sent] == [
        "new_task",
        "retry",
    ]


def test_an_agent_that_asks_to_wait_is_dispatched_to_again():
    writer = Writer.at_work()
    writer.world.agent.on_dispatch(UpstreamUnavailable("429", retry_after_seconds=20), None)
    activity_id = writer.asked()
    writer.driver.run(seconds=15)
    assert len(writer.world.agent.sent) == 1
    writer.driver.run(seconds=120)

    assert len(writer.world.agent.sent) == 2
    assert seen(writer, activity_id).current_run.status is RunStatus.RUNNING


def test_an_agent_that_refuses_fails_the_run():
    writer = Writer.at_work(max_attempts=3)
    writer.world.agent.on_dispatch(AgentRefused("agents.example", 400, "no message"))
    activity_id = writer.asked()
    writer.driver.run(seconds=300)

    record = seen(writer, activity_id)
    assert record.activity.status is ActivityStatus.FAILED
    assert record.activity.error.code == "agent_refused"
    assert len(record.runs) == 1


def test_a_deleted_agent_fails_what_was_to_be_dispatched_to_it():
    writer = Writer.at_work()
    activity_id = writer.asked()
    writer.world.agents.delete(TENANT, WRITER)
    writer.driver.run(seconds=60)

    record = seen(writer, activity_id)
    assert record.activity.error.code == AgentNotFound.code
    assert writer.world.agent.sent == []


@pytest.mark.parametrize("call", ["context", "result"])
def test_an_unknown_start_is_resolved_by_the_agent_s_call(call: str):
    writer = Writer.at_work()
    writer.world.agent.on_dispatch(StartUnknown("no answer"))
    activity_id = writer.asked()
    writer.driver.run(seconds=60)
    assert seen(writer, activity_id).activity.status is ActivityStatus.BLOCKED

    if call == "context":
        writer.world.agent_runs.enter(writer.caller(), writer.latest.dispatch_id)
        record = seen(writer, activity_id)
        assert record.activity.status is ActivityStatus.IN_PROGRESS
        assert record.current_run.status is RunStatus.RUNNING
    writer.driver.at(60, writer.delivers)
    writer.driver.run(seconds=300)

    record = seen(writer, activity_id)
    assert record.activity.status is ActivityStatus.DONE
    assert len(writer.world.agent.sent) == 1
    assert writer.world.event_types(activity_id).count("RunStarted") == 1


@pytest.mark.parametrize("answer", [None, StartUnknown("no answer"), UpstreamUnavailable("reset")])
def test_a_result_may_come_before_the_dispatch_is_answered(answer: Exception | None):
    writer = Writer.at_work()
    writer.world.agent.before_answer = lambda sent: writer.delivers(DRAFT, sent)
    writer.world.agent.on_dispatch(answer)
    activity_id = writer.asked()
    writer.driver.run(seconds=300)

    record = seen(writer, activity_id)
    assert record.activity.status is ActivityStatus.DONE
    assert len(writer.world.agent.sent) == 1
    assert writer.world.event_types(activity_id).count("RunCompleted") == 1


def test_a_call_for_a_run_that_has_ended_is_as_one_with_a_dead_token():
    world = World()
    task = parked_writing(world)
    caller = Writer(world, None).caller()  # type: ignore[arg-type]  # nothing runs here
    world.deliver_result(caller, task.run_id, DRAFT)

    with pytest.raises(Unauthenticated):
        world.agent_runs.enter(caller, task.run_id)
    assert world.agent_runs.read(caller, task.run_id).run(task.run_id).status.is_terminal


def test_a_token_of_another_run_is_refused_whether_that_run_exists_or_not():
    world = World()
    task = parked_writing(world)
    other = world.opened(WRITING)
    caller = Writer(world, None).caller()  # type: ignore[arg-type]  # as above

    for run_id in (other.run_id, task.run_id.replace("run_", "run_0"), "nonsense"):
        with pytest.raises(Unauthenticated, match="speaks for another run"):
            world.deliver_result(caller, run_id, DRAFT)


def test_a_run_that_waits_to_be_dispatched_takes_no_result():
    world = World()
    world.agent.on_dispatch(UpstreamUnavailable("503", retry_after_seconds=60))
    task = world.opened(WRITING)
    world.dispatch_agent(task)
    caller = Writer(world, None).caller()  # type: ignore[arg-type]  # as above

    for call in (
        lambda: world.deliver_result(caller, task.run_id, DRAFT),
        lambda: world.agent_runs.enter(caller, task.run_id),
    ):
        with pytest.raises(RunNotDispatched):
            call()


def test_of_fifty_results_at_once_one_counts():
    world = World()
    task = parked_writing(world)
    caller = Writer(world, None).caller()  # type: ignore[arg-type]  # as above
    outcomes: list[str] = []
    gate = threading.Barrier(50)

    def deliver() -> None:
        gate.wait()
        while True:
            try:
                world.deliver_result(caller, task.run_id, DRAFT)
                outcomes.append("received")
            except ResultAlreadyReceived:
                outcomes.append("conflict")
            except Exception as error:  # lost too many races: the agent sends it again
                if type(error).__name__ == "StoreContention":
                    continue
                raise
            return

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["conflict"] * 49 + ["received"]
    assert world.event_types(task.activity_id).count("RunCompleted") == 1
    assert len(world.run(task).evidence) == 1


def test_either_spelling_of_a_role_is_the_same_agent():
    world = World()
    world.put_agent(role="blog-writer", adapter=WRITER_ADAPTER)

    accepted = world.accept(ActivityRequest(agent_role="blog_writer", message="x"))

    assert world.record(accepted.activity_id).activity.agent_role == "blog-writer"
