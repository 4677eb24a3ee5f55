"""The agent of the fault suite, without the product: what it takes, and what it would call."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from chaos.agents.agent import CUT, DISPATCH, OVERLONG, FaultyAgent
from chaos.agents.conduct import CONDUCTS
from chaos.agents.ledger import AgentLedger
from chaos.books import AgentCall

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Recorder:
    """In place of the API: remembers what was called, and answers 200."""

    def __init__(self, ledger: AgentLedger) -> None:
        self.ledger = ledger

    def call(
        self,
        dispatch: Mapping[str, Any],
        name: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        token: str = "",
    ) -> AgentCall:
        call = AgentCall(
            run_id=dispatch["runId"],
            name=name.rpartition("/")[2],
            sent=dict(body or {}),
            status=401 if token else 200,
            key=key,
            is_ours=not token,
        )
        self.ledger.record_call(call)
        return call


@pytest.fixture
def agent() -> Iterator[FaultyAgent]:
    with FaultyAgent(seed=7) as serving:
        serving.secrets["writer"] = SECRET
        serving.api = Recorder(serving.ledger)  # type: ignore[assignment]  # one call is all that is used
        yield serving


def dispatch(agent: FaultyAgent, prompt: str, number: int = 1, secret: str = SECRET) -> Any:
    """The answer, None where none came."""
    body = json.dumps(
        {
            "runId": f"run_{number}",
            "activityId": "act_1",
            "wakeReason": "new_task",
            "prompt": prompt,
            "taskToken": f"{'a' * 20}.{'b' * 60}.{'c' * 43}",
        }
    )
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg", now, body),
        "Connection": "close",
    }
    try:
        return requests.post(
            f"{agent.url}/writer", data=body, headers=headers, timeout=5, stream=True
        )
    except requests.ConnectionError:
        return None


def worked(agent: FaultyAgent, prompt: str, number: int = 1) -> Counter[str]:
    """What it called for the run, by name."""
    assert dispatch(agent, prompt, number).status_code == 202
    give_up_at = time.monotonic() + 5
    while agent.is_at_work("act_1") and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return Counter(call.name for call in agent.ledger.calls() if call.run_id == f"run_{number}")


def test_only_what_is_signed_with_its_secret_is_taken(agent: FaultyAgent):
    refused = dispatch(agent, "silent", secret="whsec_" + "A" * 32)

    assert (401, [], 1) == (
        refused.status_code,
        agent.ledger.taken(),
        agent.ledger.refused_signatures,
    )


@pytest.mark.parametrize(
    ("fault", "is_taken", "status"),
    [
        ({"kind": "status", "status": 503}, False, 503),
        ({"kind": "status", "status": 500, "accept": True}, True, 500),
        ({"kind": "reset"}, False, None),
        ({"kind": "reset", "accept": True}, True, None),
        ({"kind": "drop_after_accept"}, True, None),
        ({"kind": CUT}, True, 202),
        ({"kind": OVERLONG}, True, 202),
    ],
)
def test_the_ledger_knows_whether_it_was_taken(
    agent: FaultyAgent, fault: dict[str, Any], is_taken: bool, status: int | None
):
    agent.add_fault(operation=DISPATCH, **fault)

    answer = dispatch(agent, "silent")

    assert (is_taken, 1) == (agent.ledger.has_taken("run_1"), agent.ledger.received)
    assert status == (None if answer is None else answer.status_code)


@pytest.mark.parametrize(
    ("prompt", "name", "times"),
    [
        ("delivers", "result", 1),
        ("early", "result", 1),
        ("twice", "result", 2),
        ("crowd", "result", 10),
        ("late", "result", 2),
        ("fails", "result", 1),
        ("reviews", "request-review", 3),
        ("approves act_2", "create-approval", 3),
        ("blocked", "report-blocker", 3),
        ("delegates helper", "create-subtask", 3),
        ("unanswering", "result", 0),
    ],
)
def test_it_works_as_its_prompt_says(agent: FaultyAgent, prompt: str, name: str, times: int):
    assert times == worked(agent, prompt)[name]


def test_it_asks_once_and_then_only_delivers(agent: FaultyAgent):
    assert 3 == worked(agent, "unanswering")["request-review"]

    again = worked(agent, "unanswering", number=2)

    assert (0, 1) == (again["request-review"], again["result"])


def test_what_is_held_back_goes_on_when_it_is_released(agent: FaultyAgent):
    dispatch(agent, "holds")
    assert agent.is_at_work("act_1")

    agent.releases.of("act_1").set()

    assert 1 == worked(agent, "holds", number=2)["result"]


def test_no_damaged_token_is_the_right_one(agent: FaultyAgent):
    worked(agent, "damaged")

    assert {"context", "result"} == {call.name for call in agent.ledger.calls() if not call.is_ours}


def test_every_prompt_of_the_scenario_is_known():
    from chaos.scenarios.agents import PLANS

    assert {*PLANS} <= {*CONDUCTS}
