"""What an operator of the fault suite does: connects, hires, and opens activities.

As a careful client does it: what may be sent again is, with the same key. Not here: what becomes of
it (`stack`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from agentruns.providers import LeapDialect
from chaos.agents.agent import FaultyAgent
from local.demo import CREDENTIALS
from local.leap_emulator import LeapEmulator
from local.leena_emulator import LeenaEmulator
from local.stack_files import StackInfo

DIALECTS = tuple(dialect.value for dialect in LeapDialect)
REQUESTS_AT_ONCE = 6
TRIES = 8


class RequestRefused(Exception):
    """The API answered a request of the suite with a 4xx: a conflict that is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """`connection` names the provider emulator of its own, `leena`; `leap` has one for each
    dialect, by `connection_to`; `agent` has the roles `writer` and `helper`, once it is hired."""

    deployed: StackInfo
    leena: LeenaEmulator
    leap: LeapEmulator
    agent: FaultyAgent
    connection: str

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The answer's JSON. A broken connection, a 5xx and whatever asks to come again is tried
        again with the same key, as a careful client does. RequestRefused for another 4xx."""
        headers = {"Authorization": f"ApiKey {self.deployed.operator_key}"}
        if key:
            headers["Idempotency-Key"] = key
        for tried in range(1, TRIES + 1):
            try:
                answer = requests.request(
                    method,
                    self.deployed.api_url + path,
                    json=body,
                    headers=headers,
                    timeout=60,
                )
            except (requests.ConnectionError, requests.Timeout):
                if tried == TRIES:
                    raise
            else:
                if answer.ok:
                    return answer.json() if answer.content else None
                if answer.status_code < 500 and "Retry-After" not in answer.headers:
                    raise RequestRefused(f"{method} {path}: {answer.status_code} {answer.text}")
                if tried == TRIES:
                    answer.raise_for_status()
            time.sleep(0.2 * tried)
        raise AssertionError("unreachable: the last try returns or raises")

    def connect(self) -> None:
        urls = {"auth": self.leena.url, "api": self.leena.url}
        body = {"provider": "leena", "region": "us-east-1", "base_urls": urls, **CREDENTIALS}
        self.call("PUT", f"/v1/connections/{self.connection}", body)
        key = self.leap.settings.api_key
        for dialect in DIALECTS:
            body = {"provider": "leap", "dialect": dialect, "base_url": self.leap.url}
            name = self.connection_to(dialect)
            self.call("PUT", f"/v1/connections/{name}", body | {"api_key": key})

    def connection_to(self, dialect: str) -> str:
        """Of Leap."""
        return f"{self.connection}-{dialect}"

    @property
    def connections(self) -> list[str]:
        return [self.connection, *(self.connection_to(dialect) for dialect in DIALECTS)]

    def hire(self) -> None:
        """The agent's roles are stored, each with a retry; it knows their signing secrets."""
        for role in (self.writer, self.helper):
            body = {
                "adapter": {"type": "webhook", "url": f"{self.agent.url}/{role}"},
                "retry": {"max_attempts": 2, "backoff_seconds": 0},
            }
            answer = self.call("PUT", f"/v1/agents/{role}", body)
            self.agent.secrets[role] = answer["signing_secret"]

    @property
    def writer(self) -> str:
        """The role that is asked."""
        return self.connection.replace("-", "_") + "_writer"

    @property
    def helper(self) -> str:
        """The role that the writer gives subtasks to."""
        return self.connection.replace("-", "_") + "_helper"

    def start_many(self, aop_id: str, count: int, batch: str = "") -> list[str]:
        """Open so many activities, each under an Idempotency-Key of its own; their ids. `batch`
        tells the keys of several calls for one AOP apart."""
        adapter = {"type": "leena_aop", "connection": self.connection, "aop_id": aop_id}
        return self._open_many({"adapter": adapter}, aop_id, count, batch)

    def start_workflows(
        self, workflow_id: str, dialect: str, count: int, batch: str = ""
    ) -> list[str]:
        """As `start_many`, over Leap."""
        connection = self.connection_to(dialect)
        adapter = {"type": "leap_workflow", "connection": connection, "workflow_id": workflow_id}
        return self._open_many({"adapter": adapter}, f"{workflow_id}-{dialect}", count, batch)

    def start_agents(self, prompt: str, count: int, batch: str = "") -> list[str]:
        """As `start_many`, by the writer; `prompt` says how it works (`agents.conduct`)."""
        given = {"agent_role": self.writer, "message": prompt}
        return self._open_many(given, prompt.replace(" ", "-"), count, batch)

    def _open_many(self, given: Mapping[str, Any], name: str, count: int, batch: str) -> list[str]:
        def start(number: int) -> str:
            body = {"message": "chaos", "title": f"{name} {number}", **given}
            key = f"{self.connection}-{name}-{batch}-{number}"
            return str(self.call("POST", "/v1/activities", body, key)["activity_id"])

        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
            return list(threads.map(start, range(count)))
