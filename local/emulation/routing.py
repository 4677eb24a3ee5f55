"""From a request to its handler, by a table of routes, and to the refusal where there is none."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from local.emulation.errors import RequestRefused
from local.emulation.messages import Delivery, Reply, Request, json_reply, refusal_reply

State = TypeVar("State", contravariant=True)


@dataclass(frozen=True, slots=True)
class Route(Generic[State]):
    """`template` has `{names}`; `operation` is set where faults may strike."""

    method: str
    template: str
    handler: Callable[[State, Request], Reply]
    operation: str | None = None

    def match(self, path: str) -> Mapping[str, str] | None:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.template))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None

    def handle(self, state: State, request: Request) -> Reply:
        """The handler's answer, a refusal of it included."""
        try:
            return self.handler(state, request)
        except RequestRefused as refusal:
            return refusal_reply(refusal)


def find_route(
    routes: Iterable[Route[State]], request: Request
) -> tuple[Route[State], Mapping[str, str]]:
    """The route and the values of its `{names}`. Raises RequestRefused 404 or 405."""
    allowed = []
    for route in routes:
        params = route.match(request.path)
        if params is None:
            continue
        if route.method == request.method:
            return route, params
        allowed.append(route.method)
    if not allowed:
        raise RequestRefused(404, f"No such path: {request.path}")
    raise RequestRefused(
        405, f"{request.method} is not allowed here", headers={"Allow": ", ".join(allowed)}
    )


def answer_or_refuse(request: Request, deliver: Callable[[], Delivery]) -> Delivery:
    """What `deliver` gives. Never raises: an error of our own becomes a 500."""
    try:
        return deliver()
    except RequestRefused as refusal:
        return refusal_reply(refusal)
    except Exception as exc:  # noqa: BLE001  # the one boundary
        # The type alone: a message or a traceback could quote what the request carried.
        print(f"internal error: {type(exc).__name__} at {request.path}", file=sys.stderr)
        return json_reply(500, {"message": "Internal error of the emulator"})
