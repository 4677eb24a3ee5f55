"""The request budget around Leena's API: take from it before a start or a look is sent.

`BudgetedLeenaApi` is a `LeenaApi`, so that use cases know nothing of budgets: nothing left is
`RequestBudgetSpent`, an `UpstreamUnavailable` with nothing sent. It stands behind the gate
(`gating`), so that a closed gate takes nothing from it. Rules: `budget`. Retries: a lost race for
the row is decided again a few times, then told as a short wait.

**What it costs.** A connection without a budget: nothing. With one: a write per request, and a read
where another process may have written meanwhile. Threads of a process take turns, so they never
race each other.

A budget never breaks a call: where its row cannot be read or written, calls go on without it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentruns import budget, telemetry
from agentruns.budget import BudgetState, Use, Verdict
from agentruns.errors import RequestBudgetSpent, StoreConflict

if TYPE_CHECKING:
    from agentruns.ports import BudgetStore, Clock
    from agentruns.provider_ports import AopAccepted, AopObservation, LeenaApi, MintedToken
    from agentruns.providers import Connection, LeenaConnection, LeenaCredentials
    from agentruns.secret import Secret

PATIENCE_SECONDS: Mapping[Use, float] = {Use.START: 0.0, Use.LOOK: 10.0}
"""How long to wait on the spot, which is cheaper than coming again: so the sweeper, that comes once
a minute, finds what the minute before left. A start does not: its row says `dispatching` already,
and who dies in that state leaves a start of unknown outcome."""

REMEMBERED_SECONDS = 1.0
WRITE_ATTEMPTS = 8
BACKOFF_SECONDS = 0.02
"""Waits up to 0.02, 0.04, ... 1.28 s between attempts: 2.5 s at most in all."""

BUSY_SECONDS = 2.0
MEMORY_ENTRIES = 256

logger = logging.getLogger(__name__)


@dataclass
class _Place:
    """What this process knows of one budget; its lock is held while the row is decided about."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    state: BudgetState | None = None
    known_at: datetime | None = None


class RequestBudget:
    """Safe to share by threads. `sleep` takes seconds; `spread` gives the jitter, 0.5 to 1."""

    def __init__(
        self,
        *,
        budgets: BudgetStore,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311  # jitter
    ) -> None:
        self._budgets = budgets
        self._clock = clock
        self._sleep = sleep
        self._spread = spread
        self._places: OrderedDict[tuple[str, str], _Place] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, connection: Connection, use: Use) -> None:
        """Returns when the request may be sent. RequestBudgetSpent where that is too far off."""
        limit = connection.limits.requests_per_minute
        if limit is None:
            return
        try:
            verdict = self._decide(connection, use, limit)
        except Exception as exc:  # noqa: BLE001  # a budget that cannot be kept holds nobody back
            logger.warning(
                "budget_not_reached",
                extra={"connection": connection.name, "error": type(exc).__name__},
            )
            return
        wait_seconds = max((verdict.at - self._clock()).total_seconds(), 0.0)
        if verdict.is_granted:
            if wait_seconds:
                self._sleep(wait_seconds)
            return
        telemetry.count("RequestsHeldBack", connection=connection.name)
        raise RequestBudgetSpent(
            f"connection {connection.name!r}: its budget of {limit} requests a minute is used up; "
            f"nothing was sent, again in {wait_seconds:.0f} s",
            retry_after_seconds=wait_seconds,
        )

    def _decide(self, connection: Connection, use: Use, limit: int) -> Verdict:
        place = self._place(connection)
        with place.lock:
            for attempt in range(WRITE_ATTEMPTS):
                if attempt:
                    self._sleep(BACKOFF_SECONDS * 2 ** (attempt - 1) * self._spread())
                state, now = self._state(place, connection), self._clock()
                verdict = budget.ask(
                    state,
                    use,
                    limit,
                    now,
                    patience_seconds=PATIENCE_SECONDS[use],
                    spread=self._spread(),
                )
                if verdict.state == state:
                    return verdict
                try:
                    place.state = self._budgets.write(verdict.state, now)
                except StoreConflict:
                    place.state = None
                    continue
                place.known_at = now
                return verdict
            # Somebody took something each time: this one comes again.
            at = self._clock() + timedelta(seconds=BUSY_SECONDS * self._spread())
            return Verdict(is_granted=False, at=at, state=state)

    def _state(self, place: _Place, connection: Connection) -> BudgetState:
        """From memory while that is young: a write of what has moved on meanwhile is refused."""
        now = self._clock()
        young = timedelta(seconds=REMEMBERED_SECONDS)
        if place.state is None or place.known_at is None or now - place.known_at >= young:
            place.state = self._budgets.read(connection.tenant, connection.name)
            place.known_at = now
        return place.state

    def _place(self, connection: Connection) -> _Place:
        key = connection.tenant, connection.name
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > MEMORY_ENTRIES:
                self._places.popitem(last=False)
            return place


class BudgetedLeenaApi:
    """LeenaApi within the connection's budget. Errors as the port, and RequestBudgetSpent.

    Minting is free: the token endpoint is another host, and tokens are few.
    """

    def __init__(self, api: LeenaApi, request_budget: RequestBudget) -> None:
        self._api = api
        self._budget = request_budget

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        return self._api.mint(connection, credentials)

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        self._budget.take(connection, Use.START)
        return self._api.execute(
            connection,
            token,
            aop_id=aop_id,
            message_to_start=message_to_start,
            context=context,
        )

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self._budget.take(connection, Use.LOOK)
        return self._api.read_status(connection, token, aop_item_id)
