import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns.errors import (
    ConnectionNotFound,
    MintInProgress,
    SecretMalformed,
    UpstreamUnavailable,
)
from agentruns.provider_ports import MintedToken
from agentruns.providers import LeenaConnection
from agentruns.refusals import CredentialsRejected
from agentruns.secret import Secret
from agentruns.tokens import (
    MEMORY_ENTRIES,
    CachedTokenSource,
    credentials_secret_name,
    parse_credentials,
    refresh_after_seconds,
    token_secret_name,
)
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.leena import FakeLeenaApi
from tests.fakes.secrets import InMemorySecretStore
from tests.fakes.stores import InMemoryLeaseStore

PREFIX = "agentruns/test"
CREDENTIALS = {"client_id": "c", "client_secret": "s", "username": "u", "password": "p"}
CONNECTION = LeenaConnection(
    tenant="default",
    name="main",
    region="ap-south-1",
    auth_url="https://acl.leena.ai",
    api_url="https://aic.leena.ai",
    created_at=NOON,
    updated_at=NOON,
)
LEASE = "mint#default#main"
TOKEN_SECRET = token_secret_name(PREFIX, "default", "main")
DOWN = UpstreamUnavailable("down")


class StoreDown(Exception):
    pass


class FailingSecrets(InMemorySecretStore):
    """Fails like Secrets Manager while `down` (reads) or `read_only` (writes)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.read_only = False

    def get(self, name):
        if self.down:
            raise StoreDown
        return super().get(name)

    def put(self, name, document, description):
        if self.down or self.read_only:
            raise StoreDown
        super().put(name, document, description)


class World:
    """What all containers share, and a clock that sleeping moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.api = FakeLeenaApi()
        self.secrets = FailingSecrets()
        self.leases = InMemoryLeaseStore()
        self.naps: list[float] = []
        self.during_nap: Callable[[], None] = lambda: None
        self.store_credentials(CONNECTION)

    def store_credentials(self, connection: LeenaConnection) -> None:
        name = credentials_secret_name(PREFIX, connection.tenant, connection.name)
        self.secrets.documents[name] = json.dumps(CREDENTIALS)

    def container(self) -> CachedTokenSource:
        return CachedTokenSource(
            api=self.api,
            secrets=self.secrets,
            leases=self.leases,
            clock=self.clock,
            secret_prefix=PREFIX,
            sleep=self.nap,
            spread=lambda: 1.0,
        )

    def nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.clock.advance(seconds)
        self.during_nap()

    @property
    def mints(self) -> int:
        return len(self.api.mints)


@pytest.fixture
def world() -> World:
    return World()


def minted(name: str, seconds: float) -> MintedToken:
    return MintedToken(
        access_token=Secret(name), expires_in_seconds=seconds, version=f"version-{name}"
    )


def test_a_cold_stack_mints_once_and_shares_the_token(world):
    first = world.container().get(CONNECTION)
    second = world.container().get(CONNECTION)

    assert world.mints == 1
    assert (second.access_token, second.version) == (first.access_token, first.version)
    assert json.loads(world.secrets.documents[TOKEN_SECRET]) == {
        "access_token": "token-1",
        "version": "version-1",
        "minted_at": "2026-01-02T12:00:00+00:00",
        "refresh_at": "2026-01-02T12:48:00+00:00",
        "expires_at": "2026-01-02T13:00:00+00:00",
        "connection_updated_at": "2026-01-02T12:00:00+00:00",
    }
    assert world.leases.holder(LEASE) is None


def test_row_6_a_warm_container_asks_nobody(world):
    container = world.container()
    container.get(CONNECTION)
    world.secrets.reads.clear()
    world.clock.advance(2879)

    container.get(CONNECTION)

    assert (world.secrets.reads, world.mints) == ([], 1)


def test_row_3_a_token_is_refreshed_at_80_percent_of_its_life(world):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2880)

    assert container.get(CONNECTION).version == "version-2"
    assert world.secrets.writes == [TOKEN_SECRET, TOKEN_SECRET]


def test_a_container_takes_over_what_another_refreshed(world):
    one, other = world.container(), world.container()
    one.get(CONNECTION)
    other.get(CONNECTION)
    world.clock.advance(2880)
    one.get(CONNECTION)

    assert other.get(CONNECTION).version == "version-2"
    assert world.mints == 2


def test_nobody_waits_for_a_refresh_while_the_old_token_is_valid(world):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2880)
    world.leases.acquire(LEASE, "another", world.clock(), 30)

    assert container.get(CONNECTION).version == "version-1"
    assert (world.naps, world.mints) == ([], 1)


def test_row_6_a_failed_refresh_goes_on_with_the_valid_token_and_is_tried_again_later(
    world, caplog
):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2880)
    world.api.on_mint(DOWN)

    caplog.clear()  # of the first mint, where another test has left the logger at INFO
    with caplog.at_level(logging.WARNING, "agentruns.tokens"):
        versions = [container.get(CONNECTION).version for _ in range(3)]

    assert versions == ["version-1"] * 3
    assert world.mints == 2
    assert [record.message for record in caplog.records] == ["token_refresh_failed"]
    assert world.leases.holder(LEASE) is None
    world.clock.advance(30)
    assert container.get(CONNECTION).version == "version-3"


def test_a_shared_token_that_is_due_carries_a_cold_container_through_an_outage(world):
    world.container().get(CONNECTION)
    world.clock.advance(3000)
    world.api.on_mint(DOWN)

    assert world.container().get(CONNECTION).version == "version-1"


def test_an_expired_token_is_not_used_whatever_fails(world):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(3600)
    world.api.on_mint(DOWN)

    with pytest.raises(UpstreamUnavailable):
        container.get(CONNECTION)


def test_refused_credentials_are_not_papered_over_by_the_old_token(world):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2880)
    world.api.on_mint(CredentialsRejected("main", 401, "no"))

    with pytest.raises(CredentialsRejected):
        container.get(CONNECTION)
    assert world.leases.holder(LEASE) is None


def test_row_6_secrets_manager_is_not_needed_while_a_token_is_valid(world):
    container = world.container()
    container.get(CONNECTION)
    world.secrets.down = True
    world.clock.advance(3599)

    assert container.get(CONNECTION).version == "version-1"
    world.clock.advance(1)
    with pytest.raises(StoreDown):
        container.get(CONNECTION)


def test_a_token_that_cannot_be_stored_is_used_all_the_same(world, caplog):
    world.secrets.read_only = True
    container = world.container()

    assert container.get(CONNECTION).version == "version-1"
    assert container.get(CONNECTION).version == "version-1"
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == [
        "token_not_stored"
    ]


def test_a_lease_that_cannot_be_released_does_not_lose_the_token(world, monkeypatch, caplog):
    def fail(name, owner):
        raise StoreDown

    monkeypatch.setattr(world.leases, "release", fail)

    assert world.container().get(CONNECTION).version == "version-1"
    assert "mint_lease_not_released" in [record.message for record in caplog.records]


@pytest.mark.parametrize(("life", "writes"), [(599.0, 0), (600.0, 1)])
def test_a_short_token_stays_in_memory(world, life, writes):
    world.api.on_mint(minted("a", life))
    container = world.container()

    container.get(CONNECTION)
    container.get(CONNECTION)

    assert (len(world.secrets.writes), world.mints) == (writes, 1)


def test_a_tiny_token_is_usable_until_it_expires(world):
    world.api.on_mint(minted("a", 3.0), DOWN, DOWN)
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2.9)

    assert container.get(CONNECTION).version == "version-a"
    world.clock.advance(0.1)
    with pytest.raises(UpstreamUnavailable):
        container.get(CONNECTION)


@pytest.mark.parametrize(
    ("life", "refresh"), [(3600, 2880), (300, 240), (301, 240.8), (120, 60), (61, 1), (60, 48)]
)
def test_a_token_is_due_at_80_percent_or_60_seconds_before_its_end(life, refresh):
    assert refresh_after_seconds(life) == pytest.approx(refresh)


@given(life=st.floats(min_value=1e-3, max_value=1e9))
def test_row_5_a_token_is_due_within_its_life(life):
    refresh = refresh_after_seconds(life)

    assert 0 < refresh < life
    assert refresh <= 0.8 * life
    assert life <= 60 or refresh <= life - 60


def test_row_4_a_loser_waits_and_takes_the_winners_token(world):
    world.leases.acquire(LEASE, "another", world.clock(), 30)

    def win_after_three_naps():
        if len(world.naps) == 3:
            other = world.container()
            world.leases.release(LEASE, "another")
            other.get(CONNECTION)
            world.leases.acquire(LEASE, "another", world.clock(), 30)

    world.during_nap = win_after_three_naps

    assert world.container().get(CONNECTION).version == "version-1"
    assert world.mints == 1
    assert world.naps == pytest.approx([0.2, 0.3, 0.45])


def test_row_4_whoever_gets_the_lease_looks_again_before_it_mints(world, monkeypatch):
    acquire = world.leases.acquire

    def acquire_after_another_minted(*args):
        monkeypatch.setattr(world.leases, "acquire", acquire)
        world.container().get(CONNECTION)
        return acquire(*args)

    monkeypatch.setattr(world.leases, "acquire", acquire_after_another_minted)

    assert world.container().get(CONNECTION).version == "version-1"
    assert world.mints == 1


def test_a_lease_whose_holder_died_runs_out(world):
    world.leases.acquire(LEASE, "dead", world.clock() - timedelta(seconds=10), 30)

    assert world.container().get(CONNECTION).version == "version-1"
    assert 20 <= sum(world.naps) < 25


def test_a_loser_gives_up_after_25_seconds(world):
    world.leases.acquire(LEASE, "another", world.clock(), 1000)

    with pytest.raises(MintInProgress, match=r"connection 'main': .*waited 2[56]\.\d s"):
        world.container().get(CONNECTION)
    assert world.mints == 0


def test_a_loser_gives_up_even_where_the_clock_stands_still(world):
    world.leases.acquire(LEASE, "another", world.clock(), 1000)
    world.clock.advance = lambda seconds: world.clock.now

    with pytest.raises(MintInProgress):
        world.container().get(CONNECTION)


def test_a_rejected_token_is_minted_anew_once(world):
    one, other = world.container(), world.container()
    rejected = one.get(CONNECTION).version
    other.get(CONNECTION)

    assert one.replace(CONNECTION, rejected).version == "version-2"
    assert other.replace(CONNECTION, rejected).version == "version-2"
    assert other.get(CONNECTION).version == "version-2"
    assert world.mints == 2


def test_the_token_another_thread_already_replaced_is_kept(world):
    container = world.container()
    rejected = container.get(CONNECTION).version
    container.replace(CONNECTION, rejected)
    world.secrets.reads.clear()

    assert container.replace(CONNECTION, rejected).version == "version-2"
    assert (world.mints, world.secrets.reads) == (2, [])


def test_an_older_shared_token_does_not_replace_a_rejected_one(world):
    container = world.container()
    container.get(CONNECTION)
    world.clock.advance(2880)
    world.secrets.read_only = True
    rejected = container.get(CONNECTION).version
    world.clock.advance(10)

    assert rejected == "version-2"
    assert container.replace(CONNECTION, rejected).version == "version-3"


def test_a_failed_replacement_does_not_bring_the_rejected_token_back(world):
    container = world.container()
    rejected = container.get(CONNECTION).version
    world.api.on_mint(DOWN)

    with pytest.raises(UpstreamUnavailable):
        container.replace(CONNECTION, rejected)
    assert world.leases.holder(LEASE) is None


def test_a_connection_that_was_stored_anew_gets_a_token_of_its_own(world):
    container = world.container()
    container.get(CONNECTION)
    newer = replace(CONNECTION, updated_at=NOON + timedelta(seconds=1))
    world.clock.advance(2)

    assert container.get(newer).version == "version-2"
    assert world.container().get(newer).version == "version-2"
    assert world.mints == 2


def test_a_token_minted_during_the_change_for_the_older_connection_is_not_used(world):
    newer = replace(CONNECTION, updated_at=NOON + timedelta(seconds=1))
    world.clock.advance(60)
    world.container().get(CONNECTION)

    assert world.container().get(newer).version == "version-2"


def test_tenants_and_connections_have_tokens_of_their_own(world):
    others = [replace(CONNECTION, name="second"), replace(CONNECTION, tenant="acme")]
    container = world.container()
    for connection in others:
        world.store_credentials(connection)

    versions = [container.get(each).version for each in (CONNECTION, *others)]

    assert versions == ["version-1", "version-2", "version-3"]
    assert world.secrets.writes == [
        "agentruns/test/tokens/default/main",
        "agentruns/test/tokens/default/second",
        "agentruns/test/tokens/acme/main",
    ]


def test_memory_is_bounded(world):
    container = world.container()
    for number in range(MEMORY_ENTRIES + 1):
        connection = replace(CONNECTION, name=f"c{number}")
        world.store_credentials(connection)
        container.get(connection)
    world.secrets.reads.clear()

    container.get(replace(CONNECTION, name="c1"))
    assert world.secrets.reads == []
    container.get(replace(CONNECTION, name="c0"))
    assert world.secrets.reads == ["agentruns/test/tokens/default/c0"]


def test_without_credentials_there_is_no_connection(world):
    world.secrets.documents.clear()

    with pytest.raises(ConnectionNotFound, match="'main'"):
        world.container().get(CONNECTION)
    assert world.leases.holder(LEASE) is None


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"password": None}, "password"),
        ({"client_secret": 7, "username": ""}, "client_secret, username"),
        ({"client_id": "half \ud800"}, "client_id"),
    ],
)
def test_malformed_credentials_are_named_and_not_shown(change, fields):
    with pytest.raises(SecretMalformed) as caught:
        parse_credentials("name", {**CREDENTIALS, **change})

    assert str(caught.value) == f"secret 'name': missing or not text: {fields}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"access_token": "t", "version": "v"}',
        '{"access_token": "", "version": "v", "minted_at": "2026-01-02T12:00:00+00:00",'
        ' "refresh_at": "2026-01-02T13:00:00+00:00", "expires_at": "2026-01-02T13:00:00+00:00",'
        ' "connection_updated_at": "2026-01-02T12:00:00+00:00"}',
        '{"access_token": "t", "version": "v", "minted_at": 1, "refresh_at": 2,'
        ' "expires_at": 3, "connection_updated_at": 4}',
    ],
)
def test_a_broken_token_secret_is_overwritten(world, text):
    world.secrets.put_text(TOKEN_SECRET, text)

    assert world.container().get(CONNECTION).version == "version-1"
    assert world.secrets.writes == [TOKEN_SECRET]


def test_row_24_nothing_logged_holds_a_token_or_a_credential(world, caplog):
    token = MintedToken(access_token=Secret("canary"), expires_in_seconds=3600, version="v1")
    world.api.on_mint(token, DOWN)
    name = credentials_secret_name(PREFIX, "default", "main")
    world.secrets.documents[name] = json.dumps(dict.fromkeys(CREDENTIALS, "canary"))
    container = world.container()
    with caplog.at_level(logging.DEBUG):
        container.get(CONNECTION)
        world.clock.advance(2880)
        container.get(CONNECTION)

    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "token_minted" in logged
    assert "token_refresh_failed" in logged
    assert "canary" not in logged


class SlowLeenaApi(FakeLeenaApi):
    """Takes its time, so that everybody comes while one mints."""

    def mint(self, connection, credentials):
        nap_really(0.05)
        return super().mint(connection, credentials)


def nap_really(seconds: float) -> None:
    threading.Event().wait(min(seconds, 0.05))


def in_a_hundred_containers(
    world: World, use: Callable[[CachedTokenSource], MintedToken]
) -> list[str]:
    """The versions that 100 threads get at once, each with a container of its own."""
    world.api = SlowLeenaApi()
    start = threading.Barrier(100)
    versions: list[str] = []

    def live() -> None:
        container = CachedTokenSource(
            api=world.api,
            secrets=world.secrets,
            leases=world.leases,
            clock=world.clock,
            secret_prefix=PREFIX,
            sleep=nap_really,
        )
        start.wait(10)
        versions.append(use(container).version)

    threads = [threading.Thread(target=live) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return versions


def test_row_4_a_hundred_cold_containers_mint_once(world):
    versions = in_a_hundred_containers(world, lambda container: container.get(CONNECTION))

    assert versions == ["version-1"] * 100
    assert world.mints == 1


def test_row_3_a_hundred_rejections_of_one_token_mint_one_replacement(world):
    world.api.on_mint(minted("dead", 3600))
    world.container().get(CONNECTION)

    versions = in_a_hundred_containers(
        world, lambda container: container.replace(CONNECTION, "version-dead")
    )

    assert versions == ["version-1"] * 100
    assert world.mints == 1


def test_row_4_the_threads_of_one_container_mint_a_short_token_once(world):
    api, shared = world.api, world.container()
    api.on_mint(minted("short", 599))

    versions = in_a_hundred_containers(world, lambda _container: shared.get(CONNECTION))

    assert versions == ["version-short"] * 100
    assert len(api.mints) == 1
