"""The contract of `SecretStore`, and what Secrets Manager does beyond it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from agentruns.aws.clients import AwsClients
from agentruns.aws.secret_store import PUT_ATTEMPTS, SecretsManagerSecretStore
from agentruns.errors import SecretMalformed, StoreContention
from tests.fakes import InMemorySecretStore

NAME = "agentruns/test/connections/acme/hr"


@pytest.fixture(params=["in_memory", "secrets_manager"])
def secrets(request: pytest.FixtureRequest) -> Any:
    if request.param == "in_memory":
        return InMemorySecretStore()
    aws: AwsClients = request.getfixturevalue("aws")
    return SecretsManagerSecretStore(aws.secretsmanager)


def put_text(secrets: Any, text: str) -> None:
    if isinstance(secrets, InMemorySecretStore):
        secrets.put_text(NAME, text)
    else:
        secrets._client().create_secret(Name=NAME, SecretString=text)


class TestSecrets:
    def test_none_where_there_is_none(self, secrets):
        assert secrets.get(NAME) is None

    def test_created_then_replaced(self, secrets):
        for document in ({"client_id": "é", "n": 1}, {"other": [None]}):
            secrets.put(NAME, document, "of a test")
            assert secrets.get(NAME) == document

    def test_deleted_at_once_and_put_again(self, secrets):
        secrets.delete(NAME)
        secrets.put(NAME, {"a": 1}, "of a test")
        secrets.delete(NAME)
        secrets.delete(NAME)
        assert secrets.get(NAME) is None
        secrets.put(NAME, {"a": 2}, "of a test")
        assert secrets.get(NAME) == {"a": 2}

    @pytest.mark.parametrize("text", ["canary-not-json", '"canary"', "[1]", "null"])
    def test_row_24_what_is_no_object_is_malformed_and_not_quoted(self, secrets, text):
        put_text(secrets, text)
        with pytest.raises(SecretMalformed) as caught:
            secrets.get(NAME)
        assert NAME in str(caught.value)
        assert "canary" not in str(caught.value)


class TestSecretsManager:
    def test_losing_the_race_to_create_puts_a_new_version(self, aws: AwsClients) -> None:
        client = aws.secretsmanager()
        store = SecretsManagerSecretStore(aws.secretsmanager, sleep=lambda seconds: None)
        raced: list[str] = []

        def create_first(**event: Any) -> None:
            if not raced:
                raced.append("another")
                client.create_secret(Name=NAME, SecretString='{"of": "another"}')

        client.meta.events.register("before-call.secrets-manager.CreateSecret", create_first)
        store.put(NAME, {"of": "us"}, "of a test")
        assert raced == ["another"]
        assert store.get(NAME) == {"of": "us"}

    def test_a_secret_in_its_recovery_window_is_none(self, aws: AwsClients) -> None:
        store = SecretsManagerSecretStore(aws.secretsmanager)
        store.put(NAME, {"a": 1}, "of a test")
        aws.secretsmanager().delete_secret(SecretId=NAME)
        assert store.get(NAME) is None

    def test_a_put_waits_for_a_deletion_to_end_but_not_for_ever(self, aws: AwsClients) -> None:
        waits: list[float] = []
        store = SecretsManagerSecretStore(aws.secretsmanager, sleep=waits.append)
        with Stubber(aws.secretsmanager()) as stubber:
            stubber.add_client_error("put_secret_value", "InvalidRequestException")
            stubber.add_client_error("put_secret_value", "ResourceNotFoundException")
            stubber.add_response("create_secret", {})
            store.put(NAME, {"a": 1}, "of a test")
            assert waits == [0.2]
            for _ in range(PUT_ATTEMPTS):
                stubber.add_client_error("put_secret_value", "InvalidRequestException")
            with pytest.raises(StoreContention):
                store.put(NAME, {"a": 1}, "of a test")
        assert sum(waits[1:]) == pytest.approx(3)

    def test_a_binary_secret_is_malformed(self, aws: AwsClients) -> None:
        aws.secretsmanager().create_secret(Name=NAME, SecretBinary=b"\x00")
        with pytest.raises(SecretMalformed):
            SecretsManagerSecretStore(aws.secretsmanager).get(NAME)
