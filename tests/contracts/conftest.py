from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from agentruns.aws.clients import AwsClients
from agentruns.store.table import DynamoDbTable
from tests.contracts.table import TABLE_NAME, table_definition


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsClients]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield AwsClients()


@pytest.fixture
def table(aws: AwsClients) -> DynamoDbTable:
    aws.dynamodb().create_table(**table_definition())
    return DynamoDbTable(TABLE_NAME, aws.dynamodb, sleep=lambda seconds: None)
