"""An embedded stack of its own for the figures, and what they ask of it."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from agentruns.model import ActivityRecord
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.table import DynamoDbTable
from local import stack
from local.demo import CREDENTIALS
from local.stack_files import StackInfo

STATE_DIRECTORY = stack.CHECKOUT / ".local" / "bench-stack"
STACK_NAME = "agentruns-bench"
TENANT = "default"
CONNECTION = "leena"
CONNECTIONS_AT_ONCE = 8
POLLED_AS_ON_AWS = {
    "PollFloorSeconds": "5",
    "PausedPollFloorSeconds": "60",
    "PausedPollCapSeconds": "900",
}
"""The template's defaults, where samconfig's [local] is more eager."""


@dataclass(frozen=True, slots=True)
class BenchStack:
    """A deployed stack and the provider emulator beside it."""

    deployed: StackInfo
    executions: Any
    functions: Any
    store: DynamoDbActivityStore

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The operator API's answer; HTTPError where it refuses."""
        answer = requests.request(
            method,
            self.deployed.api_url + path,
            json=body,
            headers={"Authorization": f"ApiKey {self.deployed.operator_key}"},
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()

    def leena(self, method: str, path: str, body: Any = None) -> Any:
        """The emulator's control endpoints."""
        url = f"{self.deployed.leena_emulator_url}/_emulator/{path}"
        answer = requests.request(method, url, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def define_aop(self, aop_id: str, phases: list[dict[str, Any]]) -> None:
        self.leena("PUT", f"aops/{aop_id}", {"phases": phases})

    def connect(self, url: str = "") -> None:
        """Store the emulator's credentials. No token is minted by that. `url`: of another
        emulator than the stack's own."""
        url = url or self.deployed.leena_emulator_url
        base_urls = {"auth": url, "api": url}
        document = {"provider": "leena", "region": "us-east-1", "base_urls": base_urls}
        self.call("PUT", f"/v1/connections/{CONNECTION}", {**document, **CREDENTIALS})

    def start(self, aop_id: str, **fields: Any) -> str:
        """Open an activity by the API; its id."""
        adapter = {"type": "leena_aop", "connection": CONNECTION, "aop_id": aop_id}
        body = {"adapter": adapter, "message": "measured", **fields}
        return str(self.call("POST", "/v1/activities", body)["activity_id"])

    def start_scheduled(self, aop_id: str, count: int) -> None:
        """Start that many executions at once, as EventBridge Scheduler does."""
        adapter = {"type": "leena_aop", "connection": CONNECTION, "aop_id": aop_id}
        schedule = {"activity": {"adapter": adapter, "message": "measured"}}
        text = self.call("PUT", f"/v1/schedules/{aop_id}", schedule)["scheduler_input"]

        def start(number: int) -> None:
            self.executions.start_execution(
                stateMachineArn=self.deployed.state_machine_arn,
                input=re.sub(r"<aws\.scheduler\.[a-z-]+>", f"{number}", text),
            )

        with ThreadPoolExecutor(CONNECTIONS_AT_ONCE) as threads:
            list(threads.map(start, range(count)))

    def count_running(self, activity_ids: Collection[str] | None = None) -> int:
        """How many executions run: of these activities, or of all."""
        pages = self.executions.get_paginator("list_executions").paginate(
            stateMachineArn=self.deployed.state_machine_arn, statusFilter="RUNNING"
        )
        names = [each["name"] for page in pages for each in page["executions"]]
        # the execution of an activity is named <activity id>-<generation>
        return sum(
            activity_ids is None or name.rpartition("-")[0] in activity_ids for name in names
        )

    def wait_until_ended(
        self, limit_seconds: float, activity_ids: Collection[str] | None = None
    ) -> bool:
        """False where some execution of these activities, or of all, still runs after that time."""
        until = time.monotonic() + limit_seconds
        while self.count_running(activity_ids):
            if time.monotonic() > until:
                return False
            time.sleep(0.5)
        return True

    def activities(self, aop_id: str) -> list[dict[str, Any]]:
        """All activities of that AOP, by the operator API's list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.call("GET", f"/v1/activities?limit=100{cursor}")
            found += [item for item in page["items"] if item["adapter"]["aop_id"] == aop_id]
            if not page.get("next_cursor"):
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def read(self, activity_id: str) -> ActivityRecord:
        """The rows as the functions read them."""
        return self.store.read(TENANT, activity_id)

    def history(self, execution_arn: str) -> list[dict[str, Any]]:
        pages = self.executions.get_paginator("get_execution_history").paginate(
            executionArn=execution_arn
        )
        return [event for page in pages for event in page["events"]]

    def starts_by_activity(self, aop_id: str) -> Counter[str]:
        """From the provider's ledger: accepted starts of each activity."""
        entries = self.leena("GET", "ledger?operation=execute")["entries"]
        return Counter(
            str(entry["context"]["agentruns_run_id"]).removeprefix("run_").rpartition("_")[0]
            for entry in entries
            if entry["aop_id"] == aop_id
        )

    def count_mints(self) -> int:
        return len(self.leena("GET", "ledger?operation=token")["entries"])

    def count_workers_started(self, function: str) -> int:
        """Cold starts of a function since the stack is up, from MiniStack's log."""
        log = (STATE_DIRECTORY / "logs" / "ministack.log").read_text(errors="replace")
        return log.count(f"Lambda worker spawned for {STACK_NAME}-{function} ")


@contextmanager
def bench_stack(
    switches: Mapping[str, str], parameters: Mapping[str, str] = POLLED_AS_ON_AWS
) -> Iterator[BenchStack]:
    """Up for the time of the block, in a state directory of its own; ended whatever happens."""
    try:
        deployed = stack.start(
            STATE_DIRECTORY,
            parameters=parameters,
            ministack_environment=switches,
            stack_name=STACK_NAME,
            quiet=True,
        )
        table = stack.client(deployed, "dynamodb")
        yield BenchStack(
            deployed,
            stack.client(deployed, "stepfunctions"),
            stack.client(deployed, "lambda"),
            DynamoDbActivityStore(DynamoDbTable(deployed.table_name, lambda: table)),
        )
    finally:
        stack.stop(STATE_DIRECTORY, quiet=True)
