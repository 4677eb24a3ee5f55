"""A day of all texts that the Agent API and the people behind it exchange, each with a mark.

One activity goes through every action and every answer to it; others fail, are refused, are given
on. Tells of what kind each text is. Not here: where they are looked for (`canaries`).
"""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import requests

from tests.deployment import Deployment, is_parked
from tests.e2e.canaries import Kind, Place, Text

TELLER = "canary_teller"
OTHER = "canary_other"
LARGE_CHARACTERS = 400_000


@dataclass(frozen=True, slots=True)
class TextDay:
    """`places`: what only this day's people have seen."""

    activity_ids: list[str]
    texts: dict[str, Text]
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Texts:
    """Gives out marked texts, and knows them all."""

    all: dict[str, Text] = field(default_factory=dict)

    def content(self, name: str, *more: str) -> str:
        """Stored, and answered to somebody."""
        return self.kept(name, "row", "answer", *more)

    def kept(self, name: str, *must: str) -> str:
        return self._new(name, Kind.CONTENT, *must)

    def label(self, name: str) -> str:
        return self._new(name, Kind.LABEL, "row", "answer", "event")

    def refusal(self, name: str) -> str:
        return self._new(name, Kind.REFUSAL, "row", "answer")

    def refused(self, name: str) -> str:
        return self._new(name, Kind.NOWHERE)

    def whole(self, name: str, kind: Kind, value: str, *must: str) -> str:
        self.all[name] = Text(value, kind, frozenset(must))
        return value

    def _new(self, name: str, kind: Kind, *must: str) -> str:
        assert name not in self.all
        value = f'told+/=&"ü\\{uuid.uuid4().hex}'
        return self.whole(name, kind, value, *must)


class TellingAgent:
    """Takes dispatches and does nothing by itself; those for a role in `refuses` are refused with
    that message."""

    def __init__(self) -> None:
        self.dispatches: list[dict[str, Any]] = []
        self.refuses: dict[str, str] = {}
        self._server = _Server(("127.0.0.1", 0), self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    @contextmanager
    def serving(self) -> Iterator[TellingAgent]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], agent: TellingAgent) -> None:
        self.agent = agent
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        dispatch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.agent.dispatches.append(dispatch)
        message = self.server.agent.refuses.get(dispatch["agentRole"])
        body = json.dumps({"message": message}).encode() if message else b""
        self.send_response(400 if message else 202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@dataclass(frozen=True, slots=True)
class People:
    """Who calls: the run, its operator, and others who should learn nothing."""

    deployment: Deployment
    agent: TellingAgent
    answers: list[bytes] = field(default_factory=list)
    foreign: list[bytes] = field(default_factory=list)

    def dispatched(self, activity_id: str, attempt: int = 1) -> dict[str, Any]:
        """The dispatch of the activity's run, once the agent has it and we know it."""
        seen = self.deployment.wait_for(
            activity_id,
            lambda record: (
                record.current_run.attempt == attempt
                and record.current_run.status.value == "running"
            ),
        )
        run_id = seen.current_run.run_id
        return next(each for each in self.agent.dispatches if each["runId"] == run_id)

    def say(self, run: dict[str, Any], method: str, what: str, body: Any = None) -> Any:
        """As the run. Its answer, also where it is refused."""
        path = f"/runs/{run['runId']}/{what}"
        answer = self.send(method, path, f"Bearer {run['taskToken']}", self.answers, body)
        return answer.json()

    def said(self, run: dict[str, Any], what: str, body: Any) -> Any:
        """As the run; fails the test where it is refused."""
        path = f"/runs/{run['runId']}/{what}"
        answer = self.send("POST", path, f"Bearer {run['taskToken']}", self.answers, body)
        assert answer.ok, f"{what}: {answer.status_code} {answer.text}"
        return answer.json()

    def send(
        self, method: str, path: str, credential: str, answers: list[bytes], body: Any = None
    ) -> requests.Response:
        url = self.deployment.info.agent_api_url + path
        sent = {"Authorization": credential, "Content-Type": "application/json"}
        data = body if isinstance(body, str) else None if body is None else json.dumps(body)
        answer = requests.request(
            method, url, data=None if data is None else data.encode(), headers=sent, timeout=60
        )
        answers.append(f"{answer.headers}\n\n".encode() + answer.content)
        return answer

    def ask(self, method: str, path: str, key: str, body: Any = None) -> None:
        """Of the operator API, as somebody else."""
        answer = requests.request(
            method,
            self.deployment.info.api_url + path,
            json=body,
            headers={"Authorization": f"ApiKey {key}"} if key else {},
            timeout=60,
        )
        self.foreign.append(f"{answer.headers}\n\n".encode() + answer.content)


def live_through_a_day_of_texts(deployment: Deployment, foreign_key: str) -> TextDay:
    texts, agent = Texts(), TellingAgent()
    with agent.serving():
        people = People(deployment, agent)
        _set_up(deployment, agent, texts)
        ids = [_work_with_everybody(people, texts), _give_on(people, texts)]
        ids += [_fail_and_redrive(people, texts), _be_refused(people, texts)]
        ids.append(_send_what_is_not_taken(people, texts))
        for activity_id in ids:
            _read_as_operator(deployment, activity_id)
            _read_as_others(people, activity_id, foreign_key)
        _put_credentials_into_urls(people, texts, ids[0])
    for at, dispatch in enumerate(agent.dispatches):
        texts.whole(f"dispatched token {at}", Kind.NOWHERE, dispatch.pop("taskToken"))
    places = [(f"dispatch {at}", json.dumps(each).encode()) for at, each in _numbered(agent)]
    places += [(f"answer of the agent {at}", each) for at, each in enumerate(people.answers)]
    places += [(f"foreign answer {at}", each) for at, each in enumerate(people.foreign)]
    return TextDay(activity_ids=ids, texts=texts.all, places=places)


def _numbered(agent: TellingAgent) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(agent.dispatches)


def _set_up(deployment: Deployment, agent: TellingAgent, texts: Texts) -> None:
    front = "---\nname: canary_told\ndescription: Use when asked.\n---\n"
    skill = {
        "content": front + texts.content("skill"),
        "references": [{"name": "tone.md", "content": texts.content("skill's reference")}],
    }
    deployment.call("PUT", "/v1/skills/canary_told", skill)
    adapter = {"type": "webhook", "url": agent.url}
    teller = {
        "adapter": adapter,
        "skills": ["canary_told"],
        "system_prompt": texts.content("system prompt", "dispatch"),
    }
    deployment.call("PUT", f"/v1/agents/{TELLER}", teller)
    deployment.call("PUT", f"/v1/agents/{OTHER}", {"adapter": adapter})


def _work_with_everybody(people: People, texts: Texts) -> str:
    """An activity that goes through a review, a blocker, an approval and a subtask."""
    deployment = people.deployment
    started = {
        "agent_role": TELLER,
        "title": texts.label("title"),
        "message": texts.content("message", "dispatch"),
        "context": {"note": texts.content("context", "dispatch")},
        "tags": ["canary"],
    }
    activity_id = str(deployment.call("POST", "/v1/activities", started)["activity_id"])
    _first_run(people, texts, activity_id)
    _second_run(people, texts, activity_id)
    _third_run(people, texts, activity_id)
    _fourth_run(people, texts, activity_id)
    run = people.dispatched(activity_id, 5)
    people.say(run, "GET", "context")
    large = texts.kept("large result", "object", "answer") + "x" * LARGE_CHARACTERS
    people.said(run, "result", {"status": "success", "text": large})
    deployment.wait_for_end(activity_id)
    people.say(run, "POST", "result", {"status": "error", "error": texts.refused("second result")})
    return activity_id


def _first_run(people: People, texts: Texts, activity_id: str) -> None:
    deployment, run = people.deployment, people.dispatched(activity_id)
    people.say(run, "GET", "context")
    for path in (f"/skills/{TELLER}", f"/skills/{TELLER}/canary_told"):
        people.send("GET", path, f"Bearer {run['taskToken']}", people.answers)
    delta = {"delta": texts.content("delta"), "sequenceNum": 1}
    people.said(run, "stream", delta)
    people.say(run, "POST", "stream", {**delta, "delta": texts.refused("another delta")})
    bearer = texts.content("bearer token in a tool call")
    call = {
        "toolName": texts.label("tool's name"),
        "method": texts.label("tool's method"),
        "input": {"headers": {"Authorization": f"Bearer {bearer}"}},
        "output": [{"text": texts.content("tool's output")}],
        "status": "error",
        "error": texts.content("tool's error"),
        "durationMs": 1,
    }
    people.said(run, "tool-call", call)
    people.said(run, "actions/add-comment", {"text": texts.content("agent's comment")})
    session = {
        "sessionId": texts.content("session", "dispatch"),
        "activityRunId": run["runId"],
        "inputTokensSoFar": 1,
        "outputTokensSoFar": 1,
    }
    path = f"/v1/agents/{TELLER}/keys"
    key = texts.whole("teller's key", Kind.NOWHERE, _issued(deployment, path))
    people.send("PUT", f"/sessions/{TELLER}", f"ApiKey {key}", people.answers, session)
    review = {
        "title": texts.label("review's title"),
        "description": texts.content("review's description"),
        "contentRef": texts.content("review's content"),
    }
    approval_id = people.said(run, "actions/request-review", review)["approvalId"]
    result = {
        "status": "success",
        "text": texts.content("result"),
        "metadata": {"note": texts.kept("result's metadata", "row")},
    }
    people.said(run, "result", result)
    deployment.call("GET", "/v1/inbox")
    deployment.agentruns("inbox")
    comment = {"text": texts.content("operator's comment")}
    deployment.call("POST", f"/v1/activities/{activity_id}/comments", comment)
    decision = {"decision": "rejected", "note": texts.content("rejection's note")}
    deployment.call("POST", f"/v1/approvals/{approval_id}/decision", decision)


def _second_run(people: People, texts: Texts, activity_id: str) -> None:
    deployment, run = people.deployment, people.dispatched(activity_id, 2)
    people.say(run, "GET", "context")
    blocker = {
        "blockerType": "channel_auth_expired",
        "description": texts.content("blocker's description"),
        "resolution": texts.content("blocker's resolution"),
        "channelId": texts.content("channel"),
    }
    people.said(run, "actions/report-blocker", blocker)
    failure = {"status": "error", "error": texts.content("error of a blocked run")}
    people.said(run, "result", failure)
    deployment.call("GET", "/v1/inbox")
    wait_id = deployment.record(activity_id).waits[-1].wait_id
    note = {"note": texts.content("resolution's note")}
    deployment.call("POST", f"/v1/human-tasks/{wait_id}/resolve", note)


def _third_run(people: People, texts: Texts, activity_id: str) -> None:
    deployment, run = people.deployment, people.dispatched(activity_id, 3)
    people.say(run, "GET", "context")
    chosen = texts.label("chosen option")
    approval = {
        "title": texts.label("approval's title"),
        "type": "channel_action",
        "description": texts.content("approval's description"),
        "options": [chosen, texts.content("other option")],
    }
    approval_id = people.said(run, "actions/create-approval", approval)["approvalId"]
    people.said(run, "result", {"status": "success", "text": "ready"})
    decision = {
        "decision": "approved",
        "option": chosen,
        "note": texts.content("approval's note"),
    }
    path = f"/v1/approvals/{approval_id}/decision"
    refused = texts.refused("option that is none")
    deployment.request("POST", path, {**decision, "option": refused})
    deployment.call("POST", path, decision)
    deployment.request("POST", path, {**decision, "note": texts.refused("note that is late")})


def _fourth_run(people: People, texts: Texts, activity_id: str) -> None:
    run = people.dispatched(activity_id, 4)
    people.say(run, "GET", "context")
    subtask = {
        "title": texts.label("subtask's title"),
        "agentRole": OTHER,
        "prompt": texts.content("subtask's prompt", "dispatch"),
    }
    child_id = people.said(run, "actions/create-subtask", subtask)["subtaskActivityId"]
    people.said(run, "result", {"status": "success", "text": "halfway"})
    child = people.dispatched(child_id)
    output = {"status": "success", "text": texts.content("subtask's output")}
    people.say(child, "GET", "context")
    people.said(child, "result", output)


def _give_on(people: People, texts: Texts) -> str:
    """To a person, whose note is the output."""
    deployment = people.deployment
    body = {"agent_role": TELLER, "message": "Write"}
    activity_id = str(deployment.call("POST", "/v1/activities", body)["activity_id"])
    run = people.dispatched(activity_id)
    given_on = {"toUserId": "usr_1", "reason": texts.content("reason to give it on")}
    successor = people.said(run, "actions/reassign", given_on)["newActivityId"]
    record = deployment.wait_for(successor, is_parked)
    note = {"note": texts.content("person's work")}
    path = f"/v1/human-tasks/{record.waits[-1].wait_id}/resolve"
    deployment.call("POST", path, note)
    deployment.wait_for_end(successor)
    _read_as_operator(deployment, successor)
    return activity_id


def _fail_and_redrive(people: People, texts: Texts) -> str:
    """Fails by the agent's word; what comes after it is cancelled."""
    deployment = people.deployment
    body = {"agent_role": TELLER, "message": "Write"}
    activity_id = str(deployment.call("POST", "/v1/activities", body)["activity_id"])
    run = people.dispatched(activity_id)
    failure = {"status": "error", "error": texts.content("error")}
    people.said(run, "result", failure)
    deployment.wait_for_end(activity_id)
    again = {"reason": texts.label("reason to redrive")}
    path = f"/v1/activities/{activity_id}/redrive"
    successor = str(deployment.call("POST", path, again)["activity_id"])
    run = people.dispatched(successor)
    reason = {"reason": texts.content("reason to cancel")}
    deployment.call("POST", f"/v1/activities/{successor}/cancel", reason)
    deployment.wait_for_end(successor)
    late = {"status": "success", "text": texts.kept("late result that is evidence", "answer")}
    people.say(run, "POST", "result", late)
    _read_as_operator(deployment, successor)
    return activity_id


def _be_refused(people: People, texts: Texts) -> str:
    """The agent takes no dispatch, and says why."""
    role, deployment = "canary_refuser", people.deployment
    people.agent.refuses[role] = texts.refusal("refusal")
    adapter = {"type": "webhook", "url": people.agent.url}
    deployment.call("PUT", f"/v1/agents/{role}", {"adapter": adapter})
    body = {"agent_role": role, "message": texts.kept("refused message", "row", "dispatch")}
    activity_id = str(deployment.call("POST", "/v1/activities", body)["activity_id"])
    deployment.wait_for_end(activity_id)
    return activity_id


def _send_what_is_not_taken(people: People, texts: Texts) -> str:
    """Bodies with a text in a wrong place: answer and log name the place."""
    deployment = people.deployment
    body = {"agent_role": TELLER, "message": "Write"}
    activity_id = str(deployment.call("POST", "/v1/activities", body)["activity_id"])
    run = people.dispatched(activity_id)
    wrong: list[tuple[str, Any]] = [
        ("stream", {"delta": [texts.refused("delta in a list")], "sequenceNum": 1}),
        ("stream", {"delta": "x", "sequenceNum": texts.refused("number")}),
        ("stream", {"delta": texts.refused("long delta") + "x" * 70_000, "sequenceNum": 1}),
        ("tool-call", {"toolName": "x", "status": texts.refused("tool call's status")}),
        ("result", {"status": texts.refused("result's status"), "text": "x"}),
        ("result", {"status": "success", "text": {"x": texts.refused("result in an object")}}),
        ("result", '{"status": "success", "text": "' + texts.refused("broken JSON")),
        ("actions/report-blocker", {"blockerType": texts.refused("blocker's type")}),
        ("actions/create-subtask", {"agentRole": texts.refused("subtask's role")}),
        ("actions/reassign", {"toUserId": texts.refused("user"), "reason": "x"}),
        ("actions/create-approval", {"type": texts.refused("approval's type"), "title": "x"}),
        (f"actions/{quote(texts.refused('action'), safe='')}", {}),
    ]
    for what, sent in wrong:
        refused = people.say(run, "POST", what, sent)
        assert refused["status"] >= 400, (what, refused)
    deployment.request("POST", "/v1/activities", {"agent_role": texts.refused("role")})
    deployment.request("POST", "/v1/activities", {"agent_role": [texts.refused("role in a list")]})
    people.said(run, "result", {"status": "success", "text": "done"})
    deployment.wait_for_end(activity_id)
    return activity_id


def _read_as_operator(deployment: Deployment, activity_id: str) -> None:
    deployment.call("GET", f"/v1/activities/{activity_id}")
    deployment.call("GET", f"/v1/activities/{activity_id}/comments")
    deployment.call("GET", "/v1/activities?agent_role=canary_teller")
    deployment.call("GET", f"/v1/agents/{TELLER}")
    deployment.call("GET", "/v1/skills/canary_told")
    for run in deployment.record(activity_id).runs:
        deployment.call("GET", f"/v1/runs/{run.run_id}")
        deployment.call("GET", f"/v1/runs/{run.run_id}/tool-calls")
        deployment.request("GET", f"/v1/runs/{run.run_id}/output")
        for accept in ("application/json", "text/event-stream"):
            path = f"/v1/runs/{run.run_id}/events"
            deployment.request("GET", path, headers={"Accept": accept})
    deployment.agentruns("show", activity_id)
    deployment.agentruns("events", activity_id)
    deployment.agentruns("watch", activity_id)


def _read_as_others(people: People, activity_id: str, foreign_key: str) -> None:
    """Another tenant, nobody, and another run of this tenant."""
    record = people.deployment.record(activity_id)
    paths = [f"/v1/activities/{activity_id}", f"/v1/activities/{activity_id}/comments"]
    paths += ["/v1/activities", "/v1/inbox", f"/v1/agents/{TELLER}", "/v1/skills/canary_told"]
    for run in record.runs:
        url = f"/v1/runs/{run.run_id}"
        paths += [url, f"{url}/events", f"{url}/tool-calls", f"{url}/output"]
    for path in paths:
        for key in (foreign_key, "", "opk_none"):
            people.ask("GET", path, key)
    for wait in record.waits:
        for key in (foreign_key, ""):
            body = {"decision": "approved"}
            people.ask("POST", f"/v1/approvals/{wait.wait_id}/decision", key, body)
            people.ask("POST", f"/v1/human-tasks/{wait.wait_id}/resolve", key)
    other = next(each for each in people.agent.dispatches if each["agentRole"] == OTHER)
    for run in record.runs:
        for what in ("context", "status"):
            path = f"/runs/{run.run_id}/{what}"
            people.send("GET", path, f"Bearer {other['taskToken']}", people.foreign)
    for path in (
        f"/skills/{TELLER}",
        f"/skills/{TELLER}/canary_told",
        f"/sessions/{TELLER}/latest",
    ):
        people.send("GET", path, f"Bearer {other['taskToken']}", people.foreign)


def _put_credentials_into_urls(people: People, texts: Texts, activity_id: str) -> None:
    """Where they do not belong: no answer says them back, and no log line has them."""
    deployment = people.deployment
    issued = {"name": "canary-url", "scopes": ["read"]}
    key = texts.whole(
        "operator key in a URL", Kind.NOWHERE, _issued(deployment, "/v1/operator-keys", issued)
    )
    run_id = deployment.record(activity_id).current_run.run_id
    token = people.agent.dispatches[-1]["taskToken"]
    stray = texts.whole("text in a URL", Kind.NOWHERE, f"{uuid.uuid4().hex}{uuid.uuid4().hex}")
    wrong = [key, token, stray, texts.refused("text in a URL that is no name")]
    others = itertools.cycle(("POST", "DELETE", "PUT"))
    for value in wrong:
        part = quote(value, safe="")
        for path in (
            f"/v1/{part}",
            f"/v1/activities/{part}",
            f"/v1/activities/{part}/cancel",
            f"/v1/activities/{activity_id}/{part}",
            f"/v1/runs/{part}/events",
            f"/v1/connections/{part}",
            f"/v1/agents/{part}",
            f"/v1/agents/{part}/keys/{part}",
            f"/v1/skills/{part}",
            f"/v1/schedules/{part}",
            f"/v1/operator-keys/{part}",
            f"/v1/approvals/{part}/decision",
            f"/v1/human-tasks/{part}/resolve",
            f"/v1/activities?cursor={part}&status={part}&limit={part}",
            f"/v1/activities?{part}=1&agent_role={part}&tag={part}",
            f"/v1/runs/{run_id}/events?after={part}",
            f"/v1/runs/{run_id}/output?sha256={part}",
            f"/v1/runs/{run_id}/tool-calls?cursor={part}",
            f"/v1/inbox?cursor={part}",
        ):
            for method in ("GET", next(others)):
                deployment.request(method, path, {} if method in {"POST", "PUT"} else None)
            if value == key:
                people.ask("GET", path, "")
        for path in (
            f"/{part}",
            f"/runs/{part}/context",
            f"/runs/{run_id}/actions/{part}",
            f"/skills/{part}",
            f"/skills/{TELLER}/{part}",
            f"/sessions/{part}/latest?{part}={part}",
            f"/health/{part}",
        ):
            for method in ("GET", "POST"):
                people.send(method, path, f"Bearer {token}", people.answers, {})
                people.send(method, path, f"ApiKey {key}", people.foreign, {})


def _issued(deployment: Deployment, path: str, body: Any = None) -> str:
    """A key, which is shown this once: past the session's record of answers."""
    answer = requests.post(
        deployment.info.api_url + path,
        json=body,
        headers={"Authorization": f"ApiKey {deployment.info.operator_key}"},
        timeout=60,
    )
    assert answer.ok, f"{path}: {answer.status_code}"
    return str(answer.json()["key"])
