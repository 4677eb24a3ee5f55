"""What the emulator accepted and what it sent: the other side of the books that a checker joins.

A start is written down before its answer leaves, so a client that never saw an answer still has
it in here. A webhook is written down when its receiver has answered or could not. It holds no
API key, but the inputs and webhook URLs of the starts.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from local.emulation.clock import Clock, control_timestamp
from local.emulation.messages import Request
from local.leap_emulator.runs import Run

MAXIMUM_RECORDED_REQUESTS = 1000
RIGHT_KEY, WRONG_KEY = "(the api key)", "(another key)"


class Operation(StrEnum):
    """The calls of the API."""

    START = "start"
    READ = "read"
    START_BULK = "start_bulk"
    READ_BULK = "read_bulk"


class WebhookOutcome(StrEnum):
    """What became of one webhook; `refused`: not sent, since its URL is not on this machine."""

    ANSWERED = "answered"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEntry:
    """One accepted start. `sequence` counts from 1."""

    sequence: int
    operation: Operation
    at: datetime
    run: Run

    @property
    def webhook_url(self) -> str | None:
        return self.run.request.webhook_url

    def as_document(self) -> dict[str, Any]:
        request = self.run.request
        return {
            "sequence": self.sequence,
            "operation": self.operation.value,
            "at": control_timestamp(self.at),
            "dialect": request.dialect.value,
            "run_id": self.run.run_id,
            "workflow_id": request.workflow_id,
            "webhook_url": request.webhook_url,
            "inputs": request.inputs,
            "input_csv_url": request.input_csv_url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEntry:
    """One webhook that was sent, or was to be. `kind`: `genuine` or what a fault made of it.

    `status`: what its body said, None if no run object. `response_status` and the first
    characters of `response_body`: what the receiver answered, if it did.
    """

    sequence: int
    at: datetime
    run_id: str
    url: str
    kind: str
    attempt: int
    status: str | None
    size_bytes: int
    outcome: WebhookOutcome
    response_status: int | None = None
    response_body: str = ""
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        return self.response_status is not None and 200 <= self.response_status <= 299

    def as_document(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "at": control_timestamp(self.at),
            "run_id": self.run_id,
            "url": self.url,
            "kind": self.kind,
            "attempt": self.attempt,
            "status": self.status,
            "bytes": self.size_bytes,
            "outcome": self.outcome.value,
            "response_status": self.response_status,
            "response_body": self.response_body,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request to the provider's endpoints as it came, whatever became of it.

    `path` before slashes are collapsed, but for those at its beginning, of which the server makes
    one; `body` parsed if it is JSON, else as text, None if empty.
    Header names are lower case; the value of `x-api-key` only says whether it was right.
    """

    operation: Operation
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    def as_document(self) -> dict[str, Any]:
        return {
            "operation": self.operation.value,
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers),
            "body": self.body,
        }


class Ledger:
    """Thread safe. The last 1000 requests are kept, everything else whole."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self.clear()

    def clear(self) -> None:
        with self._changed:
            self._starts: list[StartEntry] = []
            self._webhooks: list[WebhookEntry] = []
            self._requests: deque[RecordedRequest] = deque(maxlen=MAXIMUM_RECORDED_REQUESTS)
            self._received: Counter[Operation] = Counter()
            self._accepted: Counter[Operation] = Counter()
            self._reads: Counter[str] = Counter()
            self._redirects_followed: list[dict[str, Any]] = []

    def record_request(self, operation: Operation, request: Request, *, api_key: str) -> None:
        """Every request that arrived, whatever became of it."""
        headers = dict(request.headers)
        if "x-api-key" in headers:
            headers["x-api-key"] = RIGHT_KEY if headers["x-api-key"] == api_key else WRONG_KEY
        recorded = RecordedRequest(
            operation=operation,
            method=request.method,
            path=request.path,
            headers=headers,
            body=_readable(request.body),
        )
        with self._changed:
            self._received[operation] += 1
            self._requests.append(recorded)

    def record_start(self, run: Run) -> None:
        operation = Operation.START_BULK if run.is_bulk else Operation.START
        with self._changed:
            self._accepted[operation] += 1
            self._starts.append(
                StartEntry(
                    sequence=len(self._starts) + 1, operation=operation, at=self._clock(), run=run
                )
            )

    def record_read(self, run: Run) -> None:
        with self._changed:
            self._accepted[Operation.READ_BULK if run.is_bulk else Operation.READ] += 1
            self._reads[run.run_id] += 1

    def record_webhook(self, **facts: Any) -> WebhookEntry:
        """The fields of a WebhookEntry but its number and time."""
        with self._changed:
            entry = WebhookEntry(sequence=len(self._webhooks) + 1, at=self._clock(), **facts)
            self._webhooks.append(entry)
            self._changed.notify_all()
        return entry

    def record_redirect_followed(self, *, method: str, had_api_key: bool) -> None:
        with self._changed:
            self._redirects_followed.append({"method": method, "had_api_key": had_api_key})

    @property
    def requests(self) -> list[RecordedRequest]:
        with self._changed:
            return list(self._requests)

    def starts(self, webhook: str | None = None) -> list[StartEntry]:
        """Accepted starts; with `webhook` those whose webhook URL has that in it."""
        with self._changed:
            return [
                entry
                for entry in self._starts
                if webhook is None or webhook in (entry.webhook_url or "")
            ]

    def webhooks(self, run_id: str | None = None) -> list[WebhookEntry]:
        with self._changed:
            return [entry for entry in self._webhooks if run_id in (None, entry.run_id)]

    def reads(self, run_id: str) -> int:
        with self._changed:
            return self._reads[run_id]

    def wait_for_webhooks(
        self, count: int = 1, *, run_id: str | None = None, timeout_seconds: float = 5.0
    ) -> list[WebhookEntry]:
        """Returns as soon as there are `count`, of one run or in all. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: len(self.webhooks(run_id)) >= count, timeout_seconds
            ):
                seen = len(self.webhooks(run_id))
                raise TimeoutError(f"{seen} of {count} webhooks after {timeout_seconds:g} s")
            return self.webhooks(run_id)

    def as_document(
        self,
        *,
        operation: Operation | None = None,
        run_id: str | None = None,
        webhook: str | None = None,
    ) -> dict[str, Any]:
        """Starts that pass all filters, and their webhooks; `counts` are always whole."""
        starts = [
            entry
            for entry in self.starts(webhook)
            if operation in (None, entry.operation) and run_id in (None, entry.run.run_id)
        ]
        of_starts = {entry.run.run_id for entry in starts}
        with self._changed:
            return {
                "starts": [entry.as_document() for entry in starts],
                "webhooks": [
                    entry.as_document() for entry in self._webhooks if entry.run_id in of_starts
                ],
                "reads": {run: reads for run, reads in self._reads.items() if run in of_starts},
                "counts": {
                    name.value: {"received": self._received[name], "accepted": self._accepted[name]}
                    for name in Operation
                },
                "redirects_followed": list(self._redirects_followed),
            }


def _readable(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
