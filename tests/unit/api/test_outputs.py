"""`GET /v1/runs/{run_id}/output`: whole, in ranges, under conditions, and not at all."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from agentruns.api.outputs import ANSWER_LIMIT_BYTES
from agentruns.lifecycle import end_run
from agentruns.model import EvidenceSource
from agentruns.statuses import RunStatus
from agentruns.transact import transact
from tests.unit.api.driver import ACTIVITY, Api

LAMBDA_ANSWER_BYTES = 6_291_556
SMALL = {"é": [1, None]}
SMALL_TEXT = '{"\\u00e9":[1,null]}'
LARGE = {"text": "x" * 400_000}
LARGE_TEXT = json.dumps(LARGE, separators=(",", ":"))


@pytest.fixture
def ready(api: Api) -> Api:
    return api.with_agent()


def ended(api: Api, output: Any, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the start's answer said of an activity whose run has ended with the output."""
    started = api.started(body)
    for status in (RunStatus.DISPATCHING, RunStatus.RUNNING):
        force(api, started, status)
    tell(api, started, RunStatus.COMPLETED, output)
    return started


def force(api: Api, started: dict[str, Any], status: RunStatus) -> None:
    from agentruns.transitions import run_changed

    now = api.clock()
    transact(
        api.activities,
        "default",
        started["activity_id"],
        lambda record: run_changed(record, record.current_run, status, now),
    )


def tell(api: Api, started: dict[str, Any], status: RunStatus, output: Any) -> None:
    now = api.clock()
    transact(
        api.activities,
        "default",
        started["activity_id"],
        lambda record: end_run(
            record, record.current_run, status, EvidenceSource.WEBHOOK, now, output=output
        ),
    )


def path_of(started: dict[str, Any]) -> str:
    return f"/v1/runs/{started['run_id']}/output"


def test_a_small_output_is_shown_and_read(ready):
    started = ended(ready, SMALL)

    shown = ready.call("GET", f"/v1/runs/{started['run_id']}").json
    answer = ready.call("GET", path_of(started))

    sha256 = hashlib.sha256(SMALL_TEXT.encode()).hexdigest()
    assert (SMALL, len(SMALL_TEXT), sha256) == (
        shown["output"],
        shown["output_bytes"],
        shown["output_sha256"],
    )
    assert path_of(started) == shown["links"]["output"]
    assert (200, SMALL_TEXT) == (answer.status, answer.text)
    assert "application/json" == answer.headers["Content-Type"]
    assert (f'"{sha256}"', "bytes") == (answer.headers["ETag"], answer.headers["Accept-Ranges"])


def test_a_large_output_is_not_shown_and_read_by_its_link(ready):
    started = ended(ready, LARGE)

    shown = ready.call("GET", f"/v1/activities/{started['activity_id']}").json["runs"][0]

    assert (None, len(LARGE_TEXT)) == (shown["output"], shown["output_bytes"])
    assert LARGE_TEXT == ready.call("GET", shown["links"]["output"]).text


@pytest.mark.parametrize("output", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=3-9", 3, 9),
        ("BYTES = 3 - 9", 3, 9),
        ("bytes=5-", 5, None),
        ("bytes=5-99999999", 5, None),
        ("bytes=-4", -4, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_a_range_is_answered_with_its_bytes_and_no_others_are_read(
    ready, output, header, first, last
):
    text = json.dumps(output, separators=(",", ":"))
    started = ended(ready, output)

    answer = ready.call("GET", path_of(started), headers={"range": header})

    first = first % len(text)
    last = len(text) - 1 if last is None else last
    assert (206, text[first : last + 1]) == (answer.status, answer.text)
    assert f"bytes {first}-{last}/{len(text)}" == answer.headers["Content-Range"]
    assert ready.outputs.reads == ([(first, last)] if output is LARGE else [])


@pytest.mark.parametrize(
    "header", ["bytes=9-3", "bytes=-", "lines=0-3", "bytes=0-1,3-4", "bytes=x-", "nonsense"]
)
def test_what_is_no_range_that_is_understood_is_answered_with_all_of_it(ready, header):
    started = ended(ready, SMALL)

    answer = ready.call("GET", path_of(started), headers={"range": header})

    assert (200, SMALL_TEXT) == (answer.status, answer.text)
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("header", [f"bytes={len(SMALL_TEXT)}-", "bytes=9999-10000", "bytes=-0"])
def test_a_range_behind_the_end_is_416_and_says_where_the_end_is(ready, header):
    started = ended(ready, SMALL)

    answer = ready.call("GET", path_of(started), headers={"range": header})

    assert (416, "urn:agentruns:problem:range_not_satisfiable") == (
        answer.status,
        answer.json["type"],
    )
    assert f"bytes */{len(SMALL_TEXT)}" == answer.headers["Content-Range"]


def test_conditions_on_the_hash(ready):
    started = ended(ready, SMALL)
    etag = ready.call("GET", path_of(started)).headers["ETag"]

    def status(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(ready.call("GET", path_of(started), headers=sent).status)

    assert 304 == status(if_none_match=etag)
    assert 304 == status(if_none_match=f'"other", W/{etag}')
    assert 304 == status(if_none_match="*")
    assert 200 == status(if_none_match='"other"')
    assert 206 == status(range="bytes=0-1", if_range=etag)
    assert 200 == status(range="bytes=0-1", if_range='"other"')
    assert "" == ready.call("GET", path_of(started), headers={"if-none-match": etag}).text


def test_one_answer_has_a_limit_and_a_range_of_the_rest_goes_on(ready):
    text = json.dumps('"' * 2_000_000)  # a JSON text that is twice as long within JSON
    started = ended(ready, '"' * 2_000_000)

    whole = ready.call("GET", path_of(started))
    assert (422, ["Range"]) == (whole.status, whole.fields)
    assert f"bytes=0-{ANSWER_LIMIT_BYTES - 1}" in whole.json["detail"]
    assert "agentruns output" in whole.json["detail"]

    first = ready.call("GET", path_of(started), headers={"range": "bytes=0-"})
    assert f"bytes 0-{ANSWER_LIMIT_BYTES - 1}/{len(text)}" == first.headers["Content-Range"]
    rest = {"range": f"bytes={ANSWER_LIMIT_BYTES}-"}
    assert text == first.text + ready.call("GET", path_of(started), headers=rest).text
    assert len(json.dumps({"body": first.text, "headers": first.headers})) < LAMBDA_ANSWER_BYTES


def test_the_largest_activity_fits_into_one_answer(ready):
    """Message, context and output in full, each as much longer within JSON as it can be."""
    body = ACTIVITY | {
        "message": '"' * (64 * 1024),
        "context": {"a": '"' * (100 * 1024 - 10)},
    }
    started = ended(ready, '"' * (150 * 1024 - 1), body)

    answer = ready.call("GET", f"/v1/activities/{started['activity_id']}")

    assert (200, 300 * 1024) == (answer.status, answer.json["runs"][0]["output_bytes"])
    assert answer.json["runs"][0]["output"] is not None
    assert len(json.dumps({"body": answer.text})) < LAMBDA_ANSWER_BYTES / 3


def test_what_came_too_late_is_read_by_its_hash(ready):
    started = ended(ready, SMALL)
    tell(ready, started, RunStatus.COMPLETED, LARGE)

    shown = ready.call("GET", f"/v1/runs/{started['run_id']}").json
    late = shown["evidence"][-1]

    assert (SMALL, False, len(LARGE_TEXT)) == (
        shown["output"],
        late["decided"],
        late["output_bytes"],
    )
    query = {"sha256": late["output_sha256"]}
    assert LARGE_TEXT == ready.call("GET", path_of(started), query=query).text
    assert SMALL_TEXT == ready.call("GET", path_of(started)).text
    assert 404 == ready.call("GET", path_of(started), query={"sha256": "0" * 64}).status
    assert 422 == ready.call("GET", path_of(started), query={"sha256": "../x"}).status


def test_missing_and_foreign_are_the_same_404(ready):
    started = ended(ready, SMALL)
    running = ready.started()
    foreign = ready.key("read", tenant="rival")

    assert "output_not_found" in ready.call("GET", path_of(running)).json["type"]
    assert ready.call("GET", f"/v1/runs/{running['run_id']}").json["links"]["output"] is None
    anothers = ready.call("GET", path_of(started), key=foreign)
    missing = ready.call("GET", f"/v1/runs/{started['run_id'][:-1]}9/output", key=foreign)
    assert (404, 404) == (anothers.status, missing.status)
    assert anothers.json["type"] == missing.json["type"]


def test_an_object_that_was_removed_is_a_404(ready):
    started = ended(ready, LARGE)
    ready.outputs.texts.clear()

    assert 404 == ready.call("GET", path_of(started)).status


def test_no_output_stands_in_a_log(ready, caplog):
    caplog.set_level("DEBUG")
    started = ended(ready, {"text": "CANARY" * 60_000})

    ready.call("GET", path_of(started), headers={"range": "bytes=0-500"})
    ready.call("GET", path_of(started), headers={"range": "bytes=9999999-"})

    assert "CANARY" not in "\n".join(str(vars(record)) for record in caplog.records)
