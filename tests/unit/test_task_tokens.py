"""Task tokens: who signed them, for which run, until when; everything else is refused alike."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest

from agentruns.errors import SecretMalformed
from agentruns.request_errors import Unauthenticated
from agentruns.secret import Secret
from agentruns.task_tokens import GRACE, TaskTokens
from tests.fakes import FakeClock, InMemorySecretStore

ARN = "arn:task-token-key"
KEY = "k" * 64
RUN = "run_01JZX5V9Q8M7K3N2P4R6S8T0VW_1"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secrets() -> InMemorySecretStore:
    store = InMemorySecretStore()
    store.put(ARN, {"key": KEY}, "")
    return store


@pytest.fixture
def tokens(clock: FakeClock, secrets: InMemorySecretStore) -> TaskTokens:
    return TaskTokens(secrets=secrets, secret_arn=ARN, clock=clock)


def issued(tokens: TaskTokens, hours: float = 1) -> str:
    until = tokens.clock() + timedelta(hours=hours)
    return tokens.issue("acme", RUN, until).token.reveal()


def test_a_token_speaks_for_its_run_until_five_minutes_after_its_time(tokens, clock):
    token = issued(tokens)

    caller = tokens.read(Secret(token))
    assert (caller.tenant, caller.run_id) == ("acme", RUN)
    assert caller.expires_at == clock() + timedelta(hours=1) + GRACE
    clock.advance(3600 + 299)
    tokens.read(Secret(token))
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        tokens.read(Secret(token))


def test_a_token_shows_its_key_s_id_and_what_it_is(tokens):
    header = jwt.get_unverified_header(issued(tokens))

    assert header["typ"] == "task+jwt"
    assert header["alg"] == "HS256"
    assert KEY not in json.dumps(header)


def test_a_key_that_was_rotated_is_taken_while_it_is_the_one_before(tokens, secrets, clock):
    first = issued(tokens, hours=48)
    secrets.put(ARN, {"key": "m" * 64}, "")
    clock.advance(301)  # it remembers keys for five minutes
    second = issued(tokens, hours=48)
    assert jwt.get_unverified_header(first)["kid"] != jwt.get_unverified_header(second)["kid"]
    for token in (first, second):
        tokens.read(Secret(token))

    secrets.put(ARN, {"key": "n" * 64}, "")
    clock.advance(301)
    tokens.read(Secret(second))
    with pytest.raises(Unauthenticated):
        tokens.read(Secret(first))


def test_a_process_that_remembers_the_old_key_learns_the_new_one_from_a_token(
    tokens, secrets, clock
):
    issued(tokens)
    secrets.put(ARN, {"key": "m" * 64}, "")
    clock.advance(11)
    elsewhere = TaskTokens(secrets=secrets, secret_arn=ARN, clock=clock)

    assert tokens.read(Secret(issued(elsewhere))).run_id == RUN


def test_tokens_of_unknown_keys_do_not_ask_for_the_secret_each_time(tokens, secrets, clock):
    stranger = forged(key="x" * 64, kid="0" * 16)
    for _ in range(50):
        with pytest.raises(Unauthenticated):
            tokens.read(Secret(stranger(tokens)))

    assert len(secrets.reads) <= 4


def test_a_secret_without_a_usable_key_is_told(clock):
    store = InMemorySecretStore()
    store.put(ARN, {"key": "short"}, "")
    with pytest.raises(SecretMalformed, match="too short"):
        TaskTokens(secrets=store, secret_arn=ARN, clock=clock).issue("acme", RUN, clock())


def forged(
    *,
    key: str = KEY,
    algorithm: str | None = "HS256",
    kid: object = None,
    typ: str | None = "task+jwt",
    without: str | None = None,
    **claims: Any,
) -> Callable[[TaskTokens], str]:
    """A token as ours, but for what is said."""

    def make(tokens: TaskTokens) -> str:
        genuine = issued(tokens)
        body = jwt.decode(genuine, options={"verify_signature": False}) | claims
        if without is not None:
            del body[without]
        headers = {"kid": jwt.get_unverified_header(genuine)["kid"] if kid is None else kid}
        headers |= {"typ": typ} if typ is not None else {}
        return jwt.encode(
            body, key if algorithm != "none" else "", algorithm=algorithm, headers=headers
        )

    return make


def changed(part: int, change: Callable[[str], str]) -> Callable[[TaskTokens], str]:
    def make(tokens: TaskTokens) -> str:
        parts = issued(tokens).split(".")
        parts[part] = change(parts[part])
        return ".".join(parts)

    return make


def _encode(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def _with_claim(**claims: Any) -> Callable[[str], str]:
    def change(part: str) -> str:
        document = json.loads(base64.urlsafe_b64decode(part + "=="))
        return _encode(document | claims)

    return change


FORGED: dict[str, Callable[[TaskTokens], str]] = {
    "no token": lambda _: "",
    "one part": lambda _: "abc",
    "two dots": lambda _: "..",
    "four parts": lambda tokens: issued(tokens) + ".x",
    "not base64": lambda _: "%%%.###.!!!",
    "too long": lambda tokens: issued(tokens) + "A" * 4096,
    "null bytes": lambda tokens: issued(tokens) + "\0",
    "not ASCII": lambda tokens: issued(tokens) + "ü",
    "signature dropped": changed(2, lambda _: ""),
    "signature cut": changed(2, lambda part: part[:-4]),
    "signature of zeros": changed(2, lambda _: "A" * 43),
    "signature reversed": changed(2, lambda part: part[::-1]),
    "another run": changed(1, _with_claim(sub="run_01JZX5V9Q8M7K3N2P4R6S8T0VW_2")),
    "another tenant": changed(1, _with_claim(tenant="evil")),
    "a longer life": changed(1, _with_claim(exp=2**40)),
    "claims that are a list": changed(1, lambda _: _encode([])),
    "claims that are no JSON": changed(1, lambda _: "e30x"),
    "header that is no JSON": changed(0, lambda _: "e30x"),
    "header that is a list": changed(0, lambda _: _encode([])),
    "algorithm none": forged(algorithm="none"),
    "algorithm NONE": changed(0, lambda _: _encode({"alg": "NONE", "typ": "task+jwt"})),
    "algorithm HS384": forged(algorithm="HS384"),
    "algorithm HS512": forged(algorithm="HS512"),
    "algorithm RS256 by name": changed(0, _with_claim(alg="RS256")),
    "algorithm ES256 by name": changed(0, _with_claim(alg="ES256")),
    "algorithm none by name": changed(0, _with_claim(alg="none")),
    "no algorithm": changed(0, _with_claim(alg=None)),
    "another key": forged(key="x" * 64),
    "the key's id as key": forged(key="0" * 64, kid="0" * 16),
    "an empty key id": forged(kid=""),
    "a key id that is a path": forged(kid="../../etc/passwd"),
    "a key id that is a URL": forged(kid="https://evil.example/key"),
    "a key by URL": changed(0, _with_claim(jku="https://evil.example", kid="x")),
    "a key in the header": changed(0, _with_claim(jwk={"kty": "oct", "k": "AAAA"}, kid="x")),
    "no key id": changed(0, _with_claim(kid=None)),
    "a key id that is a number": changed(0, _with_claim(kid=1)),
    "type JWT": forged(typ="JWT"),
    "type at+jwt": forged(typ="at+jwt"),
    "no type": changed(0, _with_claim(typ=None)),
    "critical extension": changed(0, _with_claim(crit=["exp"])),
    "issuer missing": forged(without="iss"),
    "issuer another": forged(iss="leadmetrics"),
    "issuer null": changed(1, _with_claim(iss=None)),
    "audience missing": forged(without="aud"),
    "audience another": forged(aud="operator-api"),
    "audience empty": forged(aud=[]),
    "subject missing": forged(without="sub"),
    "tenant missing": forged(without="tenant"),
    "tenant a number": forged(tenant=1),
    "tenant a list": forged(tenant=["acme"]),
    "tenant null": forged(tenant=None),
    "issued-at missing": forged(without="iat"),
    "issued-at text": forged(iat="now"),
    "expiry missing": forged(without="exp"),
    "expiry passed": forged(exp=1),
    "expiry null": forged(exp=None),
    "expiry text": forged(exp="9999999999"),
    "expiry a truth value": forged(exp=True),
    "expiry negative": forged(exp=-1),
    "expiry a fraction": forged(exp=1e300),
    "token id missing": forged(without="jti"),
    "not before tomorrow": forged(nbf=2**40),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_or_damaged_token_is_refused_as_any_other(name: str, tokens):
    with pytest.raises(Unauthenticated) as refused:
        tokens.read(Secret(FORGED[name](tokens)))

    assert str(refused.value) == "this task token is not known, or no longer valid"


def test_there_are_sixty_of_them():
    assert len(FORGED) >= 60
