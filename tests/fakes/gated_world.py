"""The world with what stands between use cases and the provider: real tokens, gate and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from agentruns.gated_leena import GatedLeenaApi
from agentruns.gating import ConnectionGate
from agentruns.provider_ports import AopAccepted, AopObservation, MintedToken
from agentruns.providers import (
    LeenaConnection,
    LeenaCredentials,
)
from agentruns.refusals import CredentialsRejected, TokenRejected
from agentruns.secret import Secret
from agentruns.statuses import ActivityStatus
from agentruns.tokens import CachedTokenSource, credentials_secret_name
from tests.fakes import InMemoryLeaseStore, InMemorySecretStore
from tests.fakes.clock import FakeClock
from tests.fakes.gates import InMemoryGateStore
from tests.fakes.upstream import TimedLeenaApi
from tests.fakes.world import CONNECTION, REQUEST, TENANT, World
from tests.unit.core.invariants import check_invariants

PREFIX = "agentruns/test"


class WatchedUpstream(TimedLeenaApi):
    """`asked_at`: when each request arrived, mints apart. `reject_tokens`: every call is a 401."""

    def __init__(self, clock: FakeClock, *timelines: Any) -> None:
        super().__init__(clock, *timelines)
        self.asked_at: list[datetime] = []
        self.minted_at: list[datetime] = []
        self.reject_credentials = False
        self.reject_tokens = False

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        self.minted_at.append(self.clock())
        if self.reject_credentials:
            raise CredentialsRejected(connection.name, 401, "invalid_client")
        return super().mint(connection, credentials)

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        self._arrive()
        return super().execute(
            connection, token, aop_id=aop_id, message_to_start=message_to_start, context=context
        )

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        self._arrive()
        return super().read_status(connection, token, aop_item_id)

    def _arrive(self) -> None:
        self.asked_at.append(self.clock())
        if self.reject_tokens:
            raise TokenRejected("hr")


class GatedWorld(World):
    """As `wiring` builds it: real tokens, and gate and budget before the provider."""

    def __init__(self, *timelines: Any, **agent: Any) -> None:
        super().__init__(leena=lambda clock: WatchedUpstream(clock, *timelines), **agent)

    def _build(self, wrap: Callable[[str, Any], Any]) -> None:
        self.gates = InMemoryGateStore()
        connection_gate = ConnectionGate(gates=self.gates, clock=self.clock)
        self.gated = GatedLeenaApi(super()._provider(wrap), connection_gate, self.clock)
        secrets = InMemorySecretStore()
        secrets.put(
            credentials_secret_name(PREFIX, TENANT, CONNECTION.name),
            dict.fromkeys(("client_id", "client_secret", "username", "password"), "x"),
            "",
        )
        self.tokens: Any = CachedTokenSource(
            api=self.gated,
            secrets=secrets,
            leases=InMemoryLeaseStore(),
            clock=self.clock,
            secret_prefix=PREFIX,
            sleep=self._sleep,
        )
        super()._build(wrap)

    def _provider(self, wrap: Callable[[str, Any], Any]) -> Any:
        return self.gated

    def accept_many(self, count: int) -> list[str]:
        return [self.accept(REQUEST).activity_id for _ in range(count)]

    def statuses(self, activity_ids: list[str]) -> set[ActivityStatus]:
        for activity_id in activity_ids:
            check_invariants(self, activity_id)
        return {self.record(activity_id).activity.status for activity_id in activity_ids}


def most_in_a_minute(times: list[datetime]) -> int:
    minute = timedelta(seconds=60)
    return max(sum(at <= other < at + minute for other in times) for at in times)
