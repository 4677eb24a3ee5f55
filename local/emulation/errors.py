"""The refusals of an emulator, each with the answer it becomes.

EmulatorError
├── RequestRefused            an HTTP status and a `{"message": ...}` body
│   └── InvalidField          400 on a control endpoint, names the field
└── InvalidRequestBody        the body is not the JSON object that the endpoint takes
"""

from __future__ import annotations

from collections.abc import Mapping


class EmulatorError(Exception):
    """Root of everything that an emulator raises on purpose."""


class RequestRefused(EmulatorError):
    """The request is answered with `status` and `{"message": message}`."""

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class InvalidField(RequestRefused):
    """A control request has a field that cannot be used; `field` is its path, e.g. `[0].kind`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(400, f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidRequestBody(EmulatorError):
    """The body is no JSON, or its JSON is not of the expected shape."""
