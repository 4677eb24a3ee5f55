"""Bodies and answers of `/v1/operator-keys`. Only the first answer ever has the key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentruns.api.schemas.fields import ONE_LINE_PATTERN, Answer, Body, Moment, Tenant
from agentruns.definitions import OperatorKey
from agentruns.operator_keys import IssuedKey


class OperatorKeyBody(Body):
    name: Annotated[
        str, Field(min_length=1, max_length=100, pattern=ONE_LINE_PATTERN, examples=["ci"])
    ]
    scopes: Annotated[
        list[Literal["read", "operate", "admin"]],
        Field(min_length=1, max_length=3, examples=[["read", "operate"]]),
    ]
    tenant: Annotated[
        Tenant | None,
        Field(description="Another tenant than the caller's needs `platform`.", examples=[None]),
    ] = None
    expires_in_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class OperatorKeyAnswer(Answer):
    key_id: Annotated[str, Field(examples=["9f86d081884c7d65"])]
    name: str
    tenant: Tenant
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None

    @classmethod
    def of(cls, key: OperatorKey) -> OperatorKeyAnswer:
        return cls(
            key_id=key.key_id,
            name=key.name,
            tenant=key.tenant,
            scopes=list(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
        )


class IssuedKeyAnswer(OperatorKeyAnswer):
    key: Annotated[str, Field(description="Shown once; only its SHA-256 is stored.")]

    @classmethod
    def of_issued(cls, issued: IssuedKey) -> IssuedKeyAnswer:
        shown = OperatorKeyAnswer.of(issued.key)
        return cls(**shown.model_dump(), key=issued.secret.reveal())


class OperatorKeysAnswer(Answer):
    items: list[OperatorKeyAnswer]
    next_cursor: str | None = None
