"""A request as API Gateway delivers it, made fit for the resolver: what is refused before parsing.

Not here: routes, validation of fields, authentication beyond reading the header.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from agentruns.errors import InvalidRequest
from agentruns.request_errors import (
    MalformedRequest,
    RequestTooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from agentruns.secret import Secret

BODY_LIMIT_BYTES = 1024 * 1024
JSON_CONTENT_TYPE = "application/json"

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_SHOWN_PATH_CHARACTERS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`event` is the proxy event with lower-case header names. `path` is quoted and clipped; what
    of it may be logged and said back, `shown_names` says."""

    event: Mapping[str, Any]
    method: str
    path: str
    request_id: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        headers = {
            str(name).lower(): str(value)
            for name, value in (event.get("headers") or {}).items()
            if value is not None
        }
        context = event.get("requestContext") or {}
        return cls(
            event={**event, "headers": headers, "multiValueHeaders": None},
            method=str(event.get("httpMethod", "")).upper(),
            path=quote(str(event.get("path", ""))[:_SHOWN_PATH_CHARACTERS], safe="/:@"),
            request_id=str(context.get("requestId") or "unknown"),
            headers=headers,
        )

    def operator_key(self) -> Secret:
        """Unauthenticated unless the header is `Authorization: ApiKey <key>`."""
        key = self._credential("apikey")
        if key is None:
            raise Unauthenticated
        return key

    def task_token(self) -> Secret | None:
        """None unless the header is `Authorization: Bearer <task token>`."""
        return self._credential("bearer")

    def agent_key(self) -> Secret | None:
        """None unless the header is `Authorization: ApiKey <agent key>`."""
        return self._credential("apikey")

    def _credential(self, wanted: str) -> Secret | None:
        scheme, _, credential = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != wanted or not credential.strip():
            return None
        return Secret(credential.strip())

    def readable_event(self) -> dict[str, Any]:
        """The event with its body as text. RequestTooLarge, UnsupportedMediaType,
        MalformedRequest."""
        body = self.event.get("body") or ""
        if self.method not in _WITH_BODY or not body:
            return {**self.event, "body": None, "isBase64Encoded": False}
        is_encoded = bool(self.event.get("isBase64Encoded"))
        size_bytes = len(body) * 3 // 4 if is_encoded else len(body.encode("utf-8", "replace"))
        if size_bytes > BODY_LIMIT_BYTES:
            raise RequestTooLarge(size_bytes, BODY_LIMIT_BYTES)
        content_type = self.headers.get("content-type", JSON_CONTENT_TYPE)
        if content_type.partition(";")[0].strip().lower() != JSON_CONTENT_TYPE:
            raise UnsupportedMediaType(content_type[:100])
        return {
            **self.event,
            "headers": {**self.headers, "content-type": JSON_CONTENT_TYPE},
            "body": _decoded(body) if is_encoded else body,
            "isBase64Encoded": False,
        }


def parse_json(text: str) -> Any:
    """A body as strict JSON: no NaN, no key twice, an object at the top.

    MalformedRequest where it is not JSON; InvalidRequest where it is no object.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object_of)
        # An escape like \ud800 alone is no character: nothing could store or send it.
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise MalformedRequest("the body is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise MalformedRequest("the body has half a character (a lone surrogate)") from error
    except ValueError as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest([("body", "must be a JSON object")])
    return document


def _decoded(body: str) -> str:
    try:
        return base64.b64decode(body, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise MalformedRequest("the body is not UTF-8 text") from error


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} is there twice")
    return found
