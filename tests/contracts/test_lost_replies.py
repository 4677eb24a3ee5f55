"""Finding 2: a write that landed and whose reply was lost is a success, on its repetition too.

botocore's connection is cut after moto has done the work, so botocore repeats the request. moto
knows no ClientRequestToken: these prove the writer's nonce, which also serves where a token's ten
minutes are over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from agentruns.aws.clients import AwsClients
from agentruns.errors import StoreConflict, StoreContention
from agentruns.model import ActivityInput, Change
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.connections import DynamoDbConnectionStore
from agentruns.store.leases import DynamoDbLeaseStore
from agentruns.store.operator_keys import DynamoDbOperatorKeyStore
from agentruns.store.table import ATTEMPTS, DynamoDbTable
from tests.contracts.samples import (
    a_connection,
    a_run,
    an_activity,
    an_event,
    an_idempotency,
    an_operator_key,
    create,
    touched,
)
from tests.contracts.table import TABLE_NAME
from tests.fakes.clock import NOON


class LostReply:
    """The reply to the next `operation` is lost after the work is done; then `meanwhile` runs."""

    def __init__(
        self, aws: AwsClients, operation: str, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        self.requests = 0
        self._operation = operation
        self._meanwhile = meanwhile
        # moto answers in a handler of "before-send"; those of a longer name would come before it.
        aws.dynamodb().meta.events.register_last("before-send", self._cut)

    def _cut(self, request: Any, event_name: str, **event: Any) -> None:
        if not event_name.endswith(f".{self._operation}"):
            return
        self.requests += 1
        if self.requests == 1:
            self._meanwhile()
            raise ConnectionClosedError(endpoint_url=request.url)


@pytest.fixture
def store(table: DynamoDbTable) -> DynamoDbActivityStore:
    return DynamoDbActivityStore(table)


class TestLostReplies:
    def test_create(self, aws, store):
        activity = an_activity()
        idempotency = an_idempotency(activity)
        lost = LostReply(aws, "TransactWriteItems")
        store.create(activity, ActivityInput(), a_run(activity), (an_event(activity),), idempotency)
        assert lost.requests == 2
        assert store.find_idempotency("acme#api", "ticket-1", NOON) == idempotency
        assert len(store.list_events("acme", activity.activity_id, 0, 10)) == 1

    def test_apply(self, aws, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        seen: list[int] = []

        def look() -> None:
            seen.append(store.read("acme", activity.activity_id).activity.version)

        lost = LostReply(aws, "TransactWriteItems", look)
        stored = store.apply(
            Change(activity=touched(activity), runs=(run,), events=(an_event(activity),))
        )
        assert (lost.requests, seen) == (2, [2])
        assert stored == store.read("acme", activity.activity_id)
        assert stored.activity.version == 2
        assert len(store.list_events("acme", activity.activity_id, 0, 10)) == 2

    def test_apply_though_another_change_came_before_the_repetition(self, aws, store):
        activity = create(store)

        def move_on() -> None:
            current = store.read("acme", activity.activity_id).activity
            store.apply(Change(activity=touched(current), events=(an_event(current),)))

        lost = LostReply(aws, "TransactWriteItems", move_on)
        stored = store.apply(Change(activity=touched(activity), events=(an_event(activity),)))
        assert lost.requests == 3
        assert stored.activity.version == 2
        assert store.read("acme", activity.activity_id).activity.version == 3
        assert len(store.list_events("acme", activity.activity_id, 0, 10)) == 3

    def test_a_lost_refusal_is_still_a_conflict(self, aws, store):
        activity = create(store)
        store.apply(Change(activity=touched(activity), events=(an_event(activity),)))
        lost = LostReply(aws, "TransactWriteItems")
        with pytest.raises(StoreConflict):
            store.apply(Change(activity=touched(activity), events=(an_event(activity),)))
        assert lost.requests == 2
        assert len(store.list_events("acme", activity.activity_id, 0, 10)) == 2

    def test_save_run(self, aws, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        seen: list[int] = []

        def look() -> None:
            seen.append(store.read("acme", activity.activity_id).current_run.polls)

        lost = LostReply(aws, "PutItem", look)
        stored = store.save_run(replace(run, polls=1))
        assert (lost.requests, seen) == (2, [1])
        assert stored == store.read("acme", activity.activity_id).current_run
        with pytest.raises(StoreConflict):
            store.save_run(replace(run, polls=1))

    def test_a_lease_that_was_taken_is_held(self, aws, table):
        leases = DynamoDbLeaseStore(table)
        lost = LostReply(aws, "PutItem")
        assert leases.acquire("mint", "a", NOON, 10)
        assert lost.requests == 2
        assert not leases.acquire("mint", "b", NOON + timedelta(seconds=9), 10)

    def test_a_delete_is_not_called_not_found(self, aws, table):
        connections = DynamoDbConnectionStore(table)
        connections.put(a_connection())
        operator_keys = DynamoDbOperatorKeyStore(table)
        operator_keys.put(an_operator_key())
        lost = LostReply(aws, "DeleteItem")
        connections.delete("acme", "hr")
        assert lost.requests == 2
        lost.requests = 0
        operator_keys.delete("acme", "k1")
        assert lost.requests == 2


class ContendedClient:
    """Refuses the first transactions as DynamoDB does while another one holds the rows."""

    def __init__(self, client: Any, refusals: list[ClientError]) -> None:
        self._client = client
        self._refusals = refusals
        self.tokens: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.tokens.append(request["ClientRequestToken"])
        if self._refusals:
            raise self._refusals.pop(0)
        return self._client.transact_write_items(**request)


def cancelled(*codes: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return ClientError(response, "TransactWriteItems")


class TestContention:
    def contended(
        self, aws: AwsClients, refusals: list[ClientError]
    ) -> tuple[DynamoDbActivityStore, ContendedClient, list[float]]:
        waits: list[float] = []
        client: Any = ContendedClient(aws.dynamodb(), refusals)
        table = DynamoDbTable(TABLE_NAME, lambda: client, sleep=waits.append)
        return DynamoDbActivityStore(table), client, waits

    @pytest.mark.parametrize(
        "codes",
        [
            ("TransactionConflict", "None", "None"),
            ("None", "ThrottlingError", "TransactionConflict"),
            ("ProvisionedThroughputExceeded", "None", "None"),
        ],
    )
    def test_row_30_busy_rows_are_tried_again_with_the_same_token(self, aws, store, codes):
        activity = create(store)
        contended, client, waits = self.contended(aws, [cancelled(*codes)] * 3)
        assert contended.apply(Change(activity=touched(activity))).activity.version == 2
        assert len(set(client.tokens)) == 1
        assert len(waits) == 3
        assert max(waits) <= 0.2

    def test_row_30_rows_that_stay_busy_are_contention(self, aws, store):
        activity = create(store)
        refusals = [cancelled("TransactionConflict", "None")] * 99
        contended, client, waits = self.contended(aws, refusals)
        with pytest.raises(StoreContention):
            contended.apply(Change(activity=touched(activity)))
        assert len(client.tokens) == ATTEMPTS
        assert len(waits) == ATTEMPTS - 1

    @pytest.mark.parametrize(
        ("refusal", "error"),
        [
            (cancelled("TransactionConflict", "ConditionalCheckFailed"), StoreConflict),
            (cancelled("ValidationError", "None"), ClientError),
            (cancelled("ValidationError", "TransactionConflict"), ClientError),
        ],
    )
    def test_row_30_what_cannot_get_better_is_not_tried_again(self, aws, store, refusal, error):
        activity = create(store)
        contended, client, waits = self.contended(aws, [refusal])
        with pytest.raises(error):
            contended.apply(Change(activity=touched(activity)))
        assert (len(client.tokens), waits) == (1, [])

    def test_an_equal_change_of_somebody_else_has_another_token(self, aws, store):
        activity = create(store)
        contended, client, _ = self.contended(aws, [])
        contended.apply(Change(activity=touched(activity)))
        with pytest.raises(StoreConflict):
            contended.apply(Change(activity=touched(activity)))
        assert len(set(client.tokens)) == 2
        assert all(1 <= len(token) <= 36 for token in client.tokens)
