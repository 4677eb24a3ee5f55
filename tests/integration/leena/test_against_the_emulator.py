from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentruns.adapters.http import JsonHttp
from agentruns.adapters.leena import LeenaHttpApi
from agentruns.errors import AgentrunsError, StartUnknown, UpstreamUnavailable, UpstreamUnreadable
from agentruns.provider_ports import AopAccepted, MintedToken
from agentruns.providers import LeenaConnection, LeenaCredentials
from agentruns.refusals import (
    AopItemNotFound,
    AopNotFound,
    AopRejected,
    CredentialsRejected,
    ScopeMissing,
    TokenRejected,
)
from agentruns.secret import Secret
from agentruns.tokens import CachedTokenSource, credentials_secret_name
from local.leena_emulator import LeenaEmulator
from tests.fakes.secrets import InMemorySecretStore
from tests.fakes.stores import InMemoryLeaseStore

CREDENTIALS = LeenaCredentials(
    client_id="demo-client",
    client_secret=Secret("demo-secret"),
    username="demo-user",
    password=Secret("demo-password"),
)


def now() -> datetime:
    return datetime.now(UTC)


class Client:
    """The API over one connection to the emulator, with a short deadline."""

    def __init__(self, url: str) -> None:
        self.connection = LeenaConnection(
            tenant="default",
            name="main",
            region="ap-south-1",
            auth_url=url,
            api_url=url,
            created_at=now(),
            updated_at=now(),
        )
        self.api = LeenaHttpApi(
            JsonHttp(allow_private_networks=True, clock=now, deadline_seconds=1.5, read_seconds=1.0)
        )
        self.token = Secret("none yet")

    def mint(self) -> MintedToken:
        minted = self.api.mint(self.connection, CREDENTIALS)
        self.token = minted.access_token
        return minted

    def execute(self, aop_id: str = "aop-1", run_id: str = "run_1") -> AopAccepted:
        return self.api.execute(
            self.connection,
            self.token,
            aop_id=aop_id,
            message_to_start="Analyze the ticket shared",
            context={"agentruns_run_id": run_id, "priority": "Priority 4"},
        )

    def status(self, aop_item_id: str) -> str:
        return self.api.read_status(self.connection, self.token, aop_item_id).status


@pytest.fixture
def leena() -> Iterator[LeenaEmulator]:
    with LeenaEmulator() as emulator:
        yield emulator


@pytest.fixture
def client(leena) -> Client:
    client = Client(leena.url)
    client.mint()
    return client


def test_a_run_from_the_token_to_its_end(leena, client):
    accepted = client.execute("pauses_then_completes")

    statuses = [client.status(accepted.aop_item_id) for _ in range(6)]

    assert statuses == ["in_progress", *["paused"] * 3, "in_progress", "completed"]
    assert len(leena.ledger.executes("run_1")) == 1
    observed = client.api.read_status(client.connection, client.token, accepted.aop_item_id)
    assert observed.reference_id
    assert observed.initiated_at is not None
    assert observed.completed_at is not None
    assert timedelta(0) <= now() - observed.completed_at < timedelta(minutes=1)


def test_a_token_says_how_long_it_lives(client):
    minted = client.mint()

    assert minted.expires_in_seconds == 3600.0
    assert len(minted.version) == 16


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "x"},
        {"client_secret": Secret("x")},
        {"username": "x"},
        {"password": Secret("x")},
    ],
)
def test_wrong_credentials_say_which_connection_and_what_to_check(client, wrong):
    with pytest.raises(CredentialsRejected, match=r"connection 'main'.*Check client_id") as caught:
        client.api.mint(client.connection, replace(CREDENTIALS, **wrong))

    assert "demo-" not in str(caught.value)


def test_an_unknown_aop_or_item_or_a_dead_token_is_told_apart(leena, client):
    with pytest.raises(AopNotFound):
        client.execute("no_such_aop")
    with pytest.raises(AopItemNotFound, match="404"):
        client.status("0" * 24)
    with pytest.raises(AopItemNotFound, match="400"):
        client.status("not-an-object-id")
    client.token = Secret("made.up.token")
    with pytest.raises(TokenRejected):
        client.execute()
    with pytest.raises(TokenRejected):
        client.status("0" * 24)


EXECUTE_FAULTS = [
    ({"kind": "status", "status": 400}, AopRejected),
    ({"kind": "status", "status": 401}, TokenRejected),
    ({"kind": "status", "status": 403}, ScopeMissing),
    ({"kind": "status", "status": 404}, AopNotFound),
    ({"kind": "status", "status": 429, "headers": {"Retry-After": "3"}}, UpstreamUnavailable),
    ({"kind": "status", "status": 503, "headers": {"Retry-After": "3"}}, UpstreamUnavailable),
    ({"kind": "status", "status": 503}, StartUnknown),
    ({"kind": "status", "status": 500, "accept": True}, StartUnknown),
    ({"kind": "hang"}, StartUnknown),
    ({"kind": "hang", "accept": True}, StartUnknown),
    ({"kind": "reset"}, StartUnknown),
    ({"kind": "reset", "accept": True}, StartUnknown),
    ({"kind": "drop_after_accept"}, StartUnknown),
    ({"kind": "html", "accept": True}, StartUnknown),
    ({"kind": "empty", "accept": True}, StartUnknown),
    ({"kind": "broken_json"}, StartUnknown),
    ({"kind": "wrong_types"}, StartUnknown),
    ({"kind": "slow_drip", "seconds": 0.1}, StartUnknown),
    ({"kind": "huge"}, StartUnknown),
    ({"kind": "gzip_bomb"}, StartUnknown),
    ({"kind": "redirect", "accept": True}, StartUnknown),
    ({"kind": "revoke_token"}, TokenRejected),
]


@pytest.mark.parametrize(("fault", "expected"), EXECUTE_FAULTS)
def test_row_1_a_fault_on_execute_has_its_typed_error(leena, client, fault, expected):
    leena.add_fault(operation="execute", times=1, **fault)

    with pytest.raises(AgentrunsError) as caught:
        client.execute()

    assert type(caught.value) is expected
    if isinstance(caught.value, UpstreamUnavailable):
        assert caught.value.retry_after_seconds == 3.0


@pytest.mark.parametrize("kind", ["extra_fields", "null_run_id"])
def test_row_8_harmless_oddities_of_an_answer_are_taken(leena, client, kind):
    leena.add_fault(operation="execute", kind=kind, times=1)

    assert client.execute().aop_item_id


STATUS_FAULTS = [
    ({"kind": "status", "status": 429}, UpstreamUnavailable),
    ({"kind": "status", "status": 503}, UpstreamUnavailable),
    ({"kind": "hang"}, UpstreamUnavailable),
    ({"kind": "reset"}, UpstreamUnavailable),
    ({"kind": "drop_after_accept"}, UpstreamUnavailable),
    ({"kind": "html"}, UpstreamUnreadable),
    ({"kind": "empty"}, UpstreamUnreadable),
    ({"kind": "broken_json"}, UpstreamUnreadable),
    ({"kind": "wrong_types"}, UpstreamUnreadable),
    ({"kind": "slow_drip", "seconds": 0.1}, UpstreamUnreadable),
    ({"kind": "huge"}, UpstreamUnreadable),
    ({"kind": "gzip_bomb"}, UpstreamUnreadable),
    ({"kind": "redirect"}, UpstreamUnreadable),
    ({"kind": "revoke_token"}, TokenRejected),
]


@pytest.mark.parametrize(("fault", "expected"), STATUS_FAULTS)
def test_row_7_a_fault_on_a_check_has_its_typed_error_and_the_next_check_works(
    leena, client, fault, expected
):
    aop_item_id = client.execute().aop_item_id
    leena.add_fault(operation="status", times=1, **fault)

    with pytest.raises(AgentrunsError) as caught:
        client.status(aop_item_id)

    assert type(caught.value) is expected
    client.mint()
    assert client.status(aop_item_id) in {"in_progress", "completed"}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "status", "status": 429}, UpstreamUnavailable),
        ({"kind": "status", "status": 500}, UpstreamUnavailable),
        ({"kind": "hang"}, UpstreamUnavailable),
        ({"kind": "drop_after_accept"}, UpstreamUnavailable),
        ({"kind": "html"}, UpstreamUnreadable),
        ({"kind": "broken_json"}, UpstreamUnreadable),
        ({"kind": "wrong_types"}, UpstreamUnreadable),
        ({"kind": "redirect"}, UpstreamUnreadable),
    ],
)
def test_a_fault_on_the_token_endpoint_has_its_typed_error(leena, client, fault, expected):
    leena.add_fault(operation="token", times=1, **fault)

    with pytest.raises(expected):
        client.mint()


def test_row_1_two_hundred_starts_under_faults_never_start_twice(leena, client):
    """30 % of the starts meet one of eight faults; what was provably not taken is sent again."""
    faults: list[dict[str, Any]] = [
        {"kind": "drop_after_accept"},
        {"kind": "reset"},
        {"kind": "reset", "accept": True},
        {"kind": "html", "accept": True},
        {"kind": "broken_json"},
        {"kind": "status", "status": 500, "accept": True},
        {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
        {"kind": "status", "status": 503, "headers": {"Retry-After": "0"}},
    ]
    for seed, fault in enumerate(faults):
        leena.add_fault(operation="execute", probability=0.043, seed=seed, **fault)

    def start(number: int) -> str:
        for _ in range(6):
            try:
                client.execute("completes_at_once", f"run_{number}")
            except UpstreamUnavailable:
                continue
            except StartUnknown:
                return "start_unknown"
            return "accepted"
        return "gave_up"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(start, range(200)))

    starts = [len(leena.ledger.executes(f"run_{number}")) for number in range(200)]
    assert max(starts) == 1
    assert {starts[n] for n in range(200) if outcomes[n] == "accepted"} == {1}
    assert "gave_up" not in outcomes
    assert 0 < outcomes.count("start_unknown") < 100


def test_row_3_a_revoked_token_is_replaced_once_by_all_who_meet_it(leena, client):
    secrets, leases = InMemorySecretStore(), InMemoryLeaseStore()
    secrets.put(
        credentials_secret_name("agentruns/test", "default", "main"),
        {
            "client_id": "demo-client",
            "client_secret": "demo-secret",
            "username": "demo-user",
            "password": "demo-password",
        },
        "",
    )
    sources = [
        CachedTokenSource(
            api=client.api,
            secrets=secrets,
            leases=leases,
            clock=now,
            secret_prefix="agentruns/test",
        )
        for _ in range(20)
    ]
    before = len(leena.ledger.mints())

    def execute(source: CachedTokenSource) -> str:
        token = source.get(client.connection)
        try:
            client.api.execute(
                client.connection,
                token.access_token,
                aop_id="aop-1",
                message_to_start="",
                context={},
            )
        except TokenRejected:
            return source.replace(client.connection, token.version).version
        return token.version

    first = sources[0].get(client.connection)
    leena.tokens.revoke_all()
    with ThreadPoolExecutor(20) as pool:
        versions = set(pool.map(execute, sources))

    assert len(versions) == 1
    assert versions != {first.version}
    assert len(leena.ledger.mints()) - before == 2
