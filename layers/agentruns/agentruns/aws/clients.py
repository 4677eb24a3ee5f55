"""The boto clients: one botocore session, each client built when it is first asked for.

Region, credentials and endpoint come from the environment, as boto3 reads it. botocore's session,
not boto3's: the clients are the same, and a worker's cold start takes an eighth less.

botocore owns the retries of throttling and of broken connections (standard mode, 4 attempts in
all); what calls a client must bear that a request is delivered twice.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.session import Session, get_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_events.client import EventBridgeClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_stepfunctions.client import SFNClient

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
STEP_FUNCTIONS_READ_TIMEOUT_SECONDS = 15
TOTAL_ATTEMPTS = 4
CONNECTIONS = 32
"""Kept open per service: the sweeper's threads. botocore's ten would close and open the rest."""


class AwsClients:
    """Shared by everything in a process; safe to use from several threads."""

    def __init__(self, session: Session | None = None) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = RLock()

    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb", READ_TIMEOUT_SECONDS))

    def secretsmanager(self) -> SecretsManagerClient:
        return cast("SecretsManagerClient", self._client("secretsmanager", READ_TIMEOUT_SECONDS))

    def stepfunctions(self) -> SFNClient:
        timeout_seconds = STEP_FUNCTIONS_READ_TIMEOUT_SECONDS
        return cast("SFNClient", self._client("stepfunctions", timeout_seconds))

    def events(self) -> EventBridgeClient:
        return cast("EventBridgeClient", self._client("events", READ_TIMEOUT_SECONDS))

    def s3(self) -> S3Client:
        return cast("S3Client", self._client("s3", READ_TIMEOUT_SECONDS))

    def _client(self, service: str, read_timeout_seconds: int) -> Any:
        with self._lock:
            if self._session is None:
                self._session = get_session()
            if service not in self._clients:
                create: Any = self._session.create_client
                self._clients[service] = create(
                    service,
                    config=Config(
                        connect_timeout=CONNECT_TIMEOUT_SECONDS,
                        read_timeout=read_timeout_seconds,
                        max_pool_connections=CONNECTIONS,
                        retries={"mode": "standard", "total_max_attempts": TOTAL_ATTEMPTS},
                    ),
                )
            return self._clients[service]
