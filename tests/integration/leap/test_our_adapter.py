"""Our adapter against the emulator: each call in each dialect, and each fault of an answer.

A fault's outcome is the one that the adapter documents, and the emulator's ledger agrees with it:
what is called refused or not taken was not accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agentruns.errors import AgentrunsError, StartUnknown, UpstreamUnavailable, UpstreamUnreadable
from agentruns.provider_ports import WorkflowRun
from agentruns.providers import LeapDialect
from agentruns.refusals import (
    ApiKeyRejected,
    WorkflowNotFound,
    WorkflowRejected,
    WorkflowRunNotFound,
)
from tests.integration.leap.our_adapter import OurAdapter
from tests.integration.leap.recorded import INPUT_CSV_URL, WEBHOOK_URL, WORKFLOW_ID

RETRY_LATER = {"Retry-After": "3"}
DIALECTS = list(LeapDialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_start_is_accepted_once_and_shows_the_run(leap, dialect):
    run = OurAdapter(leap.url, dialect).start()

    (entry,) = leap.ledger.starts()
    assert (entry.run.run_id, entry.webhook_url) == (run.workflow_run_id, WEBHOOK_URL)
    assert (run.workflow_id, run.status, run.output) == (WORKFLOW_ID, "running", None)
    assert run.version_id


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("casing", ["camel", "snake"])
@pytest.mark.parametrize("input_name", ["input", "inputs"])
def test_either_casing_and_either_name_of_the_inputs_is_read(leap, dialect, casing, input_name):
    leap.change_settings(casing=casing, input_name=input_name)

    assert OurAdapter(leap.url, dialect).start().workflow_id == WORKFLOW_ID


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_any_2xx_is_success(leap, dialect, status):
    leap.change_settings(start_status=status)

    assert OurAdapter(leap.url, dialect).start().workflow_run_id


@pytest.mark.parametrize("status", ["queued", "running", "completed", "failed", "cancelled", "odd"])
@pytest.mark.parametrize("output", [None, "text", -0.5, [1, None], True, {"a": {"b": []}}])
def test_a_run_is_read_whatever_its_status_and_output(leap, status, output):
    ours = OurAdapter(leap.url)
    run_id = ours.start().workflow_run_id
    leap.set_run_status(run_id, status, output=output, error="no credits")

    run = ours.read(run_id)

    assert (run.workflow_run_id, run.workflow_id, run.status) == (run_id, WORKFLOW_ID, status)
    assert run.output == output
    assert run.error == "no credits"


def test_a_bulk_run_is_accepted_once_and_read_to_its_end(leap):
    leap.define_workflow("wkf_rows", [{"status": "running"}], row_count=7)
    ours = OurAdapter(leap.url)

    started = ours.start_bulk("wkf_rows")

    (entry,) = leap.ledger.starts()
    assert (entry.run.run_id, entry.webhook_url) == (started.workflow_run_id, WEBHOOK_URL)
    assert entry.run.request.input_csv_url == INPUT_CSV_URL
    assert (started.workflow_id, started.status, started.row_count) == ("wkf_rows", "running", 7)
    leap.set_run_status(started.workflow_run_id, "completed")
    ended = ours.read_bulk(started.workflow_run_id)
    url = f"{leap.url}/_emulator/files/{started.workflow_run_id}.csv"
    assert (ended.status, ended.output) == ("completed", {"output_csv_url": url, "row_count": 7})


@pytest.mark.parametrize("casing", ["camel", "snake"])
def test_either_casing_of_a_bulk_run_is_read(leap, casing):
    leap.change_settings(casing=casing)

    assert OurAdapter(leap.url).start_bulk().workflow_id == WORKFLOW_ID


def test_a_run_and_a_bulk_run_are_not_read_as_each_other(leap):
    ours = OurAdapter(leap.url)
    single, bulk = ours.start().workflow_run_id, ours.start_bulk().workflow_run_id

    with pytest.raises(WorkflowRunNotFound):
        ours.read_bulk(single)
    with pytest.raises(WorkflowRunNotFound):
        ours.read(bulk)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_refusals_are_told_apart_and_start_nothing(leap, dialect):
    with pytest.raises(WorkflowNotFound):
        OurAdapter(leap.url, dialect).start("wkf_nobody")
    with pytest.raises(WorkflowRejected):
        OurAdapter(leap.url, dialect).start("wkf_cannot_be_run")
    with pytest.raises(ApiKeyRejected):
        OurAdapter(leap.url, dialect, api_key="another-key").start()
    with pytest.raises(ApiKeyRejected):
        OurAdapter(leap.url, dialect, api_key="another-key").read("rnp_1")
    with pytest.raises(WorkflowRunNotFound):
        OurAdapter(leap.url, dialect).read("rnp_nobody")

    assert leap.ledger.starts() == []


def test_a_run_of_a_dialect_that_has_no_read_is_not_found(leap):
    run_id = OurAdapter(leap.url, LeapDialect.WORKFLOWS).start().workflow_run_id

    with pytest.raises(WorkflowRunNotFound):
        OurAdapter(leap.url).read(run_id)


def test_where_nobody_listens_nothing_was_taken(leap):
    leap.stop()

    with pytest.raises(UpstreamUnavailable):
        OurAdapter(leap.url).start()


START_FAULTS: list[tuple[dict[str, Any], type[AgentrunsError] | None]] = [
    ({"kind": "status", "status": 200}, StartUnknown),
    ({"kind": "status", "status": 400}, WorkflowRejected),
    ({"kind": "status", "status": 401}, ApiKeyRejected),
    ({"kind": "status", "status": 403}, ApiKeyRejected),
    ({"kind": "status", "status": 404}, WorkflowNotFound),
    ({"kind": "status", "status": 408}, StartUnknown),
    ({"kind": "status", "status": 422}, WorkflowRejected),
    ({"kind": "status", "status": 429}, UpstreamUnavailable),
    ({"kind": "status", "status": 429, "headers": RETRY_LATER}, UpstreamUnavailable),
    ({"kind": "status", "status": 500}, StartUnknown),
    ({"kind": "status", "status": 500, "accept": True}, StartUnknown),
    ({"kind": "status", "status": 503}, StartUnknown),
    ({"kind": "status", "status": 503, "headers": RETRY_LATER}, UpstreamUnavailable),
    ({"kind": "html"}, StartUnknown),
    ({"kind": "html", "accept": True}, StartUnknown),
    ({"kind": "html", "status": 502, "accept": True}, StartUnknown),
    ({"kind": "empty"}, StartUnknown),
    ({"kind": "empty", "accept": True}, StartUnknown),
    ({"kind": "redirect"}, StartUnknown),
    ({"kind": "redirect", "status": 307, "accept": True}, StartUnknown),
    ({"kind": "hang"}, StartUnknown),
    ({"kind": "hang", "accept": True}, StartUnknown),
    ({"kind": "reset"}, StartUnknown),
    ({"kind": "reset", "accept": True}, StartUnknown),
    ({"kind": "drop_after_accept"}, StartUnknown),
    ({"kind": "delay", "seconds": 0.3}, None),
    ({"kind": "delay", "seconds": 30}, StartUnknown),
    ({"kind": "broken_json"}, StartUnknown),
    ({"kind": "wrong_types"}, StartUnknown),
    ({"kind": "extra_fields"}, None),
    ({"kind": "slow_drip", "seconds": 0.1}, StartUnknown),
    ({"kind": "huge"}, StartUnknown),
    ({"kind": "huge", "bytes": 100_000}, None),
    ({"kind": "gzip_bomb"}, StartUnknown),
]
NEVER_HANDLED = {"status", "html", "empty", "redirect", "hang", "reset"}
"""Unless the rule says `accept`."""

EVERY_FAULT_OF_AN_ANSWER = {
    *("status", "html", "empty", "redirect", "hang", "reset", "drop_after_accept", "delay"),
    *("broken_json", "wrong_types", "extra_fields", "slow_drip", "huge", "gzip_bomb"),
}


def was_handled(fault: dict[str, Any]) -> bool:
    return bool(fault.get("accept", fault["kind"] not in NEVER_HANDLED))


def name_of(value: Any) -> str:
    return "-".join(map(str, value.values())) if isinstance(value, dict) else ""


def starter(ours: OurAdapter, *, is_bulk: bool) -> Callable[[], WorkflowRun]:
    return ours.start_bulk if is_bulk else ours.start


@pytest.mark.parametrize(
    ("dialect", "is_bulk"),
    [*((dialect, False) for dialect in DIALECTS), (LeapDialect.RUNS, True)],
)
@pytest.mark.parametrize(("fault", "expected"), START_FAULTS, ids=name_of)
def test_a_fault_on_a_start_has_its_outcome_and_the_ledger_agrees(
    leap, dialect, is_bulk, fault, expected
):
    leap.add_fault(operation="start_bulk" if is_bulk else "start", times=1, **fault)
    start = starter(OurAdapter(leap.url, dialect), is_bulk=is_bulk)

    outcome = outcome_of(start)

    accepted = len(leap.ledger.starts())
    assert type(outcome) is expected if expected else outcome is None
    assert accepted == was_handled(fault)
    if accepted:
        assert outcome is None or isinstance(outcome, StartUnknown)
    if "headers" in fault:
        assert isinstance(outcome, UpstreamUnavailable)
        assert outcome.retry_after_seconds == 3.0
    assert leap.ledger.as_document()["redirects_followed"] == []
    assert start().workflow_run_id
    assert len(leap.ledger.starts()) == accepted + 1


READ_FAULTS: list[tuple[dict[str, Any], type[AgentrunsError] | None]] = [
    ({"kind": "status", "status": 200}, UpstreamUnreadable),
    ({"kind": "status", "status": 400}, WorkflowRunNotFound),
    ({"kind": "status", "status": 401}, ApiKeyRejected),
    ({"kind": "status", "status": 403}, ApiKeyRejected),
    ({"kind": "status", "status": 404}, WorkflowRunNotFound),
    ({"kind": "status", "status": 408}, UpstreamUnavailable),
    ({"kind": "status", "status": 429, "headers": RETRY_LATER}, UpstreamUnavailable),
    ({"kind": "status", "status": 500}, UpstreamUnavailable),
    ({"kind": "status", "status": 503, "headers": RETRY_LATER}, UpstreamUnavailable),
    ({"kind": "html"}, UpstreamUnreadable),
    ({"kind": "empty"}, UpstreamUnreadable),
    ({"kind": "redirect"}, UpstreamUnreadable),
    ({"kind": "hang"}, UpstreamUnavailable),
    ({"kind": "reset"}, UpstreamUnavailable),
    ({"kind": "drop_after_accept"}, UpstreamUnavailable),
    ({"kind": "delay", "seconds": 0.3}, None),
    ({"kind": "delay", "seconds": 30}, UpstreamUnavailable),
    ({"kind": "broken_json"}, UpstreamUnreadable),
    ({"kind": "wrong_types"}, UpstreamUnreadable),
    ({"kind": "extra_fields"}, None),
    ({"kind": "slow_drip", "seconds": 0.1}, UpstreamUnreadable),
    ({"kind": "huge"}, UpstreamUnreadable),
    ({"kind": "huge", "bytes": 100_000}, None),
    ({"kind": "gzip_bomb"}, UpstreamUnreadable),
]


@pytest.mark.parametrize("is_bulk", [False, True])
@pytest.mark.parametrize(("fault", "expected"), READ_FAULTS, ids=name_of)
def test_a_fault_on_a_read_has_its_outcome_and_the_next_read_works(leap, is_bulk, fault, expected):
    ours = OurAdapter(leap.url)
    read = ours.read_bulk if is_bulk else ours.read
    run_id = starter(ours, is_bulk=is_bulk)().workflow_run_id
    leap.add_fault(operation="read_bulk" if is_bulk else "read", times=1, **fault)

    outcome = outcome_of(lambda: read(run_id))

    assert type(outcome) is expected if expected else outcome is None
    if "headers" in fault:
        assert isinstance(outcome, UpstreamUnavailable)
        assert outcome.retry_after_seconds == 3.0
    assert leap.ledger.as_document()["redirects_followed"] == []
    assert read(run_id).workflow_run_id == run_id
    assert len(leap.ledger.starts()) == 1


@pytest.mark.parametrize("faults", [START_FAULTS, READ_FAULTS])
def test_every_fault_of_an_answer_is_tried(faults):
    assert {fault["kind"] for fault, _ in faults} == EVERY_FAULT_OF_AN_ANSWER


def test_two_hundred_starts_under_faults_never_start_twice(leap):
    """Some 30 % meet one of eight faults; what was provably not taken is sent again."""
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
        leap.add_fault(operation="start", probability=0.043, seed=seed, **fault)
    for number in range(200):
        leap.define_workflow(f"wkf_{number}", [{"status": "running"}])
    ours = OurAdapter(leap.url)

    def start(number: int) -> str:
        for _ in range(6):
            outcome = outcome_of(lambda: ours.start(f"wkf_{number}"))
            if not isinstance(outcome, UpstreamUnavailable):
                return "start_unknown" if outcome else "accepted"
        return "gave_up"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(start, range(200)))

    starts = [0] * 200
    for entry in leap.ledger.starts():
        starts[int(entry.run.request.workflow_id.removeprefix("wkf_"))] += 1
    assert max(starts) == 1
    assert {starts[n] for n in range(200) if outcomes[n] == "accepted"} == {1}
    assert "gave_up" not in outcomes
    assert 0 < outcomes.count("start_unknown") < 100


def outcome_of(call: Any) -> AgentrunsError | None:
    try:
        call()
    except AgentrunsError as error:
        return error
    return None
