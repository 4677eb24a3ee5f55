"""A day of an agent of one's own, with credentials that are all unique.

Tells what must not show afterwards: signing secrets, the header's value, keys and task tokens. What
shows a credential this once is asked for past the session's record of answers. Not here: where it
is looked for (`canaries`).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import requests

from local.reference_agent import ReferenceAgent
from tests.deployment import Deployment

ROLE = "canary_agent"
SKILL = "---\nname: canary_skill\ndescription: Use when asked.\n---\n"


@dataclass(frozen=True, slots=True)
class AgentDay:
    """`secrets` by name."""

    activity_ids: list[str]
    secrets: dict[str, str]


class BusyOnceAgent(ReferenceAgent):
    """Its first answer asks to come again."""

    is_new = True

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        if self.is_new:
            self.is_new = False
            return 503
        return super().take(body, headers)


def live_through_a_day_of_an_agent(deployment: Deployment) -> AgentDay:
    secrets = {"agent header": f"canary-{uuid.uuid4().hex}"}
    with BusyOnceAgent() as agent:
        adapter = {"type": "webhook", "url": agent.url}
        auth = {"header": "X-Canary", "value": secrets["agent header"]}
        body = {"adapter": adapter, "auth": auth, "skills": ["canary_skill"]}
        deployment.call("PUT", "/v1/skills/canary_skill", {"content": SKILL})
        path = f"/v1/agents/{ROLE}"
        secrets["signing secret"] = _unrecorded(deployment, "PUT", path, body)["signing_secret"]
        rotated = _unrecorded(deployment, "POST", f"{path}/signing-secret")["signing_secret"]
        secrets["rotated signing secret"] = agent.signing_secret = rotated
        key = _unrecorded(deployment, "POST", f"{path}/keys", {"name": "canary"})["key"]
        secrets["agent key"] = key
        deployment.call("GET", path)
        deployment.call("GET", f"{path}/keys")
        deployment.request("PUT", path, {**body, "auth": {"header": "Host", **auth}})
        started = {"agent_role": ROLE, "message": "Write"}
        activity_id = str(deployment.call("POST", "/v1/activities", started)["activity_id"])
        deployment.wait_for_end(activity_id)
        comment = {"text": f"@agent:{ROLE} look again"}
        path_of_thread = f"/v1/activities/{activity_id}/comments"
        (notified,) = deployment.call("POST", path_of_thread, comment)["notified"]
        deployment.wait_for_end(notified["activity_id"])
        _call_as_the_agent(deployment, key, agent.dispatches[-1])
        _call_as_the_agent(deployment, key[:-1] + "!", agent.dispatches[-1])
        deployment.call("GET", f"{path}/health")
        deployment.call("DELETE", f"{path}/keys/{key.split('_')[1]}")
    for number, dispatch in enumerate(agent.dispatches):
        secrets[f"task token {number}"] = dispatch["taskToken"]
    return AgentDay(activity_ids=[activity_id, notified["activity_id"]], secrets=secrets)


def _call_as_the_agent(deployment: Deployment, key: str, dispatch: dict[str, Any]) -> None:
    session = {
        "sessionId": "session-1",
        "activityRunId": dispatch["runId"],
        "inputTokensSoFar": 1,
        "outputTokensSoFar": 1,
    }
    calls: list[tuple[str, str, Any]] = [
        ("PUT", f"/sessions/{ROLE}", session),
        ("GET", f"/sessions/{ROLE}/latest", None),
        ("GET", f"/health/{ROLE}", None),
        ("POST", f"/health/{ROLE}/test", None),
        ("GET", f"/skills/{ROLE}", None),
    ]
    token = f"Bearer {dispatch['taskToken']}"
    for method, path, body in calls:
        for credential in (f"ApiKey {key}", token):
            _recorded(deployment, method, f"/agent/v1{path}", credential, body)


def _recorded(deployment: Deployment, method: str, path: str, credential: str, body: Any) -> None:
    answer = requests.request(
        method,
        deployment.info.api_url + path,
        json=body,
        headers={"Authorization": credential},
        timeout=60,
    )
    deployment.answers.append(f"{answer.headers}\n\n".encode() + answer.content)


def _unrecorded(deployment: Deployment, method: str, path: str, body: Any = None) -> Any:
    answer = requests.request(
        method,
        deployment.info.api_url + path,
        json=body,
        headers={"Authorization": f"ApiKey {deployment.info.operator_key}"},
        timeout=60,
    )
    assert answer.ok, f"{method} {path}: {answer.status_code}"
    return answer.json()
