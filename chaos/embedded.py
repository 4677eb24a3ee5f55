"""The embedded stack of the fault suite: its proxy, its providers, and both sides' books.

One stack serves every scenario: MiniStack keeps its state over a clean stop, its functions call AWS
through microburst, waits take a twentieth of their time. IAM is not enforced, since microburst
rewrites the host that a signature covers; the workflow tests enforce it.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from agentruns.errors import StoreConflict
from agentruns.gate import Door
from agentruns.gating import REMEMBERED_SECONDS
from agentruns.ids import execution_name
from agentruns.model import ActivityRecord, Event
from agentruns.providers import LeapDialect
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.gates import DynamoDbGateStore
from agentruns.store.table import DynamoDbTable
from chaos.checker import Books
from chaos.gates import ended_waits
from chaos.ledgers import starts_of
from chaos.proxy import FaultProxy, fault_proxy
from local import stack as embedded
from local.demo import CREDENTIALS
from local.leap_emulator import LeapEmulator
from local.leena_emulator import LeenaEmulator
from local.processes import LOOPBACK, command_lines, free_port
from local.stack_files import StackInfo, StateDirectory

STATE_DIRECTORY = embedded.CHECKOUT / ".local" / "chaos-stack"
STACK_NAME = "agentruns-chaos"
TENANT = "default"
DIALECTS = tuple(dialect.value for dialect in LeapDialect)
REQUESTS_AT_ONCE = 6
TRIES = 8
LOOK_EVERY_SECONDS = 0.5
SECONDS_AFTER_A_TICK = 120.0
PARAMETERS = {"ScheduleExpression": "cron(0 3 1 1 ? 2099)"}


class RequestRefused(Exception):
    """The API answered a request of the suite with a 4xx: a conflict that is none."""


@dataclass(frozen=True, slots=True)
class ChaosSite:
    """The stack, up; each scenario takes it with providers and connections of its own."""

    deployed: StackInfo
    switches: Mapping[str, str]
    proxy: FaultProxy
    directory: Path

    @contextmanager
    def scenario(self, name: str, seed: int) -> Iterator[ChaosStack]:
        """With providers whose ledgers are empty. The proxy is without rules before and after."""
        self.proxy.set_rules([])
        with LeenaEmulator() as leena, LeapEmulator() as leap:
            stack = ChaosStack(self, leena, leap, connection=f"{name}-{seed}")
            stack.connect()
            try:
                yield stack
            finally:
                self.proxy.set_rules([])


@dataclass(frozen=True, slots=True)
class ChaosStack:
    """A scenario's view: `connection` names the provider emulator of its own, `leena`; `leap` has
    one for each dialect, by `connection_to`."""

    site: ChaosSite
    leena: LeenaEmulator
    leap: LeapEmulator
    connection: str
    _clients: dict[str, Any] = field(default_factory=dict)

    # ---- what an operator does ------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The answer's JSON. A broken connection, a 5xx and whatever asks to come again is tried
        again with the same key, as a careful client does. RequestRefused for another 4xx."""
        headers = {"Authorization": f"ApiKey {self.site.deployed.operator_key}"}
        if key:
            headers["Idempotency-Key"] = key
        for tried in range(1, TRIES + 1):
            try:
                answer = requests.request(
                    method,
                    self.site.deployed.api_url + path,
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

    def start_many(self, aop_id: str, count: int, batch: str = "") -> list[str]:
        """Open so many activities, each under an Idempotency-Key of its own; their ids. `batch`
        tells the keys of several calls for one AOP apart."""
        adapter = {"type": "leena_aop", "connection": self.connection, "aop_id": aop_id}
        return self._open_many(adapter, aop_id, count, batch)

    def start_workflows(
        self, workflow_id: str, dialect: str, count: int, batch: str = ""
    ) -> list[str]:
        """As `start_many`, over Leap."""
        connection = self.connection_to(dialect)
        adapter = {"type": "leap_workflow", "connection": connection, "workflow_id": workflow_id}
        return self._open_many(adapter, f"{workflow_id}-{dialect}", count, batch)

    def _open_many(
        self, adapter: Mapping[str, str], name: str, count: int, batch: str
    ) -> list[str]:
        def start(number: int) -> str:
            body = {"adapter": adapter, "message": "chaos", "title": f"{name} {number}"}
            key = f"{self.connection}-{name}-{batch}-{number}"
            return str(self.call("POST", "/v1/activities", body, key)["activity_id"])

        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
            return list(threads.map(start, range(count)))

    # ---- both sides' books ----------------------------------------------------------------------

    @property
    def store(self) -> DynamoDbActivityStore:
        return DynamoDbActivityStore(self._table)

    @property
    def _table(self) -> DynamoDbTable:
        return DynamoDbTable(self.site.deployed.table_name, lambda: self.aws("dynamodb"))

    def books(self, accepted: Sequence[str]) -> Books:
        """What the rows, the event logs and the providers' ledgers say now, of this scenario."""
        stored = self._stored_activities()
        records = {activity_id: self.store.read(TENANT, activity_id) for activity_id in stored}
        return Books(
            accepted=list(accepted),
            records=records,
            events={activity_id: self.events(activity_id) for activity_id in stored},
            starts=starts_of(self.leena, self.leap),
        )

    def _stored_activities(self) -> list[str]:
        """By the table itself, not by its index: every activity on these connections."""
        pages = (
            self.aws("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.site.deployed.table_name,
                FilterExpression="sk = :meta AND attribute_exists(activity_id)",
                ExpressionAttributeValues={":meta": {"S": "META"}},
            )
        )
        ids = [item["activity_id"]["S"] for page in pages for item in page["Items"]]
        return [
            activity_id
            for activity_id in ids
            if self.store.read(TENANT, activity_id).activity.adapter.connection in self.connections
        ]

    def events(self, activity_id: str) -> Sequence[Event]:
        return self.store.list_events(TENANT, activity_id, 0, 1000)

    # ---- time -----------------------------------------------------------------------------------

    def wait_for_ends(
        self, activity_ids: Sequence[str], seconds: float, *, by_ticks: bool = True
    ) -> list[ActivityRecord]:
        """Until each has ended or visibly waits, or the time is up; those that did neither.

        Parked runs would be looked at when they are due, a minute later or more: here their
        `due_at` is pulled forward and the sweeper called, or else (`by_ticks=False`) the wait ends
        when nothing but parked and dead executions is left.
        """
        give_up_at = time.monotonic() + seconds
        open_ids = list(activity_ids)
        while True:
            records = [self.store.read(TENANT, activity_id) for activity_id in open_ids]
            still_open = [record for record in records if not rests(record)]
            if not still_open or time.monotonic() > give_up_at:
                return still_open
            open_ids = [record.activity.activity_id for record in still_open]
            idle = [record for record in still_open if self.is_idle(record)]
            if idle and by_ticks:
                self.tick(idle)
            elif len(idle) == len(still_open):
                return still_open
            time.sleep(LOOK_EVERY_SECONDS)

    def tick_until_rest(self, activity_ids: Sequence[str], ticks: int) -> int:
        """So many ticks at most, each with time for what it set going; how many were needed."""
        for needed in range(ticks + 1):
            seconds = SECONDS_AFTER_A_TICK if needed else 0
            still_open = self.wait_for_ends(activity_ids, seconds, by_ticks=False)
            if not still_open or needed == ticks:
                break
            self.tick(still_open)
        return needed

    def is_idle(self, record: ActivityRecord) -> bool:
        """Its execution waits on its callback token, or is no more."""
        if record.current_run.callback_token is not None:
            return True
        arn = self.execution_arn(record, record.activity.generation)
        step_functions = self.aws("stepfunctions")
        try:
            return bool(step_functions.describe_execution(executionArn=arn)["status"] != "RUNNING")
        except step_functions.exceptions.ExecutionDoesNotExist:
            return True

    def tick(self, due: Sequence[ActivityRecord]) -> Mapping[str, int]:
        """One tick of the sweeper, for which these activities are due; its counts."""
        self.open_gates()
        for record in due:
            self._make_due(record.activity.activity_id)
        answer = self.aws("lambda").invoke(FunctionName=f"{STACK_NAME}-sweep", Payload=b"{}")
        counts: dict[str, int] = json.loads(answer["Payload"].read())
        return {} if "FunctionError" in answer else counts

    def open_gates(self) -> None:
        """The time for which the connections' gates are closed is over: their rows say so. Failures
        and trips stay counted, so whoever calls first probes."""
        gates, opened = DynamoDbGateStore(self._table), False
        now = datetime.now(UTC)
        for connection, door in itertools.product(self.connections, Door):
            state = gates.read(TENANT, connection, door, consistent=True)
            with suppress(StoreConflict):  # a worker was faster: the next tick looks again
                if (over := ended_waits(state, now)) != state:
                    gates.write(over, now)
                    opened = True
        if opened:
            time.sleep(REMEMBERED_SECONDS)  # so long a worker goes by what it read

    def _make_due(self, activity_id: str) -> None:
        past = datetime.now(UTC) - timedelta(seconds=1)
        while True:
            record = self.store.read(TENANT, activity_id)
            if record.activity.status.is_terminal:
                return
            try:
                self.store.save_run(replace(record.current_run, due_at=past))
            except StoreConflict:  # a worker was faster
                continue
            return

    # ---- machinery ------------------------------------------------------------------------------

    def aws(self, service: str) -> Any:
        """A client that goes to MiniStack directly, not through the proxy."""
        if service not in self._clients:
            self._clients[service] = embedded.client(self.site.deployed, service)
        return self._clients[service]

    def execution_arn(self, record: ActivityRecord, generation: int) -> str:
        machine = self.site.deployed.state_machine_arn.replace(":stateMachine:", ":execution:")
        return f"{machine}:{execution_name(record.activity.activity_id, generation)}"

    def history(self, record: ActivityRecord, generation: int) -> list[Mapping[str, Any]]:
        """The events of that generation's execution; none where it never was."""
        step_functions = self.aws("stepfunctions")
        try:
            pages = step_functions.get_paginator("get_execution_history").paginate(
                executionArn=self.execution_arn(record, generation)
            )
            return [event for page in pages for event in page["events"]]
        except step_functions.exceptions.ExecutionDoesNotExist:
            return []

    def workers(self) -> list[tuple[str, int]]:
        """Function and process id of every Lambda worker, in the order of function and id."""
        # the folder is this stack's own: another one beside it may have the same name
        temporary = StateDirectory(self.site.directory).temporary
        marker = f"{temporary}/ministack-lambda-{STACK_NAME}-"
        found = []
        for pid, command in command_lines():
            if marker in command:
                # the last part of its name is random
                function = command.split(marker, 1)[1].split("/", 1)[0].rpartition("-")[0]
                found.append((function, pid))
        return sorted(found)

    def restart_aws(self) -> None:
        embedded.restart_ministack(self.site.directory, self.site.switches)

    @property
    def log_files(self) -> list[Path]:
        """MiniStack's with its workers' output; two after a restart, the older first."""
        return sorted(StateDirectory(self.site.directory).logs.glob("ministack*.log"))


def rests(record: ActivityRecord) -> bool:
    """It has ended, or visibly waits."""
    return record.activity.status.is_terminal or record.activity.status.value == "blocked"


@contextmanager
def chaos_site(seed: int, note: Callable[[str], None]) -> Iterator[ChaosSite]:
    """Up for the time of the block, in a state directory of its own; ended whatever happens."""
    port = free_port()
    switches = {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "LAMBDA_WARM_TTL_SECONDS": "30",
        "PERSIST_STATE": "1",
        "SFN_WAIT_SCALE": "0.05",
    }
    began = time.monotonic()
    with own_directory(STATE_DIRECTORY) as directory:
        try:
            embedded.stop(directory, quiet=True)
            deployed = embedded.start(
                directory,
                parameters=PARAMETERS,
                ministack_environment=switches,
                stack_name=STACK_NAME,
                quiet=True,
            )
            log_file = StateDirectory(directory).logs / "microburst.log"
            with fault_proxy(port, deployed.endpoint_url, seed, log_file) as proxy:
                note(f"stack up in {time.monotonic() - began:.0f} s")
                yield ChaosSite(deployed, switches, proxy, directory)
        finally:
            embedded.stop(directory, quiet=True)


@contextmanager
def own_directory(usual: Path) -> Iterator[Path]:
    """The usual one, or another while somebody else has it."""
    usual.mkdir(parents=True, exist_ok=True)
    with (usual / "session.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            yield usual
            return
    directory = usual.with_name(f"{usual.name}-{os.getpid()}")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
