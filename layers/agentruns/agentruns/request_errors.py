"""Errors about a call to us: who calls, and how; not what it asks for. `errors` draws the tree.

Not here: what each means over HTTP (`api.problems`).
"""

from __future__ import annotations

from agentruns.errors import Conflict, InvalidRequest, PermanentError


class RequestInFlight(Conflict):
    code = "request_in_flight"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"a request with Idempotency-Key {key!r} is being answered right now; send it again"
        )
        self.key = key


class HookRefused(PermanentError):
    """One answer for all: whoever calls learns nothing of which runs there are."""

    code = "hook_refused"

    def __init__(self) -> None:
        super().__init__("there is nothing here")


class Unauthenticated(PermanentError):
    code = "unauthenticated"

    def __init__(
        self, message: str = "send the header Authorization: ApiKey <operator key>"
    ) -> None:
        super().__init__(message)


class ScopeDenied(PermanentError):
    code = "scope_denied"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this operator key lacks the scope {scope!r}")
        self.scope = scope


class IdempotencyKeyReused(InvalidRequest):
    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        problem = f"{key!r} was used with another body before; use a new key"
        super().__init__([("Idempotency-Key", problem)])
        self.key = key


class OutputTooLarge(InvalidRequest):
    code = "output_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        problem = (
            f"the output has {size_bytes} bytes, and one answer at most {limit_bytes}; ask for "
            f"bytes=0-{limit_bytes - 1} and so on, or use the command `agentruns output`"
        )
        super().__init__([("Range", problem)])


class MalformedRequest(PermanentError):
    code = "malformed_request"


class RequestTooLarge(PermanentError):
    code = "request_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the body has {size_bytes} bytes; at most {limit_bytes} are taken")


class RangeNotSatisfiable(PermanentError):
    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"the output has {size_bytes} bytes, and none of them is in that range")
        self.size_bytes = size_bytes


class UnsupportedMediaType(PermanentError):
    code = "unsupported_media_type"

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content-Type is {content_type!r}; send application/json")
