"""The agent's calls of the Agent API, each written down with its answer.

As a careful agent does: a broken connection, a 5xx and a 429 are sent again; any other answer
stands. Not here: what is called, and when (`conduct`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import requests

from chaos.agents.ledger import AgentLedger
from chaos.books import AgentCall

AT_ONCE = 6
"""Calls of all runs together: an agent is a program on one machine."""

TRIES = 40
LONGEST_PAUSE_SECONDS = 2.0
"""More than a minute in all: as long as a restart takes."""

CALL_SECONDS = 30.0
_TRY_LATER = frozenset({429, 500, 502, 503, 504})


class AgentApi:
    def __init__(self, ledger: AgentLedger) -> None:
        self.ledger = ledger
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def call(
        self,
        dispatch: Mapping[str, Any],
        name: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        token: str = "",
    ) -> AgentCall:
        """`name`: the path below the run. `token`: another than the run's, and a damaged one."""
        url = str(dispatch["contextUrl"]).removesuffix("context") + name
        headers = {"Authorization": f"Bearer {token or dispatch['taskToken']}"}
        if key:
            headers["Idempotency-Key"] = key
        status: int | None = None
        answer: dict[str, Any] = {}
        tries = 0
        while tries < TRIES and (status is None or status in _TRY_LATER):
            if tries:
                time.sleep(min(0.2 * tries, LONGEST_PAUSE_SECONDS))
            tries += 1
            status, answer = self._send("POST" if body is not None else "GET", url, body, headers)
        call = AgentCall(
            run_id=dispatch["runId"],
            name=name.rpartition("/")[2],
            sent=dict(body or {}),
            status=status,
            answer=answer,
            key=key,
            tries=tries,
            is_ours=not token,
        )
        self.ledger.record_call(call)
        return call

    def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int | None, dict[str, Any]]:
        with self._room:
            try:
                answer = requests.request(
                    method, url, json=body, headers=dict(headers), timeout=CALL_SECONDS
                )
                return answer.status_code, dict(answer.json())
            except ValueError:  # a gateway's page, with its status
                return answer.status_code, {}
            except requests.RequestException:
                return None, {}
