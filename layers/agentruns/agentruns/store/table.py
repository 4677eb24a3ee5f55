"""The table: conditional writes that survive a lost reply, and reads by key.

Every conditional write carries a nonce of its writer in the attribute `writer` and asks for the old
row where its condition fails: a row with the own nonce means that the write had landed and only the
reply was lost. A transaction also carries a ClientRequestToken made of its content, nonce included,
so that DynamoDB itself (for ten minutes) answers its repetition with success, and an equal
transition of somebody else is a conflict, not a success.

Retries: botocore repeats throttled and broken requests; this module repeats only what botocore does
not, contention inside a transaction, a bounded number of times with full jitter.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from agentruns.errors import StoreConflict, StoreContention
from agentruns.store.values import Row, from_item, to_item, write_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

ATTEMPTS = 6
BACKOFF_SECONDS = 0.05
"""Waits up to 0.05, 0.1, 0.2, 0.4 and 0.8 s: half of 1.6 s on average before giving up."""

_CONDITION_FAILED = "ConditionalCheckFailed"
_CONTENDED_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
_CONTENDED_ERRORS = frozenset({"TransactionConflictException", "TransactionInProgressException"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition expression; `#x` names and `:x` values are those of `names` and `values`."""

    expression: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """As the API takes it. An empty map of names or values is refused, so it is left out."""
        parameters: dict[str, Any] = {"ConditionExpression": self.expression}
        if self.names:
            parameters["ExpressionAttributeNames"] = dict(self.names)
        if self.values:
            parameters["ExpressionAttributeValues"] = to_item(self.values)
        return parameters


ABSENT = Condition(expression="attribute_not_exists(pk)")
ANY = Condition(expression="attribute_exists(pk) OR attribute_not_exists(pk)")
"""Whatever is there: rows that are only written together."""


def at_version(version: int) -> Condition:
    """The row is there, as it was read."""
    return Condition(
        expression="#version = :read", names={"#version": "version"}, values={":read": version}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A row to write and what must hold before."""

    row: Row
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """A row to delete and what must hold before."""

    pk: str
    sk: str
    condition: Condition


class DynamoDbTable:
    """One table by name; `client` is asked for at the first use."""

    def __init__(
        self,
        name: str,
        client: Callable[[], DynamoDBClient],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._client = client
        self._sleep = sleep

    def write_all(self, subject: str, rows: Sequence[Put | Delete]) -> None:
        """Put and delete all rows or none; at least one is put, since a deletion leaves no nonce.

        StoreConflict where a condition fails, StoreContention where the rows are busy; `subject`
        is what their messages call the rows.
        """
        nonce = secrets.token_hex(8)
        writes = [
            self._transact_put(row, nonce) if isinstance(row, Put) else self._transact_delete(row)
            for row in rows
        ]
        token = hashlib.sha256(write_json(writes).encode()).hexdigest()[:36]
        for attempt in range(ATTEMPTS):
            try:
                self._client().transact_write_items(TransactItems=writes, ClientRequestToken=token)
            except ClientError as error:
                if _landed(error, nonce):
                    return
                if _condition_failed(error):
                    raise StoreConflict(f"{subject} moved on") from error
                if not _contended(error):
                    raise
                self.back_off(attempt)
            else:
                return
        raise StoreContention(subject, ATTEMPTS)

    def _transact_put(self, put: Put, nonce: str) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": self._name,
                "Item": to_item({**put.row, "writer": nonce}),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **put.condition.parameters(),  # type: ignore[typeddict-item]  # built just above
            }
        }

    def _transact_delete(self, row: Delete) -> TransactWriteItemTypeDef:
        return {
            "Delete": {
                "TableName": self._name,
                "Key": to_item({"pk": row.pk, "sk": row.sk}),
                **row.condition.parameters(),  # type: ignore[typeddict-item]  # built just above
            }
        }

    def put_if(self, subject: str, put: Put) -> None:
        """As `write_all`, for one row at half the price."""
        nonce = secrets.token_hex(8)
        item = to_item({**put.row, "writer": nonce})
        for attempt in range(ATTEMPTS):
            try:
                self._client().put_item(
                    TableName=self._name,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **put.condition.parameters(),
                )
            except ClientError as error:
                if _landed(error, nonce):
                    return
                if _condition_failed(error):
                    raise StoreConflict(f"{subject} moved on") from error
                if not _contended(error):
                    raise
                self.back_off(attempt)
            else:
                return
        raise StoreContention(subject, ATTEMPTS)

    def put(self, row: Row) -> None:
        """The last writer wins."""
        self._client().put_item(TableName=self._name, Item=to_item(row))

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Row | None:
        """Strongly consistent, or at half the price what was there a moment ago."""
        answer = self._client().get_item(
            TableName=self._name, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=consistent
        )
        item = answer.get("Item")
        return None if item is None else from_item(item)

    def delete(self, pk: str, sk: str) -> None:
        """Nothing happens where there is no such row."""
        self._client().delete_item(TableName=self._name, Key=to_item({"pk": pk, "sk": sk}))

    def delete_if(self, pk: str, sk: str, condition: Condition) -> bool:
        """False where the condition fails."""
        try:
            self._client().delete_item(
                TableName=self._name,
                Key=to_item({"pk": pk, "sk": sk}),
                **condition.parameters(),
            )
        except ClientError as error:
            if _condition_failed(error):
                return False
            raise
        return True

    def read_range(self, pk: str, first: str, last: str, limit: int | None = None) -> list[Row]:
        """The rows from `first` to `last`, both included, in order; strongly consistent."""
        pages = self.query_pages(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": pk, ":first": first, ":last": last}),
            ConsistentRead=True,
            **({} if limit is None else {"Limit": limit}),
        )
        return _take((row for rows, _ in pages for row in rows), limit)

    def read_last(self, pk: str, first: str, last: str, limit: int) -> list[Row]:
        """As `read_range`, but of more than `limit` rows the last ones; in order too."""
        pages = self.query_pages(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": pk, ":first": first, ":last": last}),
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit,
        )
        return _take((row for rows, _ in pages for row in rows), limit)[::-1]

    def read_stretch(self, pk: str, first: str, last: str, limit: int) -> tuple[list[Row], bool]:
        """As `read_range`, but one page of it: at most a megabyte; and whether more may follow."""
        pages = self.query_pages(
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item({":pk": pk, ":first": first, ":last": last}),
            ConsistentRead=True,
            Limit=limit,
        )
        rows, last_key = next(pages)
        return rows, last_key is not None

    def read_all(self, pk: str) -> list[Row]:
        """Every row of a partition, by sort key; strongly consistent."""
        pages = self.query_pages(
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": pk}),
            ConsistentRead=True,
        )
        return [row for rows, _ in pages for row in rows]

    def query_pages(self, **query: Any) -> Iterator[tuple[list[Row], Row | None]]:
        """Each page's rows, and the last evaluated key where more may follow."""
        while True:
            answer = self._client().query(TableName=self._name, **query)
            last = answer.get("LastEvaluatedKey")
            yield [from_item(item) for item in answer["Items"]], from_item(last) if last else None
            if not last:
                return
            query["ExclusiveStartKey"] = last

    def back_off(self, attempt: int, attempts: int = ATTEMPTS) -> None:
        """Sleep after the attempt, counted from 0; not after the last."""
        if attempt + 1 < attempts:
            longest = BACKOFF_SECONDS * 2 ** min(attempt, ATTEMPTS - 2)
            self._sleep(random.uniform(0, longest))  # noqa: S311  # jitter


def _take(rows: Iterator[Row], limit: int | None) -> list[Row]:
    if limit is None:
        return list(rows)
    taken: list[Row] = []
    for row in rows:
        taken.append(row)
        if len(taken) == limit:
            break
    return taken


def _cancellation_reasons(error: ClientError) -> list[Mapping[str, Any]]:
    response: Mapping[str, Any] = error.response
    return list(response.get("CancellationReasons") or [])


def _landed(error: ClientError, nonce: str) -> bool:
    """One of the rows bears our nonce: the write was done before, its reply was lost."""
    response: Mapping[str, Any] = error.response
    items = [response.get("Item")]
    items += [reason.get("Item") for reason in _cancellation_reasons(error)]
    return any(item and from_item(item).get("writer") == nonce for item in items)


def _condition_failed(error: ClientError) -> bool:
    if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
        return True
    return any(reason.get("Code") == _CONDITION_FAILED for reason in _cancellation_reasons(error))


def _contended(error: ClientError) -> bool:
    if error.response["Error"]["Code"] in _CONTENDED_ERRORS:
        return True
    codes = {reason.get("Code") for reason in _cancellation_reasons(error)} - {"None", None}
    return bool(codes) and codes <= _CONTENDED_REASONS
