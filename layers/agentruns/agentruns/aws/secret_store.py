"""JSON documents in Secrets Manager.

botocore owns the retries of throttling. A secret that was deleted by force stays half there for a
moment (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html); this
module waits for it a bounded time. Not a cache: `tokens` remembers what it read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agentruns.errors import SecretMalformed, StoreContention

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

PUT_ATTEMPTS = 5
PUT_BACKOFF_SECONDS = 0.2


class SecretsManagerSecretStore:
    """`agentruns.ports.SecretStore`; `client` is asked for at the first use."""

    def __init__(
        self,
        client: Callable[[], SecretsManagerClient],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._sleep = sleep

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The current version. A secret that is being deleted is as good as none."""
        return self._read(name, "AWSCURRENT")

    def get_previous(self, name: str) -> Mapping[str, Any] | None:
        """The version that Secrets Manager labels AWSPREVIOUS, since the last put."""
        return self._read(name, "AWSPREVIOUS")

    def _read(self, name: str, stage: str) -> Mapping[str, Any] | None:
        client = self._client()
        try:
            answer = client.get_secret_value(SecretId=name, VersionStage=stage)
        except (
            client.exceptions.ResourceNotFoundException,
            client.exceptions.InvalidRequestException,
        ):
            return None
        return _parse(name, answer.get("SecretString"))

    def put(self, name: str, document: Mapping[str, Any], description: str) -> None:
        """Create it or put a new version; `description` is set where it is created.

        StoreContention where a secret of this name is still being deleted after three seconds.
        """
        text = json.dumps(dict(document))
        client = self._client()
        for attempt in range(PUT_ATTEMPTS):
            try:
                self._put_or_create(client, name, text, description)
            except (
                # Somebody else created it between our two calls: put again.
                client.exceptions.ResourceExistsException,
                # It is marked as deleted.
                client.exceptions.InvalidRequestException,
            ):
                if attempt + 1 < PUT_ATTEMPTS:
                    self._sleep(PUT_BACKOFF_SECONDS * 2**attempt)
            else:
                return
        raise StoreContention(f"secret {name!r}", PUT_ATTEMPTS)

    @staticmethod
    def _put_or_create(
        client: SecretsManagerClient, name: str, text: str, description: str
    ) -> None:
        try:
            client.put_secret_value(SecretId=name, SecretString=text)
        except client.exceptions.ResourceNotFoundException:
            client.create_secret(Name=name, SecretString=text, Description=description)

    def delete(self, name: str) -> None:
        client = self._client()
        try:
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        except client.exceptions.ResourceNotFoundException:
            return


def _parse(name: str, text: str | None) -> Mapping[str, Any]:
    if text is None:
        raise SecretMalformed(name, "it is binary, not a JSON object")
    try:
        document = json.loads(text)
    except ValueError:
        # Without the cause: its message and its `doc` quote the secret.
        raise SecretMalformed(name, "it is not JSON") from None
    if not isinstance(document, dict):
        raise SecretMalformed(name, "it is not a JSON object")
    return document
