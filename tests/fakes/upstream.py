"""Providers with a clock: items and workflows that change their status as time passes.

Unlike `FakeLeenaApi` and `FakeLeapApi`, whose answers are a list, these serve whole scenarios of
`driver`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agentruns.errors import UpstreamUnavailable
from agentruns.provider_ports import AopAccepted, AopObservation, WorkflowRun
from agentruns.providers import LeapConnection, LeenaConnection
from agentruns.refusals import AopItemNotFound
from agentruns.secret import Secret
from tests.fakes.clock import FakeClock
from tests.fakes.leap import FakeLeapApi
from tests.fakes.leena import FakeLeenaApi, observation

Timeline = Sequence[tuple[float, str]]
"""Pairs of seconds since the start and the word that is answered from then on."""

ENDS_AFTER_A_MINUTE: Timeline = ((0.0, "in_progress"), (60.0, "completed"))


class TimedLeenaApi(FakeLeenaApi):
    """`timelines` are given to the items in the order of their starts; the last one repeats.

    `accepted_for` holds our run id of each start it accepted: the ledger of double starts.
    """

    def __init__(self, clock: FakeClock, *timelines: Timeline) -> None:
        super().__init__()
        self.clock = clock
        self.timelines = list(timelines or (ENDS_AFTER_A_MINUTE,))
        self.started_at: dict[str, datetime] = {}
        self.accepted_for: list[str] = []
        self.down_until: datetime | None = None

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        self._require_up()
        accepted = super().execute(
            connection, token, aop_id=aop_id, message_to_start=message_to_start, context=context
        )
        self.started_at[accepted.aop_item_id] = self.clock()
        self.accepted_for.append(str(context["agentruns_run_id"]))
        return accepted

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self._require_up()
        super().read_status(connection, token, aop_item_id)
        if aop_item_id not in self.started_at:
            raise AopItemNotFound(aop_item_id, 404, "no such item")
        return observation(aop_item_id, self._word(aop_item_id))

    def _word(self, aop_item_id: str) -> str:
        number = list(self.started_at).index(aop_item_id)
        timeline = self.timelines[min(number, len(self.timelines) - 1)]
        return _word_at(timeline, self.clock() - self.started_at[aop_item_id])

    def _require_up(self) -> None:
        if self.down_until is not None and self.clock() < self.down_until:
            raise UpstreamUnavailable("connection refused")


class TimedLeapApi(FakeLeapApi):
    """`timelines` as of TimedLeenaApi. A start is answered as running, whatever its timeline says.

    `accepted_for` holds our run id, by its hook, of each start that was taken.
    """

    def __init__(self, clock: FakeClock, *timelines: Timeline) -> None:
        super().__init__()
        self.clock = clock
        self.timelines = list(timelines or (ENDS_AFTER_A_MINUTE,))
        self.started_at: dict[str, datetime] = {}
        self.accepted_for: list[str] = []

    def take(self, run: WorkflowRun, webhook_url: Secret) -> None:
        self.started_at[run.workflow_run_id] = self.clock()
        self.accepted_for.append(webhook_url.reveal().rsplit("/", 1)[-1].split(".")[0])
        super().take(run, webhook_url)

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        super().read_run(connection, api_key, workflow_run_id, is_bulk=is_bulk)
        return self.look(workflow_run_id)

    def look(self, workflow_run_id: str) -> WorkflowRun:
        """The run as it is now."""
        age = self.clock() - self.started_at[workflow_run_id]
        word = _word_at(self._timeline(workflow_run_id), age)
        return replace(self.runs[workflow_run_id], status=word)

    def ends_after_seconds(self, workflow_run_id: str) -> float:
        """Its last word's."""
        return self._timeline(workflow_run_id)[-1][0]

    def _timeline(self, workflow_run_id: str) -> Timeline:
        number = list(self.started_at).index(workflow_run_id)
        return self.timelines[min(number, len(self.timelines) - 1)]


def _word_at(timeline: Timeline, age: timedelta) -> str:
    return [word for after, word in timeline if after <= age.total_seconds()][-1]
