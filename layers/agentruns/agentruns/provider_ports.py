"""What the use cases ask of the providers, and what those answer.

As `ports`: shapes and errors stand here once; each port has two implementations, the real one and
a fake. Not a place for logic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from agentruns.bulk_runs import InputCsv
    from agentruns.providers import LeapConnection, LeenaConnection, LeenaCredentials
    from agentruns.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedToken:
    """What the token endpoint answered. `version` names this token without showing it."""

    access_token: Secret
    expires_in_seconds: float
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AopAccepted:
    aop_item_id: str
    request_id: str | None
    provider_run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AopObservation:
    """A status answer. `status` is the provider's own word, known or not."""

    aop_item_id: str
    status: str
    reference_id: str | None
    initiated_at: datetime | None
    completed_at: datetime | None


class LeenaApi(Protocol):
    """Leena AI's External AOP API over one connection. Each call is one HTTP request."""

    def mint(self, connection: LeenaConnection, credentials: LeenaCredentials) -> MintedToken:
        """CredentialsRejected (400, 401, 403); UpstreamUnavailable; UpstreamUnreadable."""

    def execute(
        self,
        connection: LeenaConnection,
        token: Secret,
        *,
        aop_id: str,
        message_to_start: str,
        context: Mapping[str, Any],
    ) -> AopAccepted:
        """AopRejected (400), TokenRejected (401), ScopeMissing (403), AopNotFound (404);
        UpstreamUnavailable only where the request was provably not taken (refused, DNS, TLS,
        429, 503 with Retry-After); StartUnknown for everything else after the body was sent."""

    def read_status(
        self, connection: LeenaConnection, token: Secret, aop_item_id: str
    ) -> AopObservation:
        """TokenRejected (401), ScopeMissing (403), AopItemNotFound (400, 404);
        UpstreamUnavailable (unreachable, timed out, 429, 5xx); UpstreamUnreadable."""


class TokenSource(Protocol):
    """Valid access tokens, minted at most once at a time over all containers."""

    def get(self, connection: LeenaConnection) -> MintedToken:
        """From memory, else from its secret, else minted. CredentialsRejected, MintInProgress,
        UpstreamUnavailable, UpstreamUnreadable."""

    def replace(self, connection: LeenaConnection, rejected_version: str) -> MintedToken:
        """Another than the rejected one: stored already, or new. Errors as `get`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A run of a Leap workflow as the provider shows it: in an answer or on a webhook.

    `status` is the provider's own word, known or not; it alone says whether the run has ended, as
    `ended_at` is not always there. `error` is one clipped line. Of a bulk run: `row_count`, and as
    `output` `{"output_csv_url", "row_count"}`.
    """

    workflow_run_id: str
    workflow_id: str | None
    version_id: str | None
    status: str
    started_at: datetime | None
    ended_at: datetime | None
    error: str | None
    output: Any
    row_count: int | None = None


class LeapApi(Protocol):
    """Leap Workflows over one connection, in its dialect. Each call is one HTTP request."""

    def start(
        self,
        connection: LeapConnection,
        api_key: Secret,
        *,
        workflow_id: str,
        webhook_url: Secret,
        inputs: Mapping[str, Any] | InputCsv,
    ) -> WorkflowRun:
        """A bulk run of a CSV, in a dialect that `has_bulk_runs`. ApiKeyRejected (401, 403),
        WorkflowNotFound (404), WorkflowRejected (other 4xx);
        UpstreamUnavailable only where the request was provably not taken (refused, DNS, TLS,
        429, 503 with Retry-After); StartUnknown for everything else after the body was sent."""

    def read_run(
        self, connection: LeapConnection, api_key: Secret, workflow_run_id: str, *, is_bulk: bool
    ) -> WorkflowRun:
        """Only in a dialect that `can_be_asked`. ApiKeyRejected (401, 403), WorkflowRunNotFound
        (400, 404); UpstreamUnavailable (unreachable, timed out, 429, 5xx); UpstreamUnreadable."""
