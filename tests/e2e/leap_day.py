"""A day of Leap workflows with every mishap, over connections whose key is unique.

Tells what must not show afterwards: secrets (nowhere), and what is a run's own, which belongs in
the table and in the answers of whoever may read it. Not here: where it is looked for (`canaries`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from local.leap_emulator import LeapEmulator
from tests.deployment import Deployment, has_ended, is_parked

DIALECTS = ("workflows", "runs")


@dataclass(frozen=True, slots=True)
class LeapDay:
    """`secrets` and `private` by name."""

    activity_ids: list[str]
    secrets: dict[str, str]
    private: dict[str, str] = field(default_factory=dict)


def live_through_a_day_of_leap(
    deployment: Deployment,
    leap: LeapEmulator,
    *,
    api_key: str,
    wrong_key: str,
    private: Mapping[str, str],
) -> LeapDay:
    """`private`: values for `message`, `input` and `output`."""
    for dialect in DIALECTS:
        document = {"api_key": api_key, "dialect": dialect, "base_url": leap.url}
        name = f"canary-{dialect}"
        deployment.agentruns("connect", "leap", name, "--from-stdin", stdin=json.dumps(document))
        deployment.connect_leap(f"{name}-wrong", leap.url, dialect, api_key=wrong_key)
        for checked in (name, f"{name}-wrong"):
            deployment.call("POST", f"/v1/connections/{checked}/check", {})
            deployment.agentruns("check", checked)
        deployment.request("GET", f"/v1/connections/{name}")
        _send_refused_bodies(deployment, {"provider": "leap", **document}, wrong_key)
    ids = [
        activity_id
        for dialect in DIALECTS
        for activity_id in _start_all(deployment, leap, dialect, private)
    ]
    ids += [
        deployment.start_workflow("wkf_completes", f"canary-{dialect}-wrong")
        for dialect in DIALECTS
    ]
    for activity_id in ids:
        deployment.wait_for(activity_id, lambda seen: has_ended(seen) or is_parked(seen))
    secrets = {"api key": api_key, "wrong api key": wrong_key, **_macs(leap)}
    _knock_at_hooks(leap)
    for activity_id in ids:
        deployment.agentruns("show", activity_id)
        deployment.agentruns("events", activity_id)
    return LeapDay(activity_ids=ids, secrets=secrets, private=dict(private))


def _send_refused_bodies(deployment: Deployment, document: dict[str, str], wrong_key: str) -> None:
    """That hold a key: the answer and the log name fields, never values."""
    url = "/v1/connections/canary-refused"
    deployment.request("PUT", url, {**document, "dialect": document["api_key"]})
    deployment.request("PUT", url, {**document, "api_key": [wrong_key]})
    deployment.request("PUT", url, {**document, "base_url": f"ftp://x/{wrong_key}"})
    deployment.request("PUT", url, data=json.dumps(document)[:-1])


def _start_all(
    deployment: Deployment, leap: LeapEmulator, dialect: str, private: Mapping[str, str]
) -> list[str]:
    faults: dict[str, dict[str, Any]] = {
        "completes": {},
        "fails": {},
        "early": {"operation": "start", "kind": "early"},
        "twice": {"operation": "webhook", "kind": "twice"},
        "forged": {"operation": "webhook", "kind": "forged"},
        "mangled": {"operation": "webhook", "kind": "mangled"},
        "drop": {"operation": "start", "kind": "drop_after_accept"},
        "500": {"operation": "start", "kind": "status", "status": 500},
        "html": {"operation": "start", "kind": "html", "accept": True},
        "401": {"operation": "start", "kind": "status", "status": 401},
        "read-html": {"operation": "read", "kind": "html"},
    }
    ids = []
    for name, fault in faults.items():
        workflow_id = f"wkf_canary_{name}_{dialect}"
        end = {"status": "failed" if name == "fails" else "completed"}
        leap.define_workflow(
            workflow_id,
            [{"status": "running", "seconds": 0.5}, end],
            output={"text": private["output"]},
        )
        if fault:
            leap.add_fault(workflow_id=workflow_id, times=1, **fault)
        body = {"message": private["message"], "context": {"text": private["input"]}}
        ids.append(deployment.start_workflow(workflow_id, f"canary-{dialect}", **body))
    deployment.agentruns(
        "start", "--workflow", "wkf_completes", "--connection", f"canary-{dialect}", "--watch"
    )
    return ids


def _macs(leap: LeapEmulator) -> dict[str, str]:
    """Of each hook's URL the part that lets its caller in."""
    urls = [str(entry.webhook_url) for entry in leap.ledger.starts()]
    return {f"mac {number}": url.rpartition(".")[2] for number, url in enumerate(urls)}


def _knock_at_hooks(leap: LeapEmulator) -> None:
    """With URLs that are good, nearly good and of no route, and with bodies of all kinds."""
    for entry in leap.ledger.starts()[:4]:
        url = str(entry.webhook_url)
        for tried in (url, url[:-1], f"{url}/more", url.replace("/leap/", "/leena/")):
            requests.post(tried, data=b"{", timeout=30)
            requests.get(tried, timeout=30)
            requests.post(tried, json={"id": "rnp_1", "status": "completed"}, timeout=30)
