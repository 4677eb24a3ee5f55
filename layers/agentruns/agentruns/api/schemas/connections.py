"""Bodies and answers of `/v1/connections`. No answer has a field for a credential."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, RootModel, SecretStr
from pydantic_core import PydanticCustomError

from agentruns.api.schemas.fields import Answer, Body, Moment, Name
from agentruns.budget import MOST_REQUESTS_PER_MINUTE
from agentruns.connection_checks import ConnectionCheck
from agentruns.connections import Access, LeapAccess, LeenaAccess
from agentruns.providers import (
    Connection,
    ConnectionLimits,
    LeapConnection,
    LeapCredentials,
    LeapDialect,
    LeenaCredentials,
    require_leena,
)
from agentruns.secret import Secret

_PublicText = Annotated[str, Field(min_length=1, max_length=1024)]
_SecretText = Annotated[SecretStr, Field(min_length=1, max_length=4096)]


def _require_header_safe(secret: SecretStr) -> SecretStr:
    if not all("!" <= char <= "~" for char in secret.get_secret_value()):
        raise PydanticCustomError("not_a_header", "must be visible ASCII without spaces")
    return secret


_HeaderSafe = AfterValidator(_require_header_safe)
_MaxConcurrentRuns = Annotated[
    int,
    Field(
        ge=1,
        le=1000,
        description="How many activities may be under way at once; the others wait, `queued`.",
        examples=[20],
    ),
]
_RequestsPerMinute = Annotated[
    int,
    Field(
        ge=1,
        le=MOST_REQUESTS_PER_MINUTE,
        description="How many starts and looks may be sent in any 60 s; what is more waits.",
        examples=[600],
    ),
]
_Url = Annotated[str, Field(min_length=1, max_length=2048)]


class BaseUrlsBody(Body):
    """Other hosts than the region's: a proxy, a test system, the local emulator."""

    auth: Annotated[_Url | None, Field(examples=["https://us-east-1-acl.leena.ai"])] = None
    api: Annotated[_Url | None, Field(examples=["https://us-east-1-aic.leena.ai"])] = None


class LeenaConnectionBody(Body):
    """Access to Leena AI."""

    provider: Annotated[Literal["leena"], Field(examples=["leena"])]
    region: Annotated[str, Field(min_length=1, max_length=64, examples=["us-east-1"])]
    client_id: _PublicText
    client_secret: _SecretText
    username: _PublicText
    password: _SecretText
    base_urls: BaseUrlsBody | None = None

    def access(self) -> Access:
        credentials = LeenaCredentials(
            client_id=self.client_id,
            client_secret=Secret(self.client_secret.get_secret_value()),
            username=self.username,
            password=Secret(self.password.get_secret_value()),
        )
        return LeenaAccess(
            region=self.region, base_urls=self._base_url_overrides(), credentials=credentials
        )

    def _base_url_overrides(self) -> dict[str, str]:
        if self.base_urls is None:
            return {}
        urls = {"auth": self.base_urls.auth, "api": self.base_urls.api}
        return {host: url for host, url in urls.items() if url is not None}


class LeapConnectionBody(Body):
    """Access to Leap Workflows."""

    provider: Annotated[Literal["leap"], Field(examples=["leap"])]
    api_key: Annotated[SecretStr, Field(min_length=1, max_length=4096), _HeaderSafe]
    dialect: Annotated[
        Literal["workflows", "runs"],
        Field(
            description="`workflows`: POST /v1/workflows, no run can be read. `runs`: POST "
            "/v1/runs and GET /v1/runs/{id}, as the published clients.",
        ),
    ] = "workflows"
    base_url: Annotated[_Url | None, Field(examples=["https://api.workflows.tryleap.ai"])] = None

    def access(self) -> Access:
        return LeapAccess(
            dialect=LeapDialect(self.dialect),
            base_url=self.base_url,
            credentials=LeapCredentials(api_key=Secret(self.api_key.get_secret_value())),
        )


class ConnectionBody(
    RootModel[Annotated[LeenaConnectionBody | LeapConnectionBody, Field(discriminator="provider")]]
):
    """Access to one of the providers, told apart by `provider`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, defer_build=True)

    def access(self) -> Access:
        return self.root.access()


class LimitsBody(Body):
    """All limits of the connection: one that is absent or null is lifted."""

    max_concurrent_runs: _MaxConcurrentRuns | None = None
    requests_per_minute: _RequestsPerMinute | None = None

    def limits(self) -> ConnectionLimits:
        return ConnectionLimits(
            max_concurrent_runs=self.max_concurrent_runs,
            requests_per_minute=self.requests_per_minute,
        )


class LimitsAnswer(Answer):
    """Null: not limited."""

    max_concurrent_runs: _MaxConcurrentRuns | None
    requests_per_minute: _RequestsPerMinute | None


class BaseUrlsAnswer(Answer):
    auth: Annotated[str, Field(examples=["https://us-east-1-acl.leena.ai"])]
    api: Annotated[str, Field(examples=["https://us-east-1-aic.leena.ai"])]


class LeenaConnectionAnswer(Answer):
    name: Name
    provider: Literal["leena"]
    region: Annotated[str, Field(examples=["us-east-1"])]
    base_urls: BaseUrlsAnswer
    limits: LimitsAnswer
    created_at: Moment
    updated_at: Moment


class LeapConnectionAnswer(Answer):
    name: Name
    provider: Literal["leap"]
    dialect: Literal["workflows", "runs"]
    base_url: Annotated[str, Field(examples=["https://api.workflows.tryleap.ai"])]
    limits: LimitsAnswer
    created_at: Moment
    updated_at: Moment


ConnectionAnswer = Annotated[
    LeenaConnectionAnswer | LeapConnectionAnswer, Field(discriminator="provider")
]


def answer_connection(
    connection: Connection,
) -> LeenaConnectionAnswer | LeapConnectionAnswer:
    shared: dict[str, Any] = {
        "name": connection.name,
        "limits": LimitsAnswer(
            max_concurrent_runs=connection.limits.max_concurrent_runs,
            requests_per_minute=connection.limits.requests_per_minute,
        ),
        "created_at": connection.created_at,
        "updated_at": connection.updated_at,
    }
    if isinstance(connection, LeapConnection):
        return LeapConnectionAnswer(
            provider="leap",
            dialect=connection.dialect.value,
            base_url=connection.api_url,
            **shared,
        )
    leena = require_leena(connection)
    return LeenaConnectionAnswer(
        provider="leena",
        region=leena.region,
        base_urls=BaseUrlsAnswer(auth=leena.auth_url, api=leena.api_url),
        **shared,
    )


class ConnectionsAnswer(Answer):
    items: list[ConnectionAnswer]
    next_cursor: str | None = None


class CheckAnswer(Answer):
    name: Annotated[str, Field(examples=["token_minted"])]
    ok: bool
    detail: str


class ChecksAnswer(Answer):
    """`ok` is true where every check is. They end with the first that is not, and the gate."""

    ok: bool
    checks: list[CheckAnswer]

    @classmethod
    def of(cls, checks: tuple[ConnectionCheck, ...]) -> ChecksAnswer:
        return cls(
            ok=all(check.ok for check in checks),
            checks=[
                CheckAnswer(name=check.name, ok=check.ok, detail=check.detail) for check in checks
            ],
        )
