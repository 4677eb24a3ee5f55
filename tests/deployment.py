"""A deployed embedded stack as a test sees it: the API, the rows, the executions, the functions.

Reads rows with the product's own store, on a client of this stack. Not here: starting and stopping
it (`tests/conftest.py`), and what a test expects of it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import requests

from agentruns.errors import StoreConflict
from agentruns.gating import REMEMBERED_SECONDS
from agentruns.ids import execution_name
from agentruns.model import ActivityRecord, Change, Event, Run
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.keys import gate_key
from agentruns.store.table import DynamoDbTable
from local import stack as embedded
from local.leena_emulator import LeenaEmulator
from local.stack_files import StackInfo, StateDirectory

TENANT = "default"
PATIENCE_SECONDS = 60
LOOK_EVERY_SECONDS = 0.15
DEMO_CREDENTIALS = {
    "client_id": "demo-client",
    "client_secret": "demo-secret",
    "username": "demo-user",
    "password": "demo-password",
}
"""Those that an emulator is born with."""


@dataclass(frozen=True, slots=True)
class Execution:
    """`events` are those of GetExecutionHistory. The emulator writes fewer of them than AWS, which
    has a TaskStarted after each TaskScheduled, and a TaskSubmitted where a task waits for its
    callback token."""

    status: str
    error: str
    cause: str
    events: tuple[Mapping[str, Any], ...]

    @property
    def states(self) -> list[str]:
        """The states in the order in which they were entered: one transition each."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events
            if event["type"].endswith("StateEntered")
        ]

    @property
    def tasks(self) -> int:
        return sum(event["type"] == "TaskScheduled" for event in self.events)

    @property
    def history_events_on_aws(self) -> int:
        """Those that are there and those that the emulator leaves out."""
        assert not {"TaskStarted", "TaskSubmitted"} & {event["type"] for event in self.events}
        return len(self.events) + self.tasks + self.states.count("ParkRun")


class Ended(NamedTuple):
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Deployment:
    """The session's stack."""

    info: StackInfo
    state: StateDirectory
    answers: list[bytes] = field(default_factory=list)
    """Whatever the API and the command line said in this session."""
    _clients: dict[str, Any] = field(default_factory=dict)

    # ---- the operator API -----------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | None = None,
    ) -> requests.Response:
        """`key` "" sends none. `data` goes out as it is, `body` as JSON."""
        presented = self.info.operator_key if key is None else key
        sent = {"Authorization": f"ApiKey {presented}"} if presented else {}
        if data is not None:
            sent["Content-Type"] = "application/json"
        answer = requests.request(
            method,
            self.info.api_url + path,
            json=body,
            data=data,
            headers={**sent, **(headers or {})},
            timeout=60,
        )
        self.answers.append(f"{answer.headers}\n\n".encode() + answer.content)
        return answer

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The answer's JSON. Fails the test where it is no success."""
        answer = self.request(method, path, body, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def connect(self, name: str, url: str, key: str | None = None, **credentials: str) -> None:
        body = {
            "provider": "leena",
            "region": "us-east-1",
            "base_urls": {"auth": url, "api": url},
            **DEMO_CREDENTIALS,
            **credentials,
        }
        self.call("PUT", f"/v1/connections/{name}", body, key=key)

    def connect_leap(
        self, name: str, url: str, dialect: str, api_key: str = "", key: str | None = None
    ) -> None:
        """`api_key` "": the one that an emulator is born with."""
        body = {
            "provider": "leap",
            "dialect": dialect,
            "base_url": url,
            "api_key": api_key or self.info.leap_emulator_api_key,
        }
        self.call("PUT", f"/v1/connections/{name}", body, key=key)

    def start_workflow(self, workflow_id: str, connection: str, **body: Any) -> str:
        """The id of the activity that was opened."""
        adapter = {
            "type": "leap_workflow",
            "connection": connection,
            "workflow_id": workflow_id,
        }
        accepted = self.call("POST", "/v1/activities", {"adapter": adapter, **body})
        return str(accepted["activity_id"])

    def start(self, aop_id: str, connection: str, **body: Any) -> str:
        """The id of the activity that was opened."""
        adapter = {"type": "leena_aop", "connection": connection, "aop_id": aop_id}
        accepted = self.call("POST", "/v1/activities", {"adapter": adapter, **body})
        return str(accepted["activity_id"])

    # ---- the command line -----------------------------------------------------------------------

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`agentruns` on this stack, with pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "agentruns_cli", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=embedded.CHECKOUT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{embedded.CHECKOUT}:{embedded.CHECKOUT / 'layers/agentruns'}",
                embedded.STATE_DIRECTORY_VARIABLE: str(self.state.path),
                **environment,
            },
        )

    def end(self, process: subprocess.Popen[str], stdin: str | None = None) -> Ended:
        """Let it come to its end by itself."""
        stdout, stderr = process.communicate(stdin, timeout=PATIENCE_SECONDS)
        self.answers.extend([stdout.encode(), stderr.encode()])
        return Ended(process.returncode, stdout, stderr)

    def agentruns(self, *arguments: str, stdin: str | None = None, **environment: str) -> Ended:
        return self.end(self.begin(*arguments, **environment), stdin)

    # ---- what is stored -------------------------------------------------------------------------

    @property
    def store(self) -> DynamoDbActivityStore:
        table = DynamoDbTable(self.info.table_name, lambda: self.aws("dynamodb"))
        return DynamoDbActivityStore(table)

    def record(self, activity_id: str) -> ActivityRecord:
        return self.store.read(TENANT, activity_id)

    def events(self, activity_id: str) -> tuple[Event, ...]:
        return self.store.list_events(TENANT, activity_id, 0, 1000)

    def wait_for(
        self,
        activity_id: str,
        is_reached: Callable[[ActivityRecord], bool],
        seconds: float = PATIENCE_SECONDS,
    ) -> ActivityRecord:
        """The record as soon as it is as wanted; where it never is, the test fails with it."""
        give_up_at = time.monotonic() + seconds
        while not is_reached(record := self.record(activity_id)):
            if time.monotonic() > give_up_at:
                raise AssertionError(f"not reached in {seconds} s: {record}")
            time.sleep(LOOK_EVERY_SECONDS)
        return record

    def wait_for_end(self, activity_id: str, seconds: float = PATIENCE_SECONDS) -> ActivityRecord:
        return self.wait_for(
            activity_id, lambda record: record.activity.status.is_terminal, seconds
        )

    def let_time_pass(self, activity_id: str) -> Run:
        """The sweeper's time to look at the run has come: its row says so."""
        self.open_gates(activity_id)
        past = datetime.now(UTC) - timedelta(seconds=1)
        while True:
            try:
                run = self.record(activity_id).current_run
                return self.store.save_run(replace(run, due_at=past))
            except StoreConflict:  # a worker was faster
                continue

    def let_waits_expire(self, activity_id: str) -> None:
        """The time of what it waits for is up: its rows say so."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        while True:
            record = self.record(activity_id)
            due = (replace(wait, expires_at=past, due_at=past) for wait in record.waits)
            try:
                self.store.apply(Change(activity=record.activity, waits=tuple(due)))
            except StoreConflict:  # a worker was faster
                continue
            return

    def open_gates(self, activity_id: str) -> None:
        """What closed the activity's connection is over: its rows say so, and memories follow."""
        connection = self.record(activity_id).activity.adapter.connection
        table = DynamoDbTable(self.info.table_name, lambda: self.aws("dynamodb"))
        rows = table.read_all(gate_key(TENANT, connection))
        for row in rows:
            table.delete(row["pk"], row["sk"])
        if rows:
            time.sleep(REMEMBERED_SECONDS)

    def sweep(self) -> dict[str, int]:
        """One tick, now. The deployed minute tick goes on beside it."""
        counts: dict[str, int] = self.invoke("sweep", {})
        return counts

    # ---- executions and functions ---------------------------------------------------------------

    def execution_arn(self, activity_id: str, generation: int = 1) -> str:
        machine = self.info.state_machine_arn.replace(":stateMachine:", ":execution:")
        return f"{machine}:{execution_name(activity_id, generation)}"

    def execution(self, arn: str, *, ended: bool = True) -> Execution:
        """As it is. `ended`: wait until it runs no more, since the row ends a moment before."""
        step_functions = self.aws("stepfunctions")
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            described = step_functions.describe_execution(executionArn=arn)
            if not ended or described["status"] != "RUNNING":
                break
            assert time.monotonic() < give_up_at, f"still running: {arn}"
            time.sleep(LOOK_EVERY_SECONDS)
        history = step_functions.get_execution_history(executionArn=arn, maxResults=1000)
        return Execution(
            status=described["status"],
            error=described.get("error", ""),
            cause=described.get("cause", ""),
            events=tuple(history["events"]),
        )

    def wait_for_state(self, arn: str, state: str) -> Execution:
        """Until the running execution has entered the state last."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (execution := self.execution(arn, ended=False)).states[-1:] != [state]:
            assert execution.status == "RUNNING", execution
            assert time.monotonic() < give_up_at, execution.states
            time.sleep(LOOK_EVERY_SECONDS)
        return execution

    def invoke(self, function: str, event: Any) -> Any:
        """Call the function as it is deployed; its answer. Fails the test where it raises."""
        answer = self.aws("lambda").invoke(
            FunctionName=f"{self.info.stack_name}-{function}", Payload=json.dumps(event).encode()
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def workers(self, function: str) -> list[int]:
        """Process ids of the function's warm workers."""
        folder = f"ministack-lambda-{self.info.stack_name}-{function}-"
        return [pid for pid, command in _processes() if folder in command]

    def aws(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = embedded.client(self.info, service)
        return self._clients[service]


def has_ended(record: ActivityRecord) -> bool:
    return record.activity.status.is_terminal


def is_parked(record: ActivityRecord) -> bool:
    """Its execution waits on the callback token that the row holds."""
    return record.current_run.callback_token is not None


def end_item(leena: LeenaEmulator, record: ActivityRecord, status: str = "completed") -> None:
    """End the provider's item as a person in its dashboard would."""
    item = record.current_run.remote_id
    url = f"{leena.url}/_emulator/items/{item}/status"
    requests.post(url, json={"status": status}, timeout=10).raise_for_status()


def starts_of(leena: LeenaEmulator, record: ActivityRecord) -> list[str]:
    """Of each run of the activity what the provider accepted, by our run id, in order."""
    wanted = {run.run_id for run in record.runs}
    found = [entry.agentruns_run_id for entry in leena.ledger.executes()]
    return [run_id for run_id in found if run_id in wanted]


def _processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
