"""Providers' webhooks as one callable: read the body, accept it, answer. It never raises.

Whoever is refused gets one and the same answer, whatever was wrong: it tells nobody which runs
there are. The URL's last part is a credential and stands in no log. Not here: what is believed
(`hooks`), pydantic and routing: there is one route.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from agentruns.errors import PermanentError, TransientError
from agentruns.hooks import BODY_LIMIT_BYTES
from agentruns.request_errors import HookRefused, RequestTooLarge

RETRY_AFTER_SECONDS = 5

LambdaAnswer = dict[str, Any]
LambdaApp = Callable[[Mapping[str, Any], Any], LambdaAnswer]
TakeHook = Callable[[str, bytes], None]
"""`(last part of the URL, body)`, as `hooks.AcceptHook`."""

_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is nothing here",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: f"at most {BODY_LIMIT_BYTES} bytes are taken",
    HTTPStatus.SERVICE_UNAVAILABLE: "not now; send it again",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}

logger = logging.getLogger(__name__)


def build_hooks_app(take_hook: TakeHook) -> LambdaApp:
    """A handler of API Gateway REST (v1) proxy events."""

    def answer(event: Mapping[str, Any], context: Any) -> LambdaAnswer:  # noqa: ARG001  # Lambda's
        name = str((event.get("pathParameters") or {}).get("name", ""))
        try:
            take_hook(name, _body(event))
        except Exception as error:  # noqa: BLE001  # the one boundary: logs once and answers
            return _refused(error)
        logger.info("hook_taken")
        return _answer(HTTPStatus.OK, {"received": True}, "application/json")

    return answer


def _body(event: Mapping[str, Any]) -> bytes:
    """Lambda takes 6 MB. HookRefused where it is not what its encoding says."""
    text = str(event.get("body") or "")
    try:
        is_encoded = bool(event.get("isBase64Encoded"))
        return base64.b64decode(text, validate=True) if is_encoded else text.encode()
    except (binascii.Error, ValueError) as error:
        raise HookRefused from error


def _refused(error: Exception) -> LambdaAnswer:
    """One answer to all that is not believed. What is our fault is asked for again."""
    if isinstance(error, RequestTooLarge):
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif isinstance(error, PermanentError):
        status = HTTPStatus.NOT_FOUND
    else:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, PermanentError | TransientError):
        logger.info("hook_refused", extra={"code": error.code, "http_status": int(status)})
    else:
        logger.error("hook_failed", exc_info=error)
    problem = {
        "type": f"urn:agentruns:problem:{status.phrase.lower().replace(' ', '_')}",
        "title": status.phrase.capitalize(),
        "status": status.value,
        "detail": _DETAILS[status],
    }
    return _answer(status, problem, "application/problem+json")


def _answer(status: HTTPStatus, document: Mapping[str, Any], content_type: str) -> LambdaAnswer:
    headers = {**_HEADERS, "Content-Type": content_type}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return {
        "statusCode": status.value,
        "headers": headers,
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }
