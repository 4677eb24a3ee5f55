"""The checker finds what is planted: books that are right, and the same with one thing wrong."""

from dataclasses import replace

import pytest

from agentruns.event_types import EventType
from agentruns.model import ActivityRecord, Event, Evidence, EvidenceSource, Problem, Run
from agentruns.statuses import ActivityStatus, RunStatus
from chaos.books import VERDICTS, Books, Findings, Start
from chaos.checker import check
from chaos.operating import DIALECTS
from chaos.outcome import COLUMNS, Outcome
from chaos.scenarios import agents, upstream, workflows
from tests.contracts.samples import a_run, an_activity
from tests.fakes.clock import NOON

ITEM = "65f0c0ffee65f0c0ffee65f0"
LOG = (
    EventType.ACTIVITY_OPENED,
    EventType.ACTIVITY_STARTED,
    EventType.RUN_STARTED,
    EventType.RUN_COMPLETED,
    EventType.ACTIVITY_COMPLETED,
)


def evidence(status: RunStatus = RunStatus.COMPLETED, *, decided: bool = True) -> Evidence:
    return Evidence(source=EvidenceSource.POLL, status=status, observed_at=NOON, decided=decided)


def done() -> ActivityRecord:
    activity = an_activity(status=ActivityStatus.DONE, last_sequence=len(LOG))
    run = a_run(activity, status=RunStatus.COMPLETED, remote_id=ITEM, evidence=(evidence(),))
    return ActivityRecord(activity=activity, runs=(run,))


def log(record: ActivityRecord, types: tuple[EventType, ...] = LOG) -> list[Event]:
    return [
        Event(
            tenant="acme",
            activity_id=record.activity.activity_id,
            sequence=sequence,
            type=type_,
            at=NOON,
            run_id=record.current_run.run_id,
            detail={},
        )
        for sequence, type_ in enumerate(types, 1)
    ]


def books(record: ActivityRecord, **fields) -> Books:
    activity_id = record.activity.activity_id
    run_id = record.current_run.run_id
    values = {
        "accepted": [activity_id],
        "records": {activity_id: record},
        "events": {activity_id: log(record)},
        "starts": [Start(run_id=run_id, remote_id=ITEM, status="completed")],
    }
    return Books(**(values | fields))


def in_run(record: ActivityRecord, **fields) -> ActivityRecord:
    return replace(record, runs=(replace(record.current_run, **fields),))


def in_activity(record: ActivityRecord, **fields) -> ActivityRecord:
    return replace(record, activity=replace(record.activity, **fields))


def verdicts(found: Findings) -> set[str]:
    return {offence.verdict for offence in found.offences}


def unknown() -> ActivityRecord:
    blocked = in_activity(done(), status=ActivityStatus.BLOCKED, last_sequence=2)
    return in_run(blocked, status=RunStatus.START_UNKNOWN, remote_id=None, evidence=())


def test_right_books_are_clean():
    found = check(books(done()))

    assert found.is_clean
    assert (1, 1, 0) == (found.accepted, found.starts, found.unknown)
    assert {ActivityStatus.DONE: 1} == found.ended


def test_an_unknown_start_waits_visibly():
    record = unknown()

    found = check(books(record, events={record.activity.activity_id: log(record, LOG[:2])}))

    assert found.is_clean
    assert (1, 1) == (found.unknown, found.unknown_started)


def test_a_start_that_ended_as_unknown_is_not_denied():
    problem = Problem(code="start_unknown", message="no trustworthy answer")
    record = in_run(
        in_activity(done(), status=ActivityStatus.FAILED),
        status=RunStatus.FAILED,
        remote_id=None,
        error=problem,
    )

    assert check(books(record)).is_clean


def test_an_unknown_start_that_its_webhook_resolved_is_counted():
    types = (*LOG[:2], EventType.RUN_START_UNKNOWN, *LOG[2:])
    record = in_activity(done(), last_sequence=len(types))
    events = [replace(event, detail={"source": "webhook"}) for event in log(record, types)]
    activity_id = record.activity.activity_id
    by_hand = [replace(event, detail={"source": "human"}) for event in events]

    assert 1 == check(books(record, events={activity_id: events})).resolved
    assert 0 == check(books(record, events={activity_id: by_hand})).resolved
    assert 0 == check(books(done())).resolved


def second_start(record: ActivityRecord) -> Books:
    start = Start(run_id=record.current_run.run_id, remote_id="another", status="in_progress")
    right = books(record)
    return replace(right, starts=[*right.starts, start])


def another_activity(record: ActivityRecord) -> Books:
    right, twin = books(record), in_activity(unknown(), last_sequence=0)
    return replace(right, records={**right.records, twin.activity.activity_id: twin})


def denied(record: ActivityRecord) -> Books:
    failed = in_activity(record, status=ActivityStatus.FAILED)
    problem = Problem(code="upstream_unavailable", message="refused")
    return books(in_run(failed, status=RunStatus.FAILED, remote_id=None, error=problem))


def running(record: ActivityRecord) -> Run:
    return replace(record.current_run, status=RunStatus.RUNNING, evidence=())


def without(record: ActivityRecord, sequence: int) -> Books:
    events = [event for event in log(record) if event.sequence != sequence]
    return books(record, events={record.activity.activity_id: events})


def told_again(record: ActivityRecord, type_: EventType) -> Books:
    longer = in_activity(record, last_sequence=len(LOG) + 1)
    events = log(longer, (*LOG[:-1], type_, LOG[-1]))
    return books(longer, events={record.activity.activity_id: events})


def with_start(record: ActivityRecord, **fields) -> Books:
    right = books(record)
    return replace(right, starts=[replace(right.starts[0], **fields)])


def unheard(record: ActivityRecord) -> Books:
    """Its webhook was taken, and it waits as if nobody knew."""
    waiting = in_run(
        in_activity(record, status=ActivityStatus.BLOCKED, last_sequence=2),
        status=RunStatus.START_UNKNOWN,
        remote_id=None,
        evidence=(),
    )
    events = {record.activity.activity_id: log(waiting, LOG[:2])}
    right = books(waiting, events=events)
    return replace(right, starts=[replace(right.starts[0], is_told=True)])


PLANTED = {
    "accepted, and no row": (
        "lost",
        lambda r: replace(books(r), accepted=["act_1", *books(r).accepted]),
    ),
    "started, and no run": ("lost", lambda r: with_start(r, run_id="run_1")),
    "started, and denied": ("lost", denied),
    "a run started twice": ("doubled", second_start),
    "an activity nobody asked for": ("doubled", another_activity),
    "two requests, one activity": (
        "doubled",
        lambda r: replace(books(r), accepted=[*books(r).accepted, *books(r).accepted]),
    ),
    "a start told twice": ("doubled", lambda r: told_again(r, EventType.RUN_STARTED)),
    "the provider says failed": ("contradicted", lambda r: with_start(r, status="failed")),
    "another item": ("contradicted", lambda r: with_start(r, remote_id="another")),
    "two decisions": (
        "contradicted",
        lambda r: books(in_run(r, evidence=(evidence(), evidence(RunStatus.FAILED)))),
    ),
    "an end without evidence": ("contradicted", lambda r: books(in_run(r, evidence=()))),
    "failed on a completed run": (
        "contradicted",
        lambda r: books(in_activity(r, status=ActivityStatus.FAILED)),
    ),
    "an end told twice": ("contradicted", lambda r: told_again(r, EventType.RUN_FAILED)),
    "an activity's end told twice": (
        "contradicted",
        lambda r: told_again(r, EventType.ACTIVITY_FAILED),
    ),
    "neither ended nor waiting": (
        "stuck",
        lambda r: books(
            replace(in_activity(r, status=ActivityStatus.IN_PROGRESS), runs=(running(r),))
        ),
    ),
    "blocked, but not as unknown": (
        "stuck",
        lambda r: books(replace(in_activity(r, status=ActivityStatus.BLOCKED), runs=(running(r),))),
    ),
    "told, and still unknown": ("stuck", unheard),
    "an event missing in between": ("gaps", lambda r: without(r, 2)),
    "the last event missing": ("gaps", lambda r: without(r, len(LOG))),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_wrong_is_found(planted: str):
    verdict, wrong = PLANTED[planted]

    found = check(wrong(done()))

    assert verdict in verdicts(found)
    assert not found.is_clean


def test_every_verdict_can_be_reached():
    assert set(VERDICTS) == {verdict for verdict, _ in PLANTED.values()}


def an_outcome(findings: Findings, **fields) -> Outcome:
    return Outcome(scenario="upstream", seed=7, findings=findings, faults=3, seconds=1.0, **fields)


def test_a_finding_is_told_with_its_run_and_its_evidence():
    outcome = an_outcome(check(second_start(done())), evidence=["the row"])
    complaints = list(outcome.complaints())

    assert not outcome.is_clean
    assert complaints[0].startswith("DOUBLED (upstream, seed 7): act_")
    assert "was started 2 times" in complaints[0]
    assert "the row" == complaints[-1]


def test_a_broken_expectation_is_no_clean_outcome():
    assert not an_outcome(check(books(done())), broken=["rows changed"]).is_clean
    assert an_outcome(check(books(done()))).is_clean


def test_a_row_has_a_cell_for_every_column():
    assert len(COLUMNS) == len(an_outcome(check(books(done()))).cells())


@pytest.mark.parametrize("operation", ["token", "execute", "status"])
def test_the_faults_together_strike_the_wanted_share(operation: str):
    passes = 1.0
    for rule in upstream.rules(seed=7):
        if rule["operation"] == operation:
            passes *= 1 - rule["probability"]

    assert 1 - passes == pytest.approx(upstream.SHARE)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_faults_of_webhooks_strike_the_wanted_share_of_each_workflow(dialect: str):
    for end in workflows.ENDS:
        passes = 1.0
        for rule in workflows.webhook_rules(seed=7):
            of_this = rule["workflow_id"] == workflows.workflow_of(end, dialect)
            if of_this and rule["operation"] == "webhook" and "probability" in rule:
                passes *= 1 - rule["probability"]

        assert 1 - passes == pytest.approx(workflows.SHARE)


def test_what_cannot_be_told_from_the_truth_is_kept_to_the_dialect_that_can_be_asked():
    kinds = {
        rule["kind"]
        for rule in workflows.webhook_rules(seed=7)
        if rule["workflow_id"].endswith("_workflows")
    }

    assert not kinds & {"lost", "forged_outcome"}
    assert {"late", "twice", "shuffled", "outdated", "forged", "mangled", "slow", "early"} == kinds


def test_the_faults_of_dispatches_strike_the_wanted_share():
    passes = 1.0
    for rule in agents.rules(seed=7):
        if "probability" in rule:
            passes *= 1 - rule["probability"]

    assert 1 - passes == pytest.approx(agents.SHARE)


@pytest.mark.parametrize(
    "rules", [upstream.rules, workflows.webhook_rules, workflows.start_rules, agents.rules]
)
def test_a_seed_repeats_its_faults(rules):
    assert list(rules(7)) == list(rules(7))
    assert list(rules(7)) != list(rules(8))
