"""Requests of Schemathesis as events of API Gateway, answered by an app in this process.

Not here: which requests. No socket is opened.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from agentruns.api.front import LambdaApp
from tests.unit.api.driver import proxy_event

HOST = "http://agentruns.invalid"


class AppAdapter(HTTPAdapter):
    """In place of a connection: what is sent is the app's event."""

    def __init__(self, app: LambdaApp) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._app(_event_of(request), None)
        body = answer["body"].encode()
        raw = HTTPResponse(
            io.BytesIO(body),
            headers=answer["headers"],
            status=answer["statusCode"],
            preload_content=False,
        )
        return self.build_response(request, raw)


def session_over(app: LambdaApp) -> requests.Session:
    session = requests.Session()
    session.mount(HOST, AppAdapter(app))
    return session


def _event_of(request: requests.PreparedRequest) -> Mapping[str, Any]:
    parts = urlsplit(str(request.url))
    query = parse_qs(parts.query, keep_blank_values=True)
    body = request.body
    text = body.decode("utf-8", "surrogateescape") if isinstance(body, bytes) else body
    headers = {name: _text(value) for name, value in request.headers.items()}
    event = proxy_event(str(request.method), unquote(parts.path), body=text, headers=headers)
    return event | {
        # API Gateway gives the last of several by that name, and all of them beside
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
    }


def _text(value: object) -> str:
    """A header's value: of requests' types text, of what Schemathesis sends bytes too."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
