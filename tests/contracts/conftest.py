from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from botocore.session import Session, get_session
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data

from agentruns.aws.clients import AwsClients
from agentruns.store.table import DynamoDbTable
from tests.contracts.table import TABLE_NAME, table_definition


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def aws(moto: None, monkeypatch: pytest.MonkeyPatch) -> AwsClients:
    """Clients of this test alone, which may listen to their events; and nothing is there yet."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    BackendDict.reset()
    reset_model_data()
    return AwsClients(shared_session())


@cache
def shared_session() -> Session:
    """Made once, as it takes longer than a client."""
    return get_session()


@pytest.fixture
def table(aws: AwsClients) -> DynamoDbTable:
    aws.dynamodb().create_table(**table_definition())
    return DynamoDbTable(TABLE_NAME, aws.dynamodb, sleep=lambda seconds: None)
