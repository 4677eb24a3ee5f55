"""`make fuzz` in short: generated requests to every route, held to the OpenAPI documents."""

from __future__ import annotations

import pytest

from agentruns.api.front import LambdaApp
from tests.fuzz.walk import LEAST_SHARE_OF_SUCCESSES, Tally, walk
from tests.unit.api.both import APIS, ROUTES, ApiUnderTest

pytestmark = pytest.mark.slow

REQUESTS = 300


@pytest.fixture(scope="module")
def tally() -> Tally:
    return walk(APIS, REQUESTS, seed=1)


def test_every_answer_is_as_described(tally: Tally):
    assert tally.failures == [], tally.report()
    assert tally.server_errors == 0


def test_the_requests_get_past_the_door(tally: Tally):
    assert tally.requests >= REQUESTS
    assert len(tally.routes) == len(ROUTES)
    assert tally.success_share >= LEAST_SHARE_OF_SUCCESSES, tally.report()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"statusCode": 500, "body": "{}"}, "Server error"),
        ({"statusCode": 418, "body": "{}"}, "Undocumented status code"),
        ({"statusCode": 200, "body": '{"received": "yes"}'}, "Response violates schema"),
        ({"statusCode": 200, "body": "{}", "type": "text/html"}, "Undocumented Content-Type"),
    ],
)
def test_an_answer_against_the_description_is_found(answer: dict[str, object], fault: str):
    def app(_: object) -> LambdaApp:
        return lambda _event, _context: {
            "headers": {"Content-Type": answer.get("type", "application/json")},
            **answer,
        }

    (api,) = (each for each in APIS if each.name == "agent")
    broken = ApiUnderTest(
        name=api.name, document=api.document, app=app, credentials=api.credentials
    )
    found = walk([broken], 20, seed=1)

    assert not found.is_good
    assert any(fault in failure for failure in found.failures), found.report()
