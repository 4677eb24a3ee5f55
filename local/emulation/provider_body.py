"""The JSON bodies of a provider's endpoints, and the 400 that a wrong one is answered with.

Not for `/_emulator` endpoints, which name the field that is wrong (`fields`).
"""

from __future__ import annotations

from typing import Any

from local.emulation.errors import InvalidRequestBody, RequestRefused
from local.emulation.messages import Request


def read_object(request: Request) -> dict[str, Any]:
    """Raises RequestRefused 400."""
    if request.media_type != "application/json":
        raise RequestRefused(400, "Content-Type must be application/json")
    try:
        return request.json_object()
    except InvalidRequestBody as exc:
        raise RequestRefused(400, str(exc)) from exc


def require_text(body: dict[str, Any], name: str) -> str:
    """A member that is a string and not blank. Raises RequestRefused 400."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RequestRefused(400, f"{name} is required and must be a string")
    return value
