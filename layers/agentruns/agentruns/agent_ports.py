"""What the use cases ask of agents of one's own, and what a dispatch carries with it.

As `ports`: shapes and errors stand here once. Not a place for logic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from agentruns.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCredentials:
    """With what an agent's dispatches are signed, newest first, and the headers it asks for."""

    signing_secrets: tuple[Secret, ...]
    auth_headers: Mapping[str, Secret]


class AgentCaller(Protocol):
    """Calls agents at their URLs. Each dispatch is one HTTP request."""

    def dispatch(
        self,
        url: str,
        credentials: AgentCredentials,
        dispatch_id: str,
        document: Mapping[str, Any],
    ) -> None:
        """Answered 2xx: the agent has it. AgentRefused (3xx, and 4xx but 408 and 429);
        UpstreamUnavailable only where it was provably not taken (refused, DNS, TLS, 429, 503);
        StartUnknown for everything else after the body was sent."""

    def reach(self, url: str) -> None:
        """Connect, check the certificate, hang up; nothing is sent. UpstreamUnavailable;
        InvalidRequest where the URL is not allowed here."""
