"""The operator API over HTTP: one session, typed errors, retries only where they do no harm.

Owner of the retries: `_send`. It repeats a GET, and a POST that carries an Idempotency-Key, after a
failed connection, 429, 502, 503 or 504; nothing else. Connect 3 s, read 30 s. Redirects are not
followed, so that the key never leaves for another host. Not here: which API it is (target.py).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.auth import AuthBase

from agentruns_cli.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    FieldError,
    NotAuthorized,
    NotFound,
    Problem,
    RequestRefused,
    UsageFault,
    error_for_status,
)
from agentruns_cli.next_steps import where_it_stands, where_to_look
from agentruns_cli.surroundings import Clock
from agentruns_cli.target import Target
from agentruns_cli.views import JsonObject

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 30.0
MAX_ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.3
LONGEST_RETRY_AFTER_SECONDS = 10.0
EVENTS_PER_PAGE = 100
OUTPUT_PIECE_BYTES = 2_000_000

_REPEATABLE_STATUSES = frozenset({429, 502, 503, 504})
_IN_FLIGHT_STATUS = 409
_PARTIAL_STATUS = 206
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPiece:
    """Some of an output's text, and how many bytes all of it has."""

    text: str
    size_bytes: int


class ApiClient:
    """The operator API. Every method raises ApiError where the answer is not a success."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._session = requests.Session()
        self._session.auth = _OperatorKey(target.operator_key)
        self._session.headers["Accept"] = "application/json"
        self._session.headers["User-Agent"] = "agentruns-cli"
        # A proxy in the environment must not get the key of an API on this machine.
        self._session.trust_env = not target.is_loopback

    def put_connection(self, name: str, document: Mapping[str, Any]) -> JsonObject:
        return self._send("PUT", _path("connections", name), body=document)

    def get_connection(self, name: str) -> JsonObject:
        return self._send("GET", _path("connections", name))

    def put_connection_limits(self, name: str, limits: Mapping[str, Any]) -> JsonObject:
        return self._send("PUT", _path("connections", name, "limits"), body=limits)

    def list_connections(self) -> JsonObject:
        return self._send("GET", _path("connections"))

    def delete_connection(self, name: str) -> JsonObject:
        return self._send("DELETE", _path("connections", name))

    def check_connection(self, name: str) -> JsonObject:
        return self._send("POST", _path("connections", name, "check"))

    def put_agent(self, role: str, document: Mapping[str, Any]) -> JsonObject:
        return self._send("PUT", _path("agents", role), body=document)

    def list_agents(self) -> JsonObject:
        return self._send("GET", _path("agents"))

    def rotate_signing_secret(self, role: str) -> JsonObject:
        return self._send("POST", _path("agents", role, "signing-secret"))

    def delete_agent(self, role: str) -> JsonObject:
        return self._send("DELETE", _path("agents", role))

    def check_agent_health(self, role: str) -> JsonObject:
        return self._send("GET", _path("agents", role, "health"))

    def probe_agent(self, role: str) -> JsonObject:
        return self._send("POST", _path("agents", role, "probe"))

    def issue_agent_key(self, role: str, document: Mapping[str, Any]) -> JsonObject:
        return self._send("POST", _path("agents", role, "keys"), body=document)

    def list_agent_keys(self, role: str) -> JsonObject:
        return self._send("GET", _path("agents", role, "keys"))

    def revoke_agent_key(self, role: str, key_id: str) -> JsonObject:
        return self._send("DELETE", _path("agents", role, "keys", key_id))

    def put_skill(self, name: str, document: Mapping[str, Any]) -> JsonObject:
        return self._send("PUT", _path("skills", name), body=document)

    def get_skill(self, name: str) -> JsonObject:
        return self._send("GET", _path("skills", name))

    def list_skills(self) -> JsonObject:
        return self._send("GET", _path("skills"))

    def delete_skill(self, name: str) -> JsonObject:
        return self._send("DELETE", _path("skills", name))

    def start_activity(self, body: Mapping[str, Any], *, idempotency_key: str) -> JsonObject:
        return self._send("POST", _path("activities"), body=body, idempotency_key=idempotency_key)

    def get_activity(self, activity_id: str) -> JsonObject:
        return self._send("GET", _path("activities", activity_id))

    def list_activities(self, filters: Mapping[str, str | int | None]) -> JsonObject:
        return self._send("GET", _path("activities"), query=filters)

    def cancel_activity(self, activity_id: str, *, reason: str | None) -> JsonObject:
        body = {"reason": reason} if reason else {}
        return self._send("POST", _path("activities", activity_id, "cancel"), body=body)

    def redrive_activity(
        self, activity_id: str, body: Mapping[str, Any], *, idempotency_key: str
    ) -> JsonObject:
        path = _path("activities", activity_id, "redrive")
        return self._send("POST", path, body=body, idempotency_key=idempotency_key)

    def redrive_activities(self, body: Mapping[str, Any]) -> JsonObject:
        return self._send("POST", _path("activities", "redrive"), body=body)

    def list_inbox(self, query: Mapping[str, str | int | None]) -> JsonObject:
        return self._send("GET", _path("inbox"), query=query)

    def decide_approval(self, approval_id: str, decision: Mapping[str, Any]) -> JsonObject:
        return self._send("POST", _path("approvals", approval_id, "decision"), body=decision)

    def resolve_human_task(self, task_id: str, body: Mapping[str, Any]) -> JsonObject:
        return self._send("POST", _path("human-tasks", task_id, "resolve"), body=body)

    def add_comment(
        self, activity_id: str, body: Mapping[str, Any], *, idempotency_key: str
    ) -> JsonObject:
        path = _path("activities", activity_id, "comments")
        return self._send("POST", path, body=body, idempotency_key=idempotency_key)

    def all_comments(self, activity_id: str) -> Iterator[JsonObject]:
        """The whole thread, oldest first, page by page."""
        after: str | None = None
        while True:
            path = _path("activities", activity_id, "comments")
            page = self._send("GET", path, query={"after": after, "limit": EVENTS_PER_PAGE})
            yield from page.get("items", [])
            after = page.get("next_after")
            if after is None:
                return

    def resolve_run(self, run_id: str, finding: Mapping[str, Any]) -> JsonObject:
        return self._send("POST", _path("runs", run_id, "resolve"), body=finding)

    def events_page(self, run_id: str, *, after: int | str, limit: int | None = None) -> JsonObject:
        query = {"after": after or None, "limit": limit}
        return self._send("GET", _path("runs", run_id, "events"), query=query)

    def all_events(self, run_id: str, *, after: int | str = 0) -> Iterator[JsonObject]:
        """The run's log from the cursor `after` on, page by page."""
        position: int | str | None = after
        seen: set[int | str | None] = {None}
        while position not in seen and position is not None:
            seen.add(position)
            page = self.events_page(run_id, after=position, limit=EVENTS_PER_PAGE)
            yield from page.get("items", [])
            following = page.get("next_after")
            position = following if isinstance(following, int | str) else None

    def read_output(
        self, run_id: str, first: int, last: int, *, sha256: str | None = None
    ) -> OutputPiece:
        """The bytes from `first` to `last` of a run's output; fewer where it ends before."""
        path = _path("runs", run_id, "output")
        response = self._exchange(
            "GET", path, query={"sha256": sha256}, wanted_range=f"bytes={first}-{last}"
        )
        if not response.ok or response.is_redirect:
            raise self._refusal(response, path)
        size = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status_code != _PARTIAL_STATUS or not size.isdecimal():
            raise self._not_this_api(response, "it does not know ranges")
        return OutputPiece(text=response.content.decode("ascii"), size_bytes=int(size))

    def all_output(self, run_id: str, *, sha256: str | None = None) -> Iterator[str]:
        """A run's output, piece by piece."""
        position, size_bytes = 0, 1
        while position < size_bytes:
            last = position + OUTPUT_PIECE_BYTES - 1
            piece = self.read_output(run_id, position, last, sha256=sha256)
            yield piece.text
            position, size_bytes = position + max(1, len(piece.text)), piece.size_bytes

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int | None] | None = None,
        idempotency_key: str | None = None,
    ) -> JsonObject:
        response = self._exchange(
            method, path, body=body, query=query, idempotency_key=idempotency_key
        )
        return self._read(response, path)

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int | None] | None = None,
        idempotency_key: str | None = None,
        wanted_range: str | None = None,
    ) -> requests.Response:
        may_repeat = method == "GET" or idempotency_key is not None
        attempts = MAX_ATTEMPTS if may_repeat else 1
        for attempt in range(1, attempts + 1):
            is_last = attempt == attempts
            try:
                response = self._session.request(
                    method,
                    self._target.api_url + path,
                    params={
                        key: value for key, value in (query or {}).items() if value is not None
                    },
                    data=None if body is None else json.dumps(body).encode(),
                    headers=_headers(body, idempotency_key, wanted_range),
                    timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                if is_last:
                    raise self._unreachable(error) from error
                self._clock.sleep(_backoff_seconds(attempt))
                continue
            # After a repetition, "a twin is in flight" speaks of this command's own first attempt.
            own_twin = attempt > 1 and response.status_code == _IN_FLIGHT_STATUS
            if is_last or not (response.status_code in _REPEATABLE_STATUSES or own_twin):
                return response
            self._clock.sleep(_retry_after_seconds(response) or _backoff_seconds(attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read(self, response: requests.Response, path: str) -> JsonObject:
        if response.status_code == 204:
            return {}
        if not response.ok or response.is_redirect:
            raise self._refusal(response, path)
        answer = _json_object(response)
        if answer is None:
            raise self._not_this_api(response, "the answer is not a JSON object")
        return answer

    def _refusal(self, response: requests.Response, path: str) -> ApiError:
        if response.is_redirect:
            return self._not_this_api(
                response, f"it redirects to {response.headers.get('Location')}"
            )
        error_class = error_for_status(response.status_code)
        return error_class(_problem(response), next_step=self._next_step(error_class, path))

    def _unreachable(self, error: requests.RequestException) -> ApiUnavailable:
        kind = (
            "did not answer in time" if isinstance(error, requests.Timeout) else "is not reachable"
        )
        problem = Problem(
            title=f"The API {kind}",
            detail=f"{self._target.api_url} ({type(error).__name__}; from {self._target.origin})",
        )
        return ApiUnavailable(problem, next_step=self._next_step(ApiUnavailable, ""))

    def _not_this_api(self, response: requests.Response, reason: str) -> ApiUnavailable:
        detail = f"{self._target.api_url} answered HTTP {response.status_code}, but {reason}"
        return ApiUnavailable(
            Problem(
                title="This is not an agentruns API", detail=detail, status=response.status_code
            ),
            next_step=f"Check the address that {self._target.origin} names.",
        )

    def _next_step(self, error_class: type[ApiError], path: str) -> str:
        if error_class is NotFound:
            return where_to_look(path)
        if error_class is NotAuthorized:
            if self._target.is_embedded:
                return "The embedded stack was started anew? `agentruns up` writes its current key."
            return f"Check the key in {self._target.key_origin}."
        if error_class is ApiUnavailable:
            if self._target.is_embedded:
                return "See `agentruns status`; start the embedded stack with `agentruns up`."
            return f"Try again in a moment; check the address that {self._target.origin} names."
        if error_class is Conflict:
            return where_it_stands(path)
        if error_class is RequestRefused:
            return "Correct what is named above and send it again."
        return ""


class _OperatorKey(AuthBase):
    """Sets the header itself, so that a .netrc cannot replace it."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"ApiKey {self._key}"
        return request


def _path(*segments: str) -> str:
    for segment in segments:
        if not _SEGMENT.match(segment):
            raise UsageFault(
                f"{segment!r} is not an id or a name",
                "those start with a letter or a digit and go on with letters, digits, _ and -",
            )
    return "/v1/" + "/".join(segments)


def _headers(
    body: Mapping[str, Any] | None, idempotency_key: str | None, wanted_range: str | None
) -> dict[str, str]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    if wanted_range is not None:
        headers["Range"] = wanted_range
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    return headers


def _backoff_seconds(attempt: int) -> float:
    return float(FIRST_BACKOFF_SECONDS * 3 ** (attempt - 1))


def _retry_after_seconds(response: requests.Response) -> float:
    """The server's wish in seconds, clamped; 0 where there is none or it is a date."""
    wish = response.headers.get("Retry-After", "")
    return min(float(wish), LONGEST_RETRY_AFTER_SECONDS) if wish.isdecimal() else 0.0


def _json_object(response: requests.Response) -> JsonObject | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _problem(response: requests.Response) -> Problem:
    """The problem an answer carries; API Gateway's own answers say only `message`."""
    body = _json_object(response) or {}
    errors = body.get("errors")
    return Problem(
        title=str(
            body.get("title") or f"HTTP {response.status_code} {response.reason or ''}".strip()
        ),
        detail=str(body.get("detail") or body.get("message") or body.get("Message") or ""),
        status=response.status_code,
        request_id=body.get("request_id") or response.headers.get("x-amzn-RequestId"),
        errors=tuple(
            FieldError(field=str(error.get("field", "")), message=str(error.get("message", "")))
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ),
    )
