"""`/v1/activities/.../redrive` through the front door."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.lifecycle import end_run, settle
from agentruns.model import EvidenceSource, Problem
from agentruns.statuses import RunStatus
from agentruns.transact import transact
from tests.unit.api.driver import ACTIVITY, Api

REASON = {"reason": "the AOP is repaired"}


@pytest.fixture
def failed(ready: Api) -> str:
    return fail(ready)


def fail(api: Api) -> str:
    """An activity that failed at the provider."""
    activity_id = str(api.started(ACTIVITY)["activity_id"])
    problem = Problem(code="upstream_failed", message="it failed")

    def end(record: Any) -> Any:
        run = record.current_run
        source = EvidenceSource.POLL
        return end_run(record, run, RunStatus.FAILED, source, api.clock(), problem=problem)

    transact(api.activities, "default", activity_id, end)
    transact(api.activities, "default", activity_id, lambda seen: settle(seen, api.clock()))
    return activity_id


def test_the_successor_is_accepted_and_both_show_the_lineage(ready: Api, failed: str):
    answer = ready.call("POST", f"/v1/activities/{failed}/redrive", REASON)
    assert answer.status == 202
    new = answer.json["activity_id"]
    assert (failed, "queued") == (answer.json["redrive_of"], answer.json["status"])
    assert f"/v1/activities/{new}" == answer.headers["Location"]
    shown = {name: ready.call("GET", f"/v1/activities/{name}").json for name in (failed, new)}
    assert ("failed", new, None) == tuple(
        shown[failed][name] for name in ("status", "redriven_as", "redrive_of")
    )
    assert ("redrive", None, failed) == tuple(
        shown[new][name] for name in ("trigger", "redriven_as", "redrive_of")
    )


def test_a_repeat_with_the_key_is_the_same_answer_and_without_it_a_conflict(
    ready: Api, failed: str
):
    path, headers = f"/v1/activities/{failed}/redrive", {"Idempotency-Key": "again-1"}
    first = ready.call("POST", path, REASON, headers=headers)
    repeated = ready.call("POST", path, REASON, headers=headers)
    assert (first.json, "true") == (repeated.json, repeated.headers["Idempotent-Replayed"])
    refused = ready.call("POST", path, REASON)
    assert refused.status == 409
    assert refused.json["type"].endswith(":activity_already_redriven")
    assert first.json["activity_id"] in refused.json["detail"]


def test_what_has_not_failed_is_refused(ready: Api):
    activity_id = ready.started(ACTIVITY)["activity_id"]
    answer = ready.call("POST", f"/v1/activities/{activity_id}/redrive", REASON)
    assert answer.status == 409
    assert answer.json["type"].endswith(":activity_not_redrivable")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "a\nb"}, {**REASON, "force": True}]
)
def test_a_wrong_body_is_refused(ready: Api, failed: str, body: dict[str, Any]):
    assert ready.call("POST", f"/v1/activities/{failed}/redrive", body).status == 422


def test_bulk_previews_by_default_and_redrives_on_request(ready: Api, failed: str):
    body: dict[str, Any] = {
        "filter": {"agent_role": "it_support", "created_after": "2020-01-01T00:00:00Z"},
        "reason": "the outage is over",
    }
    preview = ready.call("POST", "/v1/activities/redrive", body)
    assert preview.status == 200, preview.text
    assert preview.json["dry_run"] is True
    assert ["would_redrive"] == [item["outcome"] for item in preview.json["items"]]
    done = ready.call("POST", "/v1/activities/redrive", {**body, "dry_run": False}).json
    (item,) = done["items"]
    assert (failed, "redriven", None) == (item["activity_id"], item["outcome"], item["skipped"])
    shown = ready.call("GET", f"/v1/activities/{item['redriven_as']}").json
    assert failed == shown["redrive_of"]
    (again,) = ready.call("POST", "/v1/activities/redrive", {**body, "dry_run": False}).json[
        "items"
    ]
    assert ("skipped", "activity_already_redriven", item["redriven_as"]) == (
        again["outcome"],
        again["skipped"]["code"],
        again["redriven_as"],
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"filter": {"status": "done"}}, "filter.status"),
        ({"filter": {"created_after": "2026-01-01T00:00:00"}}, "filter.created_after"),
        ({"filter": {"created_after": 1_700_000_000}}, "filter.created_after"),
        ({"filter": {"created_before": "1700000000"}}, "filter.created_before"),
        ({"filter": {"created_before": "2026-01-01"}}, "filter.created_before"),
        ({"cursor": "nonsense"}, "cursor"),
    ],
)
def test_a_wrong_bulk_body_names_its_field(ready: Api, change: dict[str, Any], field: str):
    body = {"filter": {}, **REASON, **change}
    answer = ready.call("POST", "/v1/activities/redrive", body)
    assert answer.status == 422
    assert [field] == answer.fields
