"""Operator keys in DynamoDB: found by their id alone, listed by tenant over the index."""

from __future__ import annotations

from agentruns.definitions import OperatorKey
from agentruns.errors import OperatorKeyNotFound
from agentruns.store import keys
from agentruns.store.table import Condition, DynamoDbTable
from agentruns.store.values import (
    Row,
    read_optional_time,
    read_time,
    to_item,
    write_optional_time,
    write_time,
)


class DynamoDbOperatorKeyStore:
    """`agentruns.ports.OperatorKeyStore` on the one table; listed by id, eventually consistent."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def put(self, key: OperatorKey) -> None:
        self._table.put(_row(key))

    def find(self, key_id: str) -> OperatorKey | None:
        row = self._table.get(keys.operator_key_key(key_id), keys.META)
        return None if row is None else _operator_key(row)

    def list(self, tenant: str) -> tuple[OperatorKey, ...]:
        pages = self._table.query_pages(
            IndexName=keys.LISTING,
            KeyConditionExpression="listing_pk = :pk",
            ExpressionAttributeValues=to_item({":pk": keys.operator_keys_listing(tenant)}),
        )
        return tuple(_operator_key(row) for rows, _ in pages for row in rows)

    def delete(self, tenant: str, key_id: str) -> None:
        """Read first, so that a repetition by botocore is not called `not found`."""
        found = self.find(key_id)
        own = Condition(
            expression="attribute_not_exists(pk) OR #tenant = :tenant",
            names={"#tenant": "tenant"},
            values={":tenant": tenant},
        )
        if (
            found is None
            or found.tenant != tenant
            or not self._table.delete_if(keys.operator_key_key(key_id), keys.META, own)
        ):
            raise OperatorKeyNotFound(key_id)


def _row(key: OperatorKey) -> Row:
    return {
        "pk": keys.operator_key_key(key.key_id),
        "sk": keys.META,
        "listing_pk": keys.operator_keys_listing(key.tenant),
        "listing_sk": key.key_id,
        "tenant": key.tenant,
        "key_id": key.key_id,
        "name": key.name,
        "scopes": key.scopes,
        "secret_sha256": key.secret_sha256,
        "created_at": write_time(key.created_at),
        "expires_at": write_optional_time(key.expires_at),
    }


def _operator_key(row: Row) -> OperatorKey:
    return OperatorKey(
        tenant=row["tenant"],
        key_id=row["key_id"],
        name=row["name"],
        scopes=row["scopes"],
        secret_sha256=row["secret_sha256"],
        created_at=read_time(row["created_at"]),
        expires_at=read_optional_time(row.get("expires_at")),
    )
