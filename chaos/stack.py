"""The stack as a scenario uses it: as an operator, as time, and as whoever reads both sides' books.

Not here: bringing it up (`embedded`), the operator's calls (`operating`), what the agent does
(`agents`).
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agentruns.errors import StoreConflict
from agentruns.gate import Door
from agentruns.gating import REMEMBERED_SECONDS
from agentruns.ids import execution_name
from agentruns.model import ActivityRecord, Change, Event
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.gates import DynamoDbGateStore
from agentruns.store.table import DynamoDbTable
from agentruns.wait import Wait
from chaos.books import Books, LogLine, PersonAnswer
from chaos.gates import ended_waits
from chaos.ledgers import starts_of
from chaos.operating import Operator
from chaos.wait_rules import open_subtasks
from local import stack as embedded
from local.processes import command_lines
from local.stack_files import StateDirectory

STACK_NAME = "agentruns-chaos"
TENANT = "default"
LOOK_EVERY_SECONDS = 0.5
SECONDS_AFTER_A_TICK = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosStack(Operator):
    """A scenario's view, with the providers, the agent and the connections of its own."""

    switches: Mapping[str, str]
    directory: Path
    person_on_duty: threading.Event = field(default_factory=threading.Event)
    """Set while somebody answers what the inbox shows of the agents."""
    _clients: dict[str, Any] = field(default_factory=dict)

    # ---- both sides' books ----------------------------------------------------------------------

    @property
    def store(self) -> DynamoDbActivityStore:
        return DynamoDbActivityStore(self._table)

    @property
    def _table(self) -> DynamoDbTable:
        return DynamoDbTable(self.deployed.table_name, lambda: self.aws("dynamodb"))

    def books(self, accepted: Sequence[str], answers: Sequence[PersonAnswer] = ()) -> Books:
        """What the rows, the event logs and the providers' ledgers say now, of this scenario."""
        records = {record.activity.activity_id: record for record in self.stored_activities()}
        return Books(
            accepted=list(accepted),
            records=records,
            events={activity_id: self.events(activity_id) for activity_id in records},
            starts=starts_of(self.leena, self.leap),
            taken=self.agent.ledger.taken(),
            calls=self.agent.ledger.calls(),
            texts={run_id: self.text(run_id) for run_id in self._streamed()},
            answers=list(answers),
        )

    def stored_activities(self) -> Iterator[ActivityRecord]:
        """By the table itself, not by its index: all on these connections and of these roles."""
        pages = (
            self.aws("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.deployed.table_name,
                FilterExpression="sk = :meta AND attribute_exists(activity_id)",
                ExpressionAttributeValues={":meta": {"S": "META"}},
            )
        )
        ids = [item["activity_id"]["S"] for page in pages for item in page["Items"]]
        for record in (self.store.read(TENANT, activity_id) for activity_id in ids):
            activity = record.activity
            is_own = activity.adapter.connection in self.connections
            if is_own or activity.agent_role in {self.writer, self.helper}:
                yield record

    def _streamed(self) -> set[str]:
        calls = self.agent.ledger.calls()
        return {call.run_id for call in calls if call.name == "stream" and call.is_taken}

    def text(self, run_id: str) -> list[LogLine]:
        """The run's text as an operator reads it from the start, page by page."""
        lines, after = list[LogLine](), "0"
        while after:
            page = self.call("GET", f"/v1/runs/{run_id}/events?limit=50&after={after}")
            lines += log_lines(page["items"])
            after = page.get("next_after") or ""
        return lines

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
        give_up_at, was_idle = time.monotonic() + seconds, False
        while True:
            still_open = self._still_open(activity_ids)
            if not still_open or time.monotonic() > give_up_at:
                return still_open
            idle = [record for record in still_open if self.is_idle(record)]
            if idle and by_ticks:
                self.tick(idle)
            elif len(idle) == len(still_open) and was_idle:
                return still_open
            was_idle = len(idle) == len(still_open)
            activity_ids = [record.activity.activity_id for record in still_open]
            time.sleep(LOOK_EVERY_SECONDS)

    def _still_open(self, activity_ids: Sequence[str]) -> list[ActivityRecord]:
        """Those of them that do not rest, and the subtasks that they wait for."""
        records = [self.store.read(TENANT, activity_id) for activity_id in activity_ids]
        still_open = [record for record in records if not self.rests(record)]
        parts = {part for record in still_open for part in open_subtasks(record)}
        parts -= {*activity_ids}
        return still_open + (self._still_open(sorted(parts)) if parts else [])

    def rests(self, record: ActivityRecord) -> bool:
        """It has ended, or visibly waits and nobody who is here will change that."""
        activity_id, run = record.activity.activity_id, record.current_run
        if not rests(record) or record.activity.status.is_terminal:
            return rests(record)
        is_of_agent = record.activity.agent_role in {self.writer, self.helper}
        is_denied = is_of_agent and not self.agent.ledger.has_taken(run.run_id)
        will_be_resolved = is_denied and self.person_on_duty.is_set()
        return not will_be_resolved and not self.agent.is_at_work(activity_id)

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
        """Its execution waits on its callback token, or is no more, and nobody who is here is about
        to say something of it."""
        if self.agent.is_at_work(record.activity.activity_id):
            return False
        asks_a_person = any(wait.kind.is_for_a_person for wait in record.blocking_waits)
        if asks_a_person and self.person_on_duty.is_set():
            return False
        if record.activity.status is ActivityStatus.BLOCKED and not self.rests(record):
            return False
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

    def let_deadlines_pass(self, records: Sequence[ActivityRecord]) -> int:
        """The time of those whose agent has fallen silent is up: their rows say so. How many."""
        silent = [record for record in records if record.current_run.status is RunStatus.RUNNING]
        for record in silent:
            self._rewrite(
                record.activity.activity_id,
                lambda seen, past: Change(activity=replace(seen.activity, deadline_at=past)),
            )
        return len(silent)

    def _make_due(self, activity_id: str) -> None:
        """Its run, and what of its waits the sweeper looks at by itself."""

        def due(seen: ActivityRecord, past: datetime) -> Change:
            waits = (replace(wait, due_at=past) for wait in seen.waits if _is_looked_at(wait))
            return Change(
                activity=seen.activity,
                runs=(replace(seen.current_run, due_at=past),),
                waits=tuple(waits),
            )

        self._rewrite(activity_id, due)

    def _rewrite(
        self, activity_id: str, change: Callable[[ActivityRecord, datetime], Change]
    ) -> None:
        """`change` has the row as it is, and a time that has just passed."""
        past = datetime.now(UTC) - timedelta(seconds=1)
        while True:
            record = self.store.read(TENANT, activity_id)
            if record.activity.status.is_terminal:
                return
            try:
                self.store.apply(change(record, past))
            except StoreConflict:  # a worker was faster
                continue
            return

    # ---- machinery ------------------------------------------------------------------------------

    def aws(self, service: str) -> Any:
        """A client that goes to MiniStack directly, not through the proxy."""
        if service not in self._clients:
            self._clients[service] = embedded.client(self.deployed, service)
        return self._clients[service]

    def execution_arn(self, record: ActivityRecord, generation: int) -> str:
        machine = self.deployed.state_machine_arn.replace(":stateMachine:", ":execution:")
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
        temporary = StateDirectory(self.directory).temporary
        marker = f"{temporary}/ministack-lambda-{STACK_NAME}-"
        found = []
        for pid, command in command_lines():
            if marker in command:
                # the last part of its name is random
                function = command.split(marker, 1)[1].split("/", 1)[0].rpartition("-")[0]
                found.append((function, pid))
        return sorted(found)

    def restart_aws(self) -> None:
        embedded.restart_ministack(self.directory, self.switches)

    @property
    def log_files(self) -> list[Path]:
        """MiniStack's with its workers' output; two after a restart, the older first."""
        return sorted(StateDirectory(self.directory).logs.glob("ministack*.log"))


def rests(record: ActivityRecord) -> bool:
    """It has ended, or its start is unknown, which a person sees."""
    status, run = record.activity.status, record.current_run
    is_unknown = status is ActivityStatus.BLOCKED and run.status is RunStatus.START_UNKNOWN
    return status.is_terminal or is_unknown


def log_lines(items: Sequence[Mapping[str, Any]]) -> Iterator[LogLine]:
    """The text of a page of a run's log, without its events."""
    for item in items:
        detail = item["detail"]
        if item["type"] == "TextDelta":
            yield LogLine(first=detail["number"], last=detail["number"], text=detail["text"])
        elif item["type"] == "TextGap":
            yield LogLine(first=detail["from"], last=detail["to"], text=None)


def _is_looked_at(wait: Wait) -> bool:
    return wait.is_open and not wait.kind.is_for_a_person
