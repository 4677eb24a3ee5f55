"""Operator keys: what is stored, what is remembered, and how long."""

from __future__ import annotations

import hashlib

import pytest

from agentruns.errors import OperatorKeyNotFound
from agentruns.issued_keys import REMEMBERED_KEYS
from agentruns.operator_keys import (
    Caller,
    IssueOperatorKey,
    OperatorKeyring,
    RevokeOperatorKey,
    Scope,
)
from agentruns.request_errors import ScopeDenied, Unauthenticated
from agentruns.secret import Secret
from tests.fakes import FakeClock, InMemoryOperatorKeyStore, InMemorySecretStore

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:operator-key"
ADMIN = Caller(
    tenant="acme-corp",
    key_id="k",
    scopes=frozenset({Scope.READ, Scope.OPERATE, Scope.ADMIN}),
)
PLATFORM = Caller(tenant="default", key_id="bootstrap", scopes=frozenset(Scope))


class CountingKeyStore(InMemoryOperatorKeyStore):
    def __init__(self) -> None:
        super().__init__()
        self.lookups = 0

    def find(self, key_id: str):
        self.lookups += 1
        return super().find(key_id)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys() -> CountingKeyStore:
    return CountingKeyStore()


@pytest.fixture
def keyring(keys: CountingKeyStore, clock: FakeClock) -> OperatorKeyring:
    secrets = InMemorySecretStore()
    secrets.put(ARN, {"tenant": "default", "key": "b" * 43}, "")
    return OperatorKeyring(keys=keys, secrets=secrets, bootstrap_secret_arn=ARN, clock=clock)


@pytest.fixture
def issue(keys: CountingKeyStore, clock: FakeClock) -> IssueOperatorKey:
    return IssueOperatorKey(keys=keys, clock=clock)


def issued(
    issue: IssueOperatorKey, *scopes: Scope, caller: Caller = ADMIN, tenant: str | None = None
):
    return issue(caller, name="n", scopes=scopes, tenant=tenant, expires_in_days=None)


def test_only_the_hash_is_stored(issue: IssueOperatorKey):
    key = issued(issue, Scope.READ)
    digest = hashlib.sha256(key.secret.reveal().encode()).hexdigest()
    assert key.key.secret_sha256 == digest
    assert key.secret.reveal() not in repr(key)


def test_a_key_speaks_for_its_tenant_with_its_scopes(
    issue: IssueOperatorKey, keyring: OperatorKeyring
):
    key = issued(issue, Scope.OPERATE, Scope.READ, caller=PLATFORM, tenant="other")
    caller = keyring.authenticate(key.secret)
    assert (caller.tenant, caller.scopes) == ("other", frozenset({Scope.OPERATE, Scope.READ}))
    assert caller.key_id == key.key.key_id


def test_admin_includes_what_it_could_grant_itself(
    issue: IssueOperatorKey, keyring: OperatorKeyring
):
    caller = keyring.authenticate(issued(issue, Scope.ADMIN).secret)
    assert caller.scopes == {Scope.READ, Scope.OPERATE, Scope.ADMIN}


def test_the_bootstrap_key_has_every_scope(keyring: OperatorKeyring):
    caller = keyring.authenticate(Secret("b" * 43))
    assert (caller.tenant, caller.scopes) == ("default", frozenset(Scope))


@pytest.mark.parametrize("caller", [ADMIN, PLATFORM])
def test_nobody_grants_platform(issue: IssueOperatorKey, caller: Caller):
    with pytest.raises(ScopeDenied):
        issued(issue, Scope.PLATFORM, caller=caller)


def test_without_admin_no_key_is_issued(issue: IssueOperatorKey):
    reader = Caller(tenant="acme-corp", key_id="k", scopes=frozenset({Scope.READ}))
    with pytest.raises(ScopeDenied):
        issued(issue, Scope.READ, caller=reader)


def test_a_key_is_looked_up_once_a_minute(
    issue: IssueOperatorKey, keyring: OperatorKeyring, keys: CountingKeyStore, clock: FakeClock
):
    key = issued(issue, Scope.READ)
    for _ in range(10):
        keyring.authenticate(key.secret)
    assert keys.lookups == 1
    clock.advance(60)
    keyring.authenticate(key.secret)
    assert keys.lookups == 2


def test_the_memory_is_bounded(
    issue: IssueOperatorKey, keyring: OperatorKeyring, keys: CountingKeyStore
):
    for _ in range(REMEMBERED_KEYS + 10):
        keyring.authenticate(issued(issue, Scope.READ).secret)
    assert len(keyring._memory) <= REMEMBERED_KEYS


def test_an_unknown_key_is_not_remembered(keyring: OperatorKeyring):
    with pytest.raises(Unauthenticated):
        keyring.authenticate(Secret("ark_0123456789abcdef_" + "x" * 43))
    assert len(keyring._memory) == 0


def test_revoking_is_for_the_own_tenant(
    issue: IssueOperatorKey, keyring: OperatorKeyring, keys: CountingKeyStore
):
    revoke = RevokeOperatorKey(keys=keys, keyring=keyring)
    foreign = issued(issue, Scope.READ, caller=PLATFORM, tenant="other")
    with pytest.raises(OperatorKeyNotFound):
        revoke(ADMIN, foreign.key.key_id)
    keyring.authenticate(foreign.secret)
    revoke(PLATFORM, foreign.key.key_id)
    with pytest.raises(Unauthenticated):
        keyring.authenticate(foreign.secret)
