"""Connections: in which order rows and secrets are written, and what a crash between leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentruns.connection_checks import CheckConnection
from agentruns.connections import DeleteConnection, LeenaAccess, StoreConnection
from agentruns.errors import ConnectionNotFound, InvalidRequest
from agentruns.providers import LeenaCredentials
from agentruns.secret import Secret
from agentruns.tokens import credentials_secret_name, parse_credentials, token_secret_name
from tests.fakes import (
    FakeClock,
    FakeLeapApi,
    FakeLeenaApi,
    InMemoryActivityStore,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemorySecretStore,
)
from tests.fakes.gates import InMemoryGateStore

PREFIX = "agentruns/test"
CREDENTIALS = LeenaCredentials(
    client_id="c", client_secret=Secret("s"), username="u", password=Secret("p")
)


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.connections = InMemoryConnectionStore()
        self.agents = InMemoryAgentStore()
        self.secrets = InMemorySecretStore()
        self.leena = FakeLeenaApi()

    def store(self, region: str = "home", base_urls: Mapping[str, str] | None = None) -> None:
        StoreConnection(
            connections=self.connections,
            secrets=self.secrets,
            secret_prefix=PREFIX,
            endpoints_for=endpoints_for,
            leap_url="https://leap",
            validate_base_url=validate_base_url,
            clock=self.clock,
        )(
            "acme-corp",
            "main",
            LeenaAccess(region=region, base_urls=base_urls or {}, credentials=CREDENTIALS),
        )

    def delete(self) -> None:
        DeleteConnection(
            connections=self.connections,
            agents=self.agents,
            secrets=self.secrets,
            secret_prefix=PREFIX,
        )("acme-corp", "main")


def endpoints_for(region: str, base_urls: Mapping[str, str]) -> tuple[str, str]:
    if region != "home":
        raise ValueError("must be one of home")
    return base_urls.get("auth", "https://auth"), base_urls.get("api", "https://api")


def validate_base_url(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError("must start with https://")
    return url


@pytest.fixture
def world() -> World:
    return World()


def broken(*_: Any) -> None:
    raise OSError("the line is cut")


def test_the_secret_is_what_the_token_source_reads(world: World):
    world.store()
    name = credentials_secret_name(PREFIX, "acme-corp", "main")
    document = world.secrets.get(name)
    assert document is not None
    assert parse_credentials(name, document) == CREDENTIALS


def test_without_its_secret_there_is_no_row(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.secrets, "put", broken)
    with pytest.raises(OSError, match="the line is cut"):
        world.store()
    with pytest.raises(ConnectionNotFound):
        world.connections.get("acme-corp", "main")


def test_storing_again_makes_older_tokens_useless(world: World):
    world.store()
    before = world.connections.get("acme-corp", "main")
    world.clock.advance(1)
    world.store()
    after = world.connections.get("acme-corp", "main")
    assert after.updated_at > before.updated_at
    assert after.created_at == before.created_at


def test_all_that_is_wrong_is_said_at_once(world: World):
    with pytest.raises(InvalidRequest) as caught:
        world.store("moon", {"auth": "http://a", "api": "http://b"})
    assert [field for field, _ in caught.value.problems] == [
        "region",
        "base_urls.auth",
        "base_urls.api",
    ]
    assert world.secrets.writes == []


def test_a_delete_that_broke_off_can_be_repeated(world: World, monkeypatch: pytest.MonkeyPatch):
    world.store()
    world.secrets.put(token_secret_name(PREFIX, "acme-corp", "main"), {"access_token": "t"}, "")
    with monkeypatch.context() as patch:
        patch.setattr(world.connections, "delete", broken)
        with pytest.raises(OSError, match="the line is cut"):
            world.delete()
    assert world.secrets.documents == {}
    world.delete()
    with pytest.raises(ConnectionNotFound):
        world.delete()


def test_a_check_needs_the_provider_only_once_there_are_credentials(world: World):
    world.store()
    world.secrets.delete(credentials_secret_name(PREFIX, "acme-corp", "main"))
    asked: list[int] = []

    def leena() -> FakeLeenaApi:
        asked.append(1)
        return world.leena

    check = CheckConnection(
        connections=world.connections,
        secrets=world.secrets,
        secret_prefix=PREFIX,
        leena=leena,
        leap=FakeLeapApi,
        gates=InMemoryGateStore(),
        activities=InMemoryActivityStore(),
        clock=world.clock,
    )
    only, _ = check("acme-corp", "main")
    assert (only.name, only.ok, asked) == ("credentials_stored", False, [])
    assert "PUT /v1/connections/main" in only.detail
