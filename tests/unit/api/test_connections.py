"""`/v1/connections` through the front door."""

from __future__ import annotations

import pytest

from agentruns.errors import UpstreamUnavailable
from agentruns.gate import FAILURES_TO_TRIP, Door, refused, unavailable
from agentruns.refusals import AopItemNotFound, ApiKeyRejected, CredentialsRejected, ScopeMissing
from tests.unit.api.driver import AGENT, CONNECTION, SECRET_PREFIX, Api

CREDENTIALS = f"{SECRET_PREFIX}/connections/default/acme"


def test_put_answers_the_connection_without_its_secrets(api: Api):
    answer = api.call("PUT", "/v1/connections/acme", CONNECTION)
    assert answer.status == 200
    assert answer.json == {
        "name": "acme",
        "provider": "leena",
        "region": "us-east-1",
        "base_urls": {
            "auth": "https://us-east-1-acl.leena.ai",
            "api": "https://us-east-1-aic.leena.ai",
        },
        "limits": {"max_concurrent_runs": None, "requests_per_minute": None},
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:00:00Z",
    }


def test_no_answer_shows_a_credential(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    answers = [
        api.call("GET", "/v1/connections"),
        api.call("GET", "/v1/connections/acme"),
        api.call("POST", "/v1/connections/acme/check"),
        api.call("PUT", "/v1/connections/acme", {**CONNECTION, "region": "moon"}),
        api.call("PUT", "/v1/connections/acme", {**CONNECTION, "username": ["CANARY"]}),
        api.call("PUT", "/v1/connections/acme", {**CONNECTION, "password": "CANARY" * 9999}),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 422, 422, 422]
    assert not [answer for answer in answers if "CANARY" in answer.text]


def test_credentials_go_to_their_secret(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    assert api.secrets.get(CREDENTIALS) == {
        "client_id": "client-1",
        "client_secret": "CANARY-client-secret",
        "username": "user-1",
        "password": "CANARY-password",
    }


def test_base_urls_override_the_region(api: Api):
    body = {**CONNECTION, "base_urls": {"auth": "https://auth.example.com/leena/"}}
    answer = api.call("PUT", "/v1/connections/acme", body)
    assert answer.json["base_urls"] == {
        "auth": "https://auth.example.com/leena",
        "api": "https://us-east-1-aic.leena.ai",
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"region": "moon"}, "region"),
        ({"region": ""}, "region"),
        ({"provider": "sheep"}, "provider"),
        ({"client_secret": ""}, "client_secret"),
        ({"password": 7}, "password"),
        ({"base_urls": {"auth": "http://auth.example.com"}}, "base_urls.auth"),
        ({"base_urls": {"api": "https://169.254.169.254"}}, "base_urls.api"),
        ({"base_urls": {"aic": "https://x.example.com"}}, "base_urls.aic"),
        ({"base_urls": "https://x.example.com"}, "base_urls"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_a_wrong_field_is_named(api: Api, change: dict[str, object], field: str):
    answer = api.call("PUT", "/v1/connections/acme", {**CONNECTION, **change})
    assert (answer.status, answer.fields) == (422, [field])
    assert api.call("GET", "/v1/connections/acme").status == 404
    assert CREDENTIALS not in api.secrets.documents


def test_an_unknown_region_lists_the_known_ones(api: Api):
    answer = api.call("PUT", "/v1/connections/acme", {**CONNECTION, "region": "moon"})
    assert "ap-south-1" in answer.json["errors"][0]["message"]
    assert "canadacentral" in answer.json["errors"][0]["message"]


def test_every_missing_field_is_named_at_once(api: Api):
    answer = api.call("PUT", "/v1/connections/acme", {"provider": "leena"})
    assert answer.fields == ["region", "client_id", "client_secret", "username", "password"]


def test_replacing_keeps_when_it_was_created(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    api.clock.advance(60)
    answer = api.call("PUT", "/v1/connections/acme", {**CONNECTION, "region": "eu-west-1"})
    assert answer.json["created_at"] == "2026-01-02T12:00:00Z"
    assert answer.json["updated_at"] == "2026-01-02T12:01:00Z"
    assert answer.json["region"] == "eu-west-1"


def test_list_is_by_name(api: Api):
    api.call("PUT", "/v1/connections/b", CONNECTION)
    api.call("PUT", "/v1/connections/a", CONNECTION)
    answer = api.call("GET", "/v1/connections")
    assert [item["name"] for item in answer.json["items"]] == ["a", "b"]
    assert answer.json["next_cursor"] is None


def test_delete_takes_the_secrets_along(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    api.secrets.put(f"{SECRET_PREFIX}/tokens/default/acme", {"access_token": "t"}, "")
    assert api.call("DELETE", "/v1/connections/acme").status == 204
    assert api.call("GET", "/v1/connections/acme").status == 404
    assert [name for name in api.secrets.documents if name.startswith(SECRET_PREFIX)] == []


def test_delete_is_refused_while_an_agent_uses_it(ready: Api):
    answer = ready.call("DELETE", "/v1/connections/acme")
    assert answer.status == 409
    assert answer.json["type"] == "urn:agentruns:problem:connection_in_use"
    assert "it_support" in answer.json["detail"]
    assert ready.call("DELETE", "/v1/agents/it_support").status == 204
    assert ready.call("DELETE", "/v1/connections/acme").status == 204


def test_check_mints_a_token_and_uses_it_once(ready: Api):
    answer = ready.call("POST", "/v1/connections/acme/check")
    assert answer.status == 200
    assert answer.json["ok"] is True
    assert [check["name"] for check in answer.json["checks"]] == [
        "credentials_stored",
        "token_minted",
        "api_reachable",
        "gate",
    ]
    assert len(ready.leena.mints) == 1
    assert len(ready.leena.status_reads) == 1


def test_check_takes_a_missing_item_for_a_good_sign(ready: Api):
    ready.leena.on_read_status(AopItemNotFound("0" * 24, 404, "no such item"))
    assert ready.call("POST", "/v1/connections/acme/check").json["ok"] is True


def test_check_says_what_to_do_about_refused_credentials(ready: Api):
    ready.leena.on_mint(CredentialsRejected("acme", 401, "invalid_client"))
    answer = ready.call("POST", "/v1/connections/acme/check")
    assert answer.status == 200
    assert answer.json["ok"] is False
    assert [(check["name"], check["ok"]) for check in answer.json["checks"]] == [
        ("credentials_stored", True),
        ("token_minted", False),
        ("gate", True),
    ]
    assert "client_id, client_secret, username, password" in answer.json["checks"][1]["detail"]


@pytest.mark.parametrize(
    "error",
    [ScopeMissing("acme", "insufficient_scope"), UpstreamUnavailable("connection refused")],
    ids=["scope", "unreachable"],
)
def test_check_tells_where_the_api_itself_fails(ready: Api, error: Exception):
    ready.leena.on_read_status(error)
    answer = ready.call("POST", "/v1/connections/acme/check")
    assert answer.json["ok"] is False
    assert answer.json["checks"][-2]["name"] == "api_reachable"
    assert str(error) in answer.json["checks"][-2]["detail"]


@pytest.mark.parametrize("left", [None, {"client_id": "client-1"}], ids=["gone", "damaged"])
def test_check_tells_where_the_credentials_are_not_there(ready: Api, left: dict[str, str] | None):
    ready.secrets.delete(CREDENTIALS)
    if left is not None:
        ready.secrets.put(CREDENTIALS, left, "")
    answer = ready.call("POST", "/v1/connections/acme/check")
    assert answer.json["ok"] is False
    assert [check["name"] for check in answer.json["checks"]] == ["credentials_stored", "gate"]
    assert ready.leena.mints == []


def test_check_of_an_unknown_connection_is_404(api: Api):
    assert api.call("POST", "/v1/connections/acme/check").status == 404


def test_an_agent_of_an_unknown_connection_is_refused(api: Api):
    answer = api.call("PUT", "/v1/agents/it_support", AGENT)
    assert (answer.status, answer.fields) == (422, ["adapter.connection"])
    assert "there is no connection 'acme'" in answer.json["detail"]


def test_check_goes_past_the_gate_and_tells_that_it_is_closed(ready: Api):
    state = ready.gates.read("default", "acme", Door.CALLS, consistent=True)
    for _ in range(FAILURES_TO_TRIP):
        state = unavailable(
            state,
            ready.clock(),
            "connection refused",
            retry_after_seconds=None,
            is_probe=False,
            spread=1.0,
        )
    ready.gates.write(state, ready.clock())
    answer = ready.call("POST", "/v1/connections/acme/check").json
    assert (False, [True, True, True, False]) == (
        answer["ok"],
        [check["ok"] for check in answer["checks"]],
    )
    closed = answer["checks"][-1]["detail"]
    assert "calls: unavailable, closed until 12:00:05 UTC: connection refused" == closed


def test_check_tells_that_a_refusal_is_remembered(ready: Api):
    state = ready.gates.read("default", "acme", Door.TOKENS, consistent=True)
    updated_at = ready.connections.get("default", "acme").updated_at
    for _ in range(2):
        state = refused(
            state, ready.clock(), connection_updated_at=updated_at, status=401, detail="no"
        )
    ready.gates.write(state, ready.clock())
    answer = ready.call("POST", "/v1/connections/acme/check").json
    closed = answer["checks"][-1]["detail"]
    assert "tokens: refused, not asked again until 12:01:00 UTC: no" == closed


class TestLimits:
    def test_they_are_set_shown_and_lifted(self, ready: Api):
        limits = {"max_concurrent_runs": 2, "requests_per_minute": 600}
        answer = ready.call("PUT", "/v1/connections/acme/limits", limits)
        assert (200, limits) == (answer.status, answer.json["limits"])
        assert limits == ready.call("GET", "/v1/connections/acme").json["limits"]
        answer = ready.call("PUT", "/v1/connections/acme/limits", {})
        assert dict.fromkeys(limits) == answer.json["limits"]

    def test_new_credentials_leave_them_as_they_are(self, ready: Api):
        limits = {"max_concurrent_runs": None, "requests_per_minute": 60_000}
        ready.call("PUT", "/v1/connections/acme/limits", limits)
        answer = ready.call("PUT", "/v1/connections/acme", CONNECTION)
        assert limits == answer.json["limits"]

    def test_tokens_go_on_being_good(self, ready: Api):
        """What changes `updated_at` makes the tokens of the credentials before useless."""
        before = ready.call("GET", "/v1/connections/acme").json["updated_at"]
        ready.clock.advance(60)
        answer = ready.call("PUT", "/v1/connections/acme/limits", {"max_concurrent_runs": 2})
        assert before == answer.json["updated_at"]

    @pytest.mark.parametrize("value", [0, -1, 1001, 1.5, "2", True, [2]])
    def test_a_wrong_limit_is_named(self, ready: Api, value: object):
        body = {"max_concurrent_runs": value}
        answer = ready.call("PUT", "/v1/connections/acme/limits", body)
        assert (422, ["max_concurrent_runs"]) == (answer.status, answer.fields)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (0, "Input should be greater than or equal to 1"),
            (60_001, "Input should be less than or equal to 60000"),
            (1.5, "Input should be a valid integer"),
            ("60", "Input should be a valid integer"),
        ],
    )
    def test_a_wrong_request_budget_says_what_is_taken(
        self, ready: Api, value: object, message: str
    ):
        body = {"requests_per_minute": value}
        answer = ready.call("PUT", "/v1/connections/acme/limits", body)
        assert (422, ["requests_per_minute"]) == (answer.status, answer.fields)
        assert message in answer.json["errors"][0]["message"]

    def test_an_unknown_limit_is_named(self, ready: Api):
        answer = ready.call("PUT", "/v1/connections/acme/limits", {"max_runs": 2})
        assert (422, ["max_runs"]) == (answer.status, answer.fields)

    def test_those_of_an_unknown_connection_are_404(self, api: Api):
        body = {"max_concurrent_runs": 2}
        assert 404 == api.call("PUT", "/v1/connections/acme/limits", body).status

    def test_check_says_how_many_slots_are_taken_and_who_gets_a_new_one(self, ready: Api):
        ready.call("PUT", "/v1/connections/acme/limits", {"max_concurrent_runs": 1})
        ids = [ready.started()["activity_id"] for _ in range(3)]
        assert 1 == ready.admit_activities("default", "acme")
        assert "1 of 1 taken; 2 waiting" == self.slots_of(ready)
        ready.call("PUT", "/v1/connections/acme/limits", {"max_concurrent_runs": 2})
        assert "2 of 2 taken; 1 waiting" == self.slots_of(ready)
        shown = [ready.call("GET", f"/v1/activities/{each}").json["admission"] for each in ids]
        assert ["admitted", "admitted", "waiting"] == sorted(shown)

    def slots_of(self, ready: Api) -> str:
        checks = ready.call("POST", "/v1/connections/acme/check").json["checks"]
        (detail,) = [check["detail"] for check in checks if check["name"] == "slots"]
        return str(detail)


LEAP = {"provider": "leap", "api_key": "CANARY-api-key", "dialect": "runs"}


def test_a_leap_connection_is_answered_without_its_key(api: Api):
    answer = api.call("PUT", "/v1/connections/flows", LEAP)
    assert answer.json == {
        "name": "flows",
        "provider": "leap",
        "dialect": "runs",
        "base_url": "https://api.workflows.tryleap.ai",
        "limits": {"max_concurrent_runs": None, "requests_per_minute": None},
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:00:00Z",
    }
    assert api.secrets.get(f"{SECRET_PREFIX}/connections/default/flows") == {
        "api_key": "CANARY-api-key"
    }
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    listed = api.call("GET", "/v1/connections")
    assert [each["provider"] for each in listed.json["items"]] == ["leena", "leap"]
    assert "CANARY" not in listed.text + answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "with space"}, "api_key"),
        ({"dialect": "leap"}, "dialect"),
        ({"base_url": "http://leap.example"}, "base_url"),
        ({"region": "us-east-1"}, "region"),
        ({"provider": None}, "provider"),
    ],
)
def test_a_wrong_field_of_a_leap_connection_is_named(api: Api, change, field):
    answer = api.call("PUT", "/v1/connections/flows", {**LEAP, **change})
    assert (answer.status, answer.fields) == (422, [field])
    assert "CANARY" not in answer.text


def test_a_connection_keeps_its_provider(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    answer = api.call("PUT", "/v1/connections/acme", LEAP)
    assert (answer.status, answer.fields) == (422, ["provider"])
    assert "client_id" in (api.secrets.get(CREDENTIALS) or {})


def test_an_adapter_needs_a_connection_of_its_provider(api: Api):
    api.call("PUT", "/v1/connections/acme", CONNECTION)
    api.call("PUT", "/v1/connections/flows", LEAP)
    workflow = {"type": "leap_workflow", "connection": "acme", "workflow_id": "wkf_1"}
    refused = api.call("PUT", "/v1/agents/writer", {"adapter": workflow})
    assert (refused.status, refused.fields) == (422, ["adapter.connection"])
    workflow["connection"] = "flows"
    stored = api.call("PUT", "/v1/agents/writer", {"adapter": workflow})
    assert (stored.status, stored.json["adapter"]) == (200, workflow)
    started = api.started({"agent_role": "writer", "message": "hello"})
    shown = api.call("GET", f"/v1/activities/{started['activity_id']}").json
    assert shown["adapter"] == workflow
    assert (shown["runs"][0]["workflow_run_id"], shown["runs"][0]["aop_item_id"]) == (None, None)


def test_a_check_says_what_it_could_verify(api: Api):
    api.call("PUT", "/v1/connections/flows", LEAP)
    asked = api.call("POST", "/v1/connections/flows/check").json
    assert [(each["name"], each["ok"]) for each in asked["checks"]] == [
        ("credentials_stored", True),
        ("api_reachable", True),
        ("gate", True),
    ]
    assert "took the key" in asked["checks"][1]["detail"]
    api.leap.on_read_run(ApiKeyRejected("flows", 401, "no"))
    refused = api.call("POST", "/v1/connections/flows/check").json
    assert (refused["ok"], refused["checks"][1]["ok"]) == (False, False)
    api.call("PUT", "/v1/connections/flows", {**LEAP, "dialect": "workflows"})
    unasked = api.call("POST", "/v1/connections/flows/check").json
    assert unasked["checks"][1]["detail"].startswith("not tried: ")
