import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.adapters.http import NoAnswer
from agentruns.adapters.leena import LeenaHttpApi
from agentruns.errors import (
    AgentrunsError,
    InvalidRequest,
    StartUnknown,
    UpstreamUnavailable,
    UpstreamUnreadable,
)
from agentruns.provider_ports import AopAccepted, AopObservation, MintedToken
from agentruns.refusals import (
    AopItemNotFound,
    AopNotFound,
    AopRejected,
    CredentialsRejected,
    ScopeMissing,
    TokenRejected,
)
from agentruns.secret import Secret
from tests.unit.adapters.leena_samples import (
    CONNECTION,
    CREDENTIALS,
    ITEM,
    TOKEN,
    ScriptedAdapter,
    api_answering,
)

MINTED = {"access_token": "abc", "token_type": "Bearer", "refresh_token": "r", "expires_in": 3600}
ACCEPTED = {"aop_item_id": ITEM, "request_id": "r1", "run_id": "ID_1", "status": "accepted"}
OBSERVED = {
    "aop_item_id": ITEM,
    "reference_id": "RPT000042",
    "status": "in_progress",
    "initiated_at": "2026-04-22T15:50:55.000000",
    "completed_at": None,
}


def mint(api: LeenaHttpApi) -> MintedToken:
    return api.mint(CONNECTION, CREDENTIALS)


def execute(api: LeenaHttpApi) -> AopAccepted:
    return api.execute(
        CONNECTION, TOKEN, aop_id="it_support", message_to_start="hello", context={"a": [1]}
    )


def read_status(api: LeenaHttpApi) -> AopObservation:
    return api.read_status(CONNECTION, TOKEN, ITEM)


CALLS: dict[str, Callable[[LeenaHttpApi], object]] = {
    "mint": mint,
    "execute": execute,
    "read_status": read_status,
}
OUTCOMES = {"mint": MintedToken, "execute": AopAccepted, "read_status": AopObservation}


def body_of(document: object) -> bytes:
    return json.dumps(document).encode()


def outcome(call: str, status: int, headers: dict[str, str], body: bytes) -> type:
    try:
        return type(CALLS[call](api_answering(ScriptedAdapter(status, headers, body))))
    except AgentrunsError as exc:
        return type(exc)


REFUSED = b'{"message": "no"}'
HTML = b"<html>Bad gateway</html>"
U, R, S = UpstreamUnavailable, UpstreamUnreadable, StartUnknown
C, A, N, I = CredentialsRejected, AopRejected, AopNotFound, AopItemNotFound  # noqa: E741
T, P = TokenRejected, ScopeMissing
WAIT = {"Retry-After": "7"}
DATE = {"Retry-After": "Fri, 02 Jan 2026 12:00:30 GMT"}
BAD_WAIT = {"Retry-After": "soon"}
GZIP = {"Content-Encoding": "gzip"}

# What the reply is, then what it means to mint, execute and read_status.
REPLIES = [
    ("100 odd", 101, {}, b"", R, S, R),
    ("103 early hints", 103, {}, b"", R, S, R),
    ("200 empty", 200, {}, b"", R, S, R),
    ("200 html", 200, {"Content-Type": "text/html"}, HTML, R, S, R),
    ("200 cut json", 200, {}, b'{"aop_item_id": "x', R, S, R),
    ("200 array", 200, {}, b"[]", R, S, R),
    ("200 null", 200, {}, b"null", R, S, R),
    ("200 string", 200, {}, b'"accepted"', R, S, R),
    ("200 empty object", 200, {}, b"{}", R, S, R),
    ("200 nan", 200, {}, b'{"aop_item_id": "x", "n": NaN}', R, S, R),
    ("200 infinite number", 200, {}, b'{"aop_item_id": "x", "n": 1e999}', R, S, R),
    ("200 duplicate keys", 200, {}, b'{"aop_item_id": "x", "aop_item_id": "y"}', R, S, R),
    ("200 deep", 200, {}, b'{"aop_item_id": "x", "d": ' + b"[" * 40 + b"]" * 40 + b"}", R, S, R),
    ("200 very deep", 200, {}, b"[" * 200_000, R, S, R),
    ("200 latin-1", 200, {}, b'{"aop_item_id": "\xe9"}', R, S, R),
    ("200 half a character", 200, {}, b'{"aop_item_id": "x", "m": "\\ud800"}', R, S, R),
    ("200 huge integer", 200, {}, b'{"n": ' + b"9" * 5000 + b"}", R, S, R),
    ("200 too large", 200, {}, b'{"m": "' + b"x" * 1_100_000 + b'"}', R, S, R),
    ("200 gzip", 200, GZIP, body_of(ACCEPTED), R, S, R),
    ("200 null fields", 200, {}, body_of(dict.fromkeys([*MINTED, *ACCEPTED])), R, S, R),
    ("200 wrong types", 200, {}, body_of(dict.fromkeys([*MINTED, *ACCEPTED], 7)), R, S, R),
    ("200 lists", 200, {}, body_of({key: [] for key in [*MINTED, *ACCEPTED]}), R, S, R),
    ("200 empty strings", 200, {}, body_of(dict.fromkeys([*MINTED, *ACCEPTED], "")), R, S, R),
    ("201 html", 201, {}, HTML, R, S, R),
    ("202 without an id", 202, {}, b"{}", R, S, R),
    ("204", 204, {}, b"", R, S, R),
    ("301", 301, {"Location": "https://elsewhere.example/"}, b"", R, S, R),
    ("302 to nonsense", 302, {"Location": "http://["}, HTML, R, S, R),
    ("303", 303, {"Location": "/items/1"}, b"", R, S, R),
    ("307", 307, {"Location": "https://169.254.169.254/"}, b"", R, S, R),
    ("400", 400, {}, REFUSED, C, A, I),
    ("400 html", 400, {}, HTML, C, A, I),
    ("401", 401, {}, REFUSED, C, T, T),
    ("401 empty", 401, {}, b"", C, T, T),
    ("403", 403, {}, REFUSED, C, P, P),
    ("404", 404, {}, REFUSED, C, N, I),
    ("405", 405, {}, REFUSED, C, A, R),
    ("408", 408, {}, REFUSED, U, S, U),
    ("409", 409, {}, REFUSED, C, A, R),
    ("410", 410, {}, REFUSED, C, A, R),
    ("413", 413, {}, REFUSED, C, A, R),
    ("415", 415, {}, REFUSED, C, A, R),
    ("418", 418, {}, REFUSED, C, A, R),
    ("422", 422, {}, REFUSED, C, A, R),
    ("425", 425, {}, REFUSED, U, A, U),
    ("429 with seconds", 429, WAIT, REFUSED, U, U, U),
    ("429 with a date", 429, DATE, REFUSED, U, U, U),
    ("429 without", 429, {}, HTML, U, U, U),
    ("500", 500, {}, REFUSED, U, S, U),
    ("500 with Retry-After", 500, WAIT, REFUSED, U, S, U),
    ("501", 501, {}, REFUSED, U, S, U),
    ("502 html", 502, {}, HTML, U, S, U),
    ("503 without Retry-After", 503, {}, REFUSED, U, S, U),
    ("503 with seconds", 503, WAIT, REFUSED, U, U, U),
    ("503 with a date", 503, DATE, REFUSED, U, U, U),
    ("503 with a senseless wait", 503, BAD_WAIT, REFUSED, U, S, U),
    ("504", 504, {}, b"", U, S, U),
    ("520", 520, {}, HTML, U, S, U),
    ("599", 599, {}, HTML, U, S, U),
    ("999", 999, {}, HTML, U, S, U),
]


@pytest.mark.parametrize("call_index", range(3), ids=list(CALLS))
@pytest.mark.parametrize("reply", REPLIES, ids=[row[0] for row in REPLIES])
def test_row_7_each_reply_has_its_typed_outcome(reply, call_index):
    call = list(CALLS)[call_index]

    assert outcome(call, *reply[1:4]) is reply[4 + call_index]


SENT = NoAnswer(reason="host: no answer (ReadTimeoutError)", request_sent=True)
NOT_SENT = NoAnswer(reason="host: no connection (NewConnectionError)", request_sent=False)


class Silent:
    def __init__(self, result: NoAnswer) -> None:
        self.result = result

    def get(self, url: str, headers: object) -> NoAnswer:
        return self.result

    def post(self, url: str, headers: object, document: object) -> NoAnswer:
        return self.result


@pytest.mark.parametrize(
    ("call", "result", "expected"),
    [
        ("mint", SENT, UpstreamUnavailable),
        ("mint", NOT_SENT, UpstreamUnavailable),
        ("execute", SENT, StartUnknown),
        ("execute", NOT_SENT, UpstreamUnavailable),
        ("read_status", SENT, UpstreamUnavailable),
        ("read_status", NOT_SENT, UpstreamUnavailable),
    ],
)
def test_row_1_silence_is_start_unknown_only_where_the_start_was_sent(call, result, expected):
    with pytest.raises(expected, match=r"connection 'main': .*host: no "):
        CALLS[call](LeenaHttpApi(Silent(result)))


def test_mint_sends_the_password_grant_with_basic_client_authentication():
    adapter = ScriptedAdapter(200, {}, body_of(MINTED))

    minted = mint(api_answering(adapter))

    request = adapter.requests[0]
    assert (request.method, request.url) == (
        "POST",
        "https://us-east-1-acl.leena.ai/api/v1.0/oauth/token",
    )
    assert json.loads(request.body or b"") == {
        "username": "user-canary",
        "password": "password:canary",
        "grant_type": "password",
    }
    assert request.headers["Content-Type"] == "application/json"
    scheme, _, pair = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode("utf-8") == "client-canary:secret canary/ü"
    assert minted == MintedToken(
        access_token=Secret("abc"), expires_in_seconds=3600.0, version="ba7816bf8f01cfea"
    )


def test_execute_sends_the_three_fields_with_the_bearer_token():
    adapter = ScriptedAdapter(200, {}, body_of(ACCEPTED))

    accepted = execute(api_answering(adapter))

    request = adapter.requests[0]
    assert (request.method, request.url) == (
        "POST",
        "https://us-east-1-aic.leena.ai/api/v1/external/aop/execute",
    )
    assert request.headers["Authorization"] == f"Bearer {TOKEN.reveal()}"
    assert json.loads(request.body or b"") == {
        "aop_id": "it_support",
        "message_to_start": "hello",
        "context": {"a": [1]},
    }
    assert accepted == AopAccepted(aop_item_id=ITEM, request_id="r1", provider_run_id="ID_1")


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    "document",
    [
        {"aop_item_id": ITEM},
        {"aop_item_id": ITEM, "run_id": None, "request_id": None, "status": "accepted"},
        {"aop_item_id": ITEM, "run_id": 7, "request_id": ["x"], "status": {}},
        {"aop_item_id": ITEM, "run_id": "", "request_id": "x" * 300, "more": {"deep": [1]}},
    ],
)
def test_an_item_id_is_enough_to_have_started(status, document):
    accepted = execute(api_answering(ScriptedAdapter(status, {}, body_of(document))))

    assert accepted == AopAccepted(aop_item_id=ITEM, request_id=None, provider_run_id=None)


@pytest.mark.parametrize("aop_item_id", ["a b", "../..", "a/b", "x" * 129, "ü", "a\n", "%2e"])
def test_an_item_id_that_could_not_be_asked_for_is_start_unknown(aop_item_id):
    body = body_of({**ACCEPTED, "aop_item_id": aop_item_id})

    assert outcome("execute", 200, {}, body) is StartUnknown


def test_read_status_asks_for_the_item_and_reads_naive_times_as_utc():
    adapter = ScriptedAdapter(200, {}, body_of({**OBSERVED, "more": 1}))

    observed = read_status(api_answering(adapter))

    request = adapter.requests[0]
    assert (request.method, request.body) == ("GET", None)
    assert request.url == (
        f"https://us-east-1-aic.leena.ai/api/v1/external/aop/items/{ITEM}/status"
    )
    assert observed == AopObservation(
        aop_item_id=ITEM,
        status="in_progress",
        reference_id="RPT000042",
        initiated_at=datetime(2026, 4, 22, 15, 50, 55, tzinfo=UTC),
        completed_at=None,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-22T15:50:55", datetime(2026, 4, 22, 15, 50, 55, tzinfo=UTC)),
        ("2026-04-22T15:50:55Z", datetime(2026, 4, 22, 15, 50, 55, tzinfo=UTC)),
        ("2026-04-22T15:50:55+02:00", datetime(2026, 4, 22, 13, 50, 55, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (1776873055, None),
        ([], None),
    ],
)
def test_a_time_that_is_none_is_left_out(text, expected):
    body = body_of({**OBSERVED, "completed_at": text, "initiated_at": text})

    observed = read_status(api_answering(ScriptedAdapter(200, {}, body)))

    assert (observed.initiated_at, observed.completed_at) == (expected, expected)


@pytest.mark.parametrize("word", ["accepted", "Completed", "on_hold", "完了"])
def test_an_unknown_status_is_passed_on_as_it_is(word):
    body = body_of({**OBSERVED, "status": word})

    assert read_status(api_answering(ScriptedAdapter(200, {}, body))).status == word


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"status": 3},
        {"status": ""},
        {"status": "x" * 257},
        {"status": "done\n"},
        {"aop_item_id": "another"},
        {"aop_item_id": None},
    ],
)
def test_a_status_answer_that_cannot_be_trusted_is_unreadable(change):
    assert outcome("read_status", 200, {}, body_of({**OBSERVED, **change})) is UpstreamUnreadable


def test_a_status_answer_may_leave_the_item_out():
    body = body_of({"status": "paused"})

    assert read_status(api_answering(ScriptedAdapter(200, {}, body))).status == "paused"


@pytest.mark.parametrize("aop_item_id", ["", "..", "a/b", "a?b", "a b", "x" * 129])
def test_an_impossible_item_is_not_asked_for(aop_item_id):
    adapter = ScriptedAdapter(200, {}, body_of(OBSERVED))

    with pytest.raises(AopItemNotFound):
        api_answering(adapter).read_status(CONNECTION, TOKEN, aop_item_id)

    assert adapter.requests == []


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "two words"},
        {"access_token": "line\nbreak"},
        {"access_token": "x" * 40_000},
        {"expires_in": None},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": "3600"},
    ],
)
def test_a_token_answer_that_cannot_be_used_is_unreadable(change):
    assert outcome("mint", 200, {}, body_of({**MINTED, **change})) is UpstreamUnreadable


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [(0.5, 0.5), (3600, 3600.0), (10**400, 366 * 86_400.0)]
)
def test_a_life_is_positive_and_at_most_a_year(expires_in, seconds):
    body = body_of({**MINTED, "expires_in": expires_in})

    assert mint(api_answering(ScriptedAdapter(200, {}, body))).expires_in_seconds == seconds


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("headers", "seconds"), [(WAIT, 7.0), (DATE, 30.0), ({}, None)])
def test_the_wish_to_wait_travels_with_the_error(call, headers, seconds):
    with pytest.raises(UpstreamUnavailable) as caught:
        CALLS[call](api_answering(ScriptedAdapter(429, headers, REFUSED)))

    assert caught.value.retry_after_seconds == seconds


ECHOES = [
    *("client-canary", "secret canary/ü", "user-canary", "password:canary"),
    "secret%20canary%2F%C3%BC",
    "secret+canary%2F%C3%BC",
    base64.b64encode("client-canary:secret canary/ü".encode()).decode(),
    base64.b64encode(b"password:canary").decode(),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_row_24_a_refusal_that_echoes_the_credentials_does_not_show_them(echo):
    body = body_of({"message": "x" * 195 + f": {echo}"})

    with pytest.raises(CredentialsRejected) as caught:
        mint(api_answering(ScriptedAdapter(401, {}, body)))

    assert f"answered 401 ({'x' * 195}: ***)" in str(caught.value)


@pytest.mark.parametrize("call", ["execute", "read_status"])
def test_row_24_a_refusal_that_echoes_the_token_does_not_show_it(call):
    body = body_of({"message": f"token {TOKEN.reveal()} lacks a scope"})

    with pytest.raises(ScopeMissing) as caught:
        CALLS[call](api_answering(ScriptedAdapter(403, {}, body)))

    assert "token *** lacks a scope" in str(caught.value)


def test_row_25_a_message_is_one_clipped_line():
    message = "AOP\r\n\x1b[31mis\u2028not \u202eactive\x00 " + "y" * 500
    body = body_of({"message": message})

    with pytest.raises(AopRejected) as caught:
        execute(api_answering(ScriptedAdapter(422, {}, body)))

    shown = "AOP [31mis not active " + "y" * 500
    assert str(caught.value) == f"AOP 'it_support': answered 422 ({shown[:200]})"


def test_a_token_that_is_no_header_is_refused_without_showing_it():
    adapter = ScriptedAdapter(200, {}, body_of(OBSERVED))

    with pytest.raises(InvalidRequest) as caught:
        api_answering(adapter).read_status(CONNECTION, Secret("canary\r\nX-Evil: 1"), ITEM)

    assert "canary" not in str(caught.value)
    assert adapter.requests == []


def test_a_context_that_is_not_json_is_not_sent():
    adapter = ScriptedAdapter(200, {}, body_of(ACCEPTED))

    with pytest.raises(InvalidRequest, match="not a JSON document"):
        api_answering(adapter).execute(
            CONNECTION, TOKEN, aop_id="a", message_to_start="", context={"x": object()}
        )

    assert adapter.requests == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NEAR_MISSES = st.fixed_dictionaries(
    {},
    optional={
        name: st.just(value) | JSON_VALUES
        for document in (MINTED, ACCEPTED, OBSERVED, {"message": "no"})
        for name, value in document.items()
    },
).map(body_of)
BODIES = (
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | JSON_VALUES.map(body_of)
) | NEAR_MISSES
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": HEADER_TEXT | st.integers().map(str),
        "Date": HEADER_TEXT,
        "Content-Type": HEADER_TEXT,
        "Content-Encoding": HEADER_TEXT | st.just("identity"),
        "Location": HEADER_TEXT,
        "Set-Cookie": HEADER_TEXT,
    },
)
STATUSES = st.sampled_from([200, 201, 400, 401, 403, 404, 429, 503]) | st.integers(100, 999)


@pytest.mark.parametrize("call", CALLS)
@settings(max_examples=250, deadline=None)
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_row_8_any_reply_ends_in_a_typed_outcome(call, status, headers, body):
    kind = outcome(call, status, headers, body)

    assert kind is OUTCOMES[call] or issubclass(kind, AgentrunsError)
    if call == "execute" and status >= 500 and status != 503:
        assert kind is StartUnknown
