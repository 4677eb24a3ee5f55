"""The operator API as the command sees it: canned answers, and the objects in them."""

import json
from typing import Any

import responses

API_URL = "http://127.0.0.1:4566/local"
OPERATOR_KEY = "key-CANARY-4f1c"
ULID = "01JDAAAAAAAAAAAAAAAAAAAAAA"
ACTIVITY_ID = f"act_{ULID}"
RUN_ID = f"run_{ULID}_1"


def a_run(status: str = "running", **changes: Any) -> dict[str, Any]:
    run = {
        "run_id": RUN_ID,
        "attempt": 1,
        "wake_reason": "new_task",
        "status": status,
        "aop_item_id": "item-77",
        "workflow_run_id": None,
        "provider_run_id": None,
        "reference_id": "REF-9",
        "provider_request_id": None,
        "created_at": "2026-11-22T01:00:00Z",
        "started_at": "2026-11-22T01:00:02Z",
        "initiated_at": None,
        "completed_at": None,
        "ended_at": None,
        "polls": 3,
        "last_checked_at": "2026-11-22T01:02:50Z",
        "next_check_at": "2026-11-22T01:03:20Z",
        "last_problem": None,
        "error": None,
        "output": None,
        "output_bytes": None,
        "output_sha256": None,
        "evidence": [],
    }
    return run | changes


def an_activity(
    status: str = "in_progress", run: Any = "running", **changes: Any
) -> dict[str, Any]:
    """An activity with one run; `run` is its status, a whole run, or None for no run yet."""
    runs = [] if run is None else [a_run(run) if isinstance(run, str) else run]
    activity = {
        "activity_id": ACTIVITY_ID,
        "tenant": "default",
        "agent_role": "it_support",
        "trigger": "api",
        "adapter": {"type": "leena_aop", "connection": "leena", "aop_id": "vpn_access"},
        "title": "Reset the VPN",
        "message": "please",
        "context": {"user": "ada"},
        "tags": ["vpn"],
        "priority": "normal",
        "status": status,
        "created_at": "2026-11-22T01:00:00Z",
        "updated_at": "2026-11-22T01:00:02Z",
        "deadline_at": "2026-11-22T02:00:00Z",
        "ended_at": None,
        "error": None,
        "execution_arn": None,
        "generation": 1,
        "admission": "unlimited",
        "redrive_of": None,
        "redriven_as": None,
        "reassigned_from": None,
        "reassigned_as": None,
        "parent_activity_id": None,
        "mentioned_in": None,
        "runs": runs,
        "waits": [],
    }
    return activity | changes


def an_event(sequence: int, type_: str, run_id: str | None = RUN_ID) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "type": type_,
        "at": "2026-11-22T01:00:02Z",
        "run_id": run_id,
        "detail": {"status": "running"},
    }


def a_problem(status: int, title: str, detail: str = "", **changes: Any) -> dict[str, Any]:
    problem = {
        "type": f"https://agentruns.example/problems/{status}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/v1/anything",
        "request_id": "req-123",
    }
    return problem | changes


class OperatorApi:
    """Registers answers; the last one for a call is repeated. Says what was asked."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self._mock = mock

    def answers(
        self,
        method: str,
        path: str,
        *bodies: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        for body in bodies:
            self._mock.add(method, API_URL + path, json=body, status=status, headers=headers or {})

    def answers_nothing(self, method: str, path: str) -> None:
        self._mock.add(method, API_URL + path, status=204)

    def refuses(self, method: str, path: str, problem: dict[str, Any], **options: Any) -> None:
        self._mock.add(
            method,
            API_URL + path,
            body=json.dumps(problem),
            status=problem["status"],
            content_type="application/problem+json",
            **options,
        )

    def fails(self, method: str, path: str, error: Exception) -> None:
        self._mock.add(method, API_URL + path, body=error)

    @property
    def requests(self) -> list[Any]:
        return [call.request for call in self._mock.calls]

    @property
    def last_body(self) -> Any:
        return json.loads(self.requests[-1].body)

    def bodies(self, method: str) -> list[Any]:
        return [json.loads(r.body) for r in self.requests if r.method == method and r.body]
