"""Leena AI with a clock: items that change their status as time passes, and hours of being down.

Unlike `FakeLeenaApi`, whose answers are a list, this one serves whole scenarios of `driver`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agentruns.errors import UpstreamUnavailable
from agentruns.ports import AopAccepted, AopObservation
from agentruns.providers import LeenaConnection
from agentruns.refusals import AopItemNotFound
from agentruns.secret import Secret
from tests.fakes.clock import FakeClock
from tests.fakes.leena import FakeLeenaApi, observation

Timeline = Sequence[tuple[float, str]]
"""Pairs of seconds since the item's start and the word it answers from then on."""

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
        age_seconds = (self.clock() - self.started_at[aop_item_id]).total_seconds()
        return [word for after, word in timeline if after <= age_seconds][-1]

    def _require_up(self) -> None:
        if self.down_until is not None and self.clock() < self.down_until:
            raise UpstreamUnavailable("connection refused")
