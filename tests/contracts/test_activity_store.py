"""The contract of `ActivityStore`, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agentruns.errors import ActivityNotFound, InvalidRequest, StoreConflict
from agentruns.event_types import EventType
from agentruns.model import Activity, ActivityInput, Change, Idempotency, Page, Problem
from agentruns.ports import ActivityFilter, ActivityStore, DueRun
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.store import keys
from agentruns.store.activities import DynamoDbActivityStore
from tests.contracts.samples import (
    a_run,
    a_watched_run,
    an_activity,
    an_event,
    an_idempotency,
    create,
    touched,
)
from tests.contracts.table import TABLE_NAME
from tests.fakes import InMemoryActivityStore
from tests.fakes.clock import NOON
from tests.fakes.stores import MAX_ITEM_BYTES

ANY = ActivityFilter()


@pytest.fixture(params=["in_memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> ActivityStore:
    if request.param == "in_memory":
        return InMemoryActivityStore()
    return DynamoDbActivityStore(request.getfixturevalue("table"))


class TestRowsAreLimited:
    @pytest.mark.parametrize("size", [300 * 1024, 410 * 1024])
    def test_a_run_that_is_too_large_for_a_row_is_refused(self, store, size):
        """So nothing may count on it: what is large goes elsewhere."""
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        change = Change(activity=touched(activity), runs=(replace(run, output="x" * size),))
        if size < MAX_ITEM_BYTES:
            assert size == len(store.apply(change).current_run.output)
            return
        with pytest.raises(ClientError) as raised:
            store.apply(change)
        assert "size" in str(raised.value)
        assert run == store.read("acme", activity.activity_id).current_run


class TestCreateAndRead:
    def test_what_was_created_is_read_back(self, store):
        activity = an_activity(title="Reset", tags=("vpn", "urgent"))
        run = a_run(activity, due_at=NOON)
        told = ActivityInput(message="hé llo", context={"a": [1, {"b": None}]})
        store.create(activity, told, run, (an_event(activity),), None)
        record = store.read("acme", activity.activity_id)
        assert replace(activity, version=1, last_sequence=1) == record.activity
        assert (replace(run, version=1),) == record.runs
        assert told == store.read_input("acme", activity.activity_id)

    def test_another_tenant_does_not_see_it(self, store):
        activity = create(store)
        for read in (store.read, store.read_input):
            with pytest.raises(ActivityNotFound):
                read("other", activity.activity_id)
        assert () == store.list_events("other", activity.activity_id, 0, 10)
        assert () == store.list_activities("other", ANY, 10, None).items

    def test_an_unknown_activity_is_not_found(self, store):
        with pytest.raises(ActivityNotFound):
            store.read("acme", "act_01ARZ3NDEKTSV4RRFFQ69G5FAV")

    def test_an_id_is_created_once(self, store):
        activity = create(store)
        with pytest.raises(StoreConflict):
            create(store, replace(activity, version=0, last_sequence=0, title="another"))
        assert "" == store.read("acme", activity.activity_id).activity.title


class TestIdempotency:
    def make(self, store: ActivityStore, activity: Activity, idempotency: Idempotency) -> None:
        store.create(activity, ActivityInput(), a_run(activity), (), idempotency)

    def test_the_key_is_found_until_it_expires(self, store):
        activity = an_activity()
        idempotency = an_idempotency(activity)
        self.make(store, activity, idempotency)
        end = idempotency.expires_at
        scope, key = idempotency.scope, idempotency.key
        assert idempotency == store.find_idempotency(scope, key, end - timedelta(microseconds=1))
        assert store.find_idempotency(scope, key, end) is None

    def test_scopes_are_apart(self, store):
        activity = an_activity()
        self.make(store, activity, an_idempotency(activity))
        assert store.find_idempotency("acme#event", "ticket-1", NOON) is None
        assert store.find_idempotency("other#api", "ticket-1", NOON) is None

    def test_a_taken_key_stores_nothing(self, store):
        first, second = an_activity(), an_activity()
        self.make(store, first, an_idempotency(first))
        with pytest.raises(StoreConflict):
            self.make(store, second, an_idempotency(second))
        with pytest.raises(ActivityNotFound):
            store.read("acme", second.activity_id)
        found = store.find_idempotency("acme#api", "ticket-1", NOON)
        assert first.activity_id == found.activity_id

    def test_an_expired_key_is_taken_over(self, store):
        first = an_activity()
        second = an_activity(created_at=NOON + timedelta(hours=24))
        self.make(store, first, an_idempotency(first))
        self.make(store, second, an_idempotency(second))
        found = store.find_idempotency("acme#api", "ticket-1", second.created_at)
        assert second.activity_id == found.activity_id


class TestApply:
    def test_versions_go_up_and_events_get_the_next_numbers(self, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        change = Change(
            activity=replace(activity, status=ActivityStatus.IN_PROGRESS),
            runs=(replace(run, status=RunStatus.DISPATCHING, dispatch_id="d1"),),
            events=(
                an_event(activity, EventType.ACTIVITY_STARTED),
                an_event(activity, EventType.RUN_STATUS_CHANGED),
            ),
        )
        stored = store.apply(change)
        assert (2, 3, 2) == (
            stored.activity.version,
            stored.activity.last_sequence,
            stored.runs[0].version,
        )
        assert stored == store.read("acme", activity.activity_id)
        events = store.list_events("acme", activity.activity_id, 0, 10)
        assert [1, 2, 3] == [event.sequence for event in events]
        assert [
            EventType.ACTIVITY_OPENED,
            EventType.ACTIVITY_STARTED,
            EventType.RUN_STATUS_CHANGED,
        ] == [event.type for event in events]
        assert {"status": "queued"} == events[1].detail

    def test_the_second_of_two_who_read_the_same_conflicts(self, store):
        activity = create(store)
        first = Change(activity=touched(activity), events=(an_event(activity),))
        second = Change(activity=replace(activity, title="x"), events=(an_event(activity),))
        store.apply(first)
        with pytest.raises(StoreConflict):
            store.apply(second)
        assert 2 == len(store.list_events("acme", activity.activity_id, 0, 10))
        assert "" == store.read("acme", activity.activity_id).activity.title

    def test_row_30_an_equal_change_of_somebody_else_conflicts(self, store):
        activity = create(store)
        change = Change(activity=touched(activity), events=(an_event(activity),))
        store.apply(change)
        with pytest.raises(StoreConflict):
            store.apply(change)

    def test_a_run_that_moved_on_stores_nothing(self, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        store.save_run(replace(run, polls=1))
        with pytest.raises(StoreConflict):
            store.apply(
                Change(activity=touched(activity), runs=(run,), events=(an_event(activity),))
            )
        record = store.read("acme", activity.activity_id)
        assert activity == record.activity
        assert 1 == record.current_run.polls
        assert 1 == len(store.list_events("acme", activity.activity_id, 0, 10))

    def test_a_further_run_has_version_zero_and_is_added_once(self, store):
        activity = create(store)
        further = a_run(activity, attempt=2)
        stored = store.apply(Change(activity=replace(activity, attempt=2), runs=(further,)))
        assert (replace(further, version=1),) == stored.runs
        record = store.read("acme", activity.activity_id)
        assert [1, 2] == [run.attempt for run in record.runs]
        assert further.run_id == record.current_run.run_id
        with pytest.raises(StoreConflict):
            store.apply(Change(activity=record.activity, runs=(further,)))

    def test_an_activity_that_is_not_there_conflicts(self, store):
        for version in (0, 1):
            with pytest.raises(StoreConflict):
                store.apply(Change(activity=an_activity(version=version)))

    def test_ten_changes_leave_a_gapless_log(self, store):
        activity = create(store)
        for number in range(10):
            events = (an_event(activity),) * (number % 3)
            activity = store.apply(Change(activity=touched(activity), events=events)).activity
        sequences = [e.sequence for e in store.list_events("acme", activity.activity_id, 0, 99)]
        assert list(range(1, activity.last_sequence + 1)) == sequences


class TestSaveRun:
    def test_the_stored_run_comes_back_with_the_next_version(self, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        stored = store.save_run(
            replace(run, polls=3, last_problem=Problem(code="x", message="y"), output=[1, None])
        )
        assert 2 == stored.version
        assert (stored,) == store.read("acme", activity.activity_id).runs
        assert 1 == store.read("acme", activity.activity_id).activity.version

    def test_the_second_of_two_who_read_the_same_conflicts(self, store):
        activity = create(store)
        run = store.read("acme", activity.activity_id).current_run
        store.save_run(replace(run, polls=1))
        for polls in (1, 2):
            with pytest.raises(StoreConflict):
                store.save_run(replace(run, polls=polls))

    def test_it_opens_no_run(self, store):
        activity = create(store)
        for run in (a_run(activity, attempt=2), a_run(an_activity())):
            with pytest.raises(StoreConflict):
                store.save_run(run)


class TestListing:
    def fill(self, store: ActivityStore, count: int = 7, **fields: Any) -> list[str]:
        return [
            create(store, created_at=NOON + timedelta(seconds=number), **fields).activity_id
            for number in range(count)
        ][::-1]

    def follow(
        self, store: ActivityStore, activity_filter: ActivityFilter, limit: int
    ) -> list[str]:
        found: list[str] = []
        cursor = None
        for _ in range(50):
            page: Page[Activity] = store.list_activities("acme", activity_filter, limit, cursor)
            assert len(page.items) <= limit
            found += [activity.activity_id for activity in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found
        raise AssertionError("the listing does not end")

    def test_newest_first_page_by_page(self, store):
        newest_first = self.fill(store)
        self.fill(store, 2, tenant="other")
        for limit in (1, 3, 7, 50):
            assert newest_first == self.follow(store, ANY, limit)

    def test_the_last_page_has_no_cursor(self, store):
        self.fill(store, 3)
        assert store.list_activities("acme", ANY, 3, None).next_cursor is None
        assert store.list_activities("acme", ANY, 2, None).next_cursor is not None

    @pytest.mark.parametrize(
        "activity_filter",
        [
            ActivityFilter(status=ActivityStatus.FAILED),
            ActivityFilter(agent_role="hr"),
            ActivityFilter(tag="vpn"),
            ActivityFilter(status=ActivityStatus.FAILED, agent_role="hr", tag="vpn"),
        ],
    )
    def test_filters_hold_over_pages(self, store, activity_filter):
        matching = {"status": ActivityStatus.FAILED, "agent_role": "hr", "tags": ("a", "vpn")}
        self.fill(store, 4, tags=("vpn2",))
        wanted = self.fill(store, 5, **matching)
        for limit in (1, 2, 10):
            assert sorted(wanted) == sorted(self.follow(store, activity_filter, limit))

    def test_a_role_is_found_in_either_spelling(self, store):
        wanted = self.fill(store, 2, agent_role="seo_writer")
        self.fill(store, 1, agent_role="seowriter")
        for spelling in ("seo_writer", "seo-writer"):
            assert wanted == self.follow(store, ActivityFilter(agent_role=spelling), 5)

    def test_filters_are_all_to_be_met(self, store):
        self.fill(store, 1, agent_role="hr")
        activity_filter = ActivityFilter(agent_role="hr", tag="vpn")
        assert [] == self.follow(store, activity_filter, 5)

    @pytest.mark.parametrize("cursor", ["", "x", "!!!", "é", "YQ", "YWN0Xw.", "a" * 5000])
    def test_a_damaged_cursor_is_refused_by_field(self, store, cursor):
        with pytest.raises(InvalidRequest) as caught:
            store.list_activities("acme", ANY, 5, cursor)
        assert "cursor" == caught.value.problems[0][0]

    def test_the_cursor_of_another_listing_is_refused(self, store):
        self.fill(store, 3)
        self.fill(store, 3, tenant="other")
        cursor = store.list_activities("acme", ANY, 1, None).next_cursor
        for tenant, activity_filter in [
            ("other", ANY),
            ("acme", ActivityFilter(tag="vpn")),
            ("acme", ActivityFilter(status=ActivityStatus.QUEUED)),
        ]:
            with pytest.raises(InvalidRequest):
                store.list_activities(tenant, activity_filter, 1, cursor)

    def test_what_is_created_between_two_pages_moves_nothing(self, store):
        newest_first = self.fill(store, 4)
        page = store.list_activities("acme", ANY, 2, None)
        create(store, created_at=NOON + timedelta(hours=1))
        rest = store.list_activities("acme", ANY, 2, page.next_cursor)
        assert newest_first == [a.activity_id for a in (*page.items, *rest.items)]


class TestEvents:
    def test_after_and_limit(self, store):
        activity = create(store)
        for _ in range(4):
            change = Change(activity=activity, events=(an_event(activity),))
            activity = store.apply(change).activity

        def sequences(after: int, limit: int) -> list[int]:
            events = store.list_events("acme", activity.activity_id, after, limit)
            return [event.sequence for event in events]

        assert [3, 4] == sequences(2, 2)
        assert [1, 2, 3, 4, 5] == sequences(0, 100)
        assert [] == sequences(5, 100)
        assert [] == sequences(10**12, 100)
        assert [1] == sequences(-3, 1)


class TestDueRuns:
    def test_those_whose_time_has_come_oldest_first(self, store):
        due = []
        for number in range(9):
            activity = an_activity(created_at=NOON + timedelta(seconds=number))
            at = NOON - timedelta(seconds=number)
            create(store, activity, a_run(activity, due_at=at))
            due.append(activity.activity_id)
        later = an_activity(tenant="other")
        create(store, later, a_run(later, due_at=NOON + timedelta(microseconds=1)))
        create(store)

        def found(now: datetime, limit: int) -> list[str]:
            return [run.activity_id for run in store.list_due_runs(now, limit)]

        assert due[::-1] == found(NOON, 100)
        assert due[:5:-1] == found(NOON, 3)
        assert due[:0:-1] == found(NOON - timedelta(microseconds=1), 100)
        assert [*due[::-1], later.activity_id] == found(NOON + timedelta(microseconds=1), 100)

    def test_a_run_leaves_the_index_with_its_due_time(self, store):
        activity = an_activity()
        create(store, activity, a_run(activity, due_at=NOON))
        (due,) = store.list_due_runs(NOON, 10)
        run = store.read("acme", activity.activity_id).current_run
        expected = DueRun(
            tenant="acme", activity_id=run.activity_id, run_id=run.run_id, due_at=NOON
        )
        assert expected == due
        store.save_run(replace(run, due_at=None))
        assert () == store.list_due_runs(NOON, 10)

    def test_a_watched_run_comes_with_what_a_look_needs(self, store):
        activity = an_activity()
        run = a_watched_run(activity)
        create(store, activity, run)
        assert [run.watch] == [due.watch for due in store.list_due_runs(NOON, 10)]
        stored = store.read("acme", activity.activity_id).current_run
        assert run.watch == stored.watch
        store.save_run(replace(stored, failed_checks=1))
        assert [None] == [due.watch for due in store.list_due_runs(NOON, 10)]
        assert store.read("acme", activity.activity_id).current_run.watch is None

    def test_a_change_moves_it_too(self, store):
        activity = an_activity()
        stored = create(store, activity, a_run(activity, due_at=NOON))
        assert 1 == len(store.list_due_runs(NOON, 10))
        run = store.read("acme", activity.activity_id).current_run
        later = NOON + timedelta(minutes=5)
        store.apply(Change(activity=stored, runs=(replace(run, due_at=later),)))
        assert () == store.list_due_runs(NOON, 10)
        assert 1 == len(store.list_due_runs(later, 10))


class TestDueIndex:
    def test_it_is_read_over_many_pages_in_order(self, table, monkeypatch):
        monkeypatch.setattr("agentruns.store.activities.DUE_PAGE_SIZE", 2)
        store = DynamoDbActivityStore(table)
        for number in range(30):
            activity = an_activity(created_at=NOON + timedelta(seconds=number))
            create(store, activity, a_run(activity, due_at=NOON - timedelta(seconds=number % 7)))
        found = store.list_due_runs(NOON, 100)
        times = [run.due_at for run in found]
        assert (30, sorted(times)) == (len({run.run_id for run in found}), times)
        assert found[:20] == store.list_due_runs(NOON, 20)

    def test_it_holds_ids_the_time_and_the_watch_alone(self, aws, table):
        store = DynamoDbActivityStore(table)
        activity = an_activity()
        create(store, activity, a_watched_run(activity, callback_token="c" * 900))
        rows = [
            row
            for shard in range(keys.DUE_SHARDS)
            for page in aws.dynamodb()
            .get_paginator("query")
            .paginate(
                TableName=TABLE_NAME,
                IndexName="due",
                KeyConditionExpression="due_pk = :pk",
                ExpressionAttributeValues={":pk": {"S": keys.due_shard_key(shard)}},
            )
            for row in page["Items"]
        ]
        projected = {"tenant", "activity_id", "run_id", "due_at", "watch"}
        assert [{"pk", "sk", "due_pk", "due_sk"} | projected] == [set(row) for row in rows]


class TestBoundedListing:
    def test_a_rare_match_gives_short_pages_not_a_long_call(self, table, monkeypatch):
        monkeypatch.setattr("agentruns.store.activities.FILTERED_PAGE_SIZE", 2)
        store = DynamoDbActivityStore(table)
        oldest = create(store, tags=("rare",))
        for number in range(24):
            create(store, created_at=NOON + timedelta(seconds=number + 1))
        activity_filter = ActivityFilter(tag="rare")
        cursor, sizes = None, []
        while True:
            page = store.list_activities("acme", activity_filter, 1, cursor)
            sizes.append(len(page.items))
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sizes == [0, 0, 1]
        assert page.items == (oldest,)


class TestSuccessor:
    def test_it_is_created_with_what_becomes_of_its_predecessor(self, store):
        old = store.read("acme", create(store).activity_id).activity
        new = an_activity(redrive_of=old.activity_id)
        change = Change(
            activity=replace(old, redriven_as=new.activity_id),
            events=(an_event(old, EventType.ACTIVITY_REDRIVEN),),
        )
        store.create(new, ActivityInput(), a_run(new), (an_event(new),), None, change)
        stored = store.read("acme", old.activity_id).activity
        assert new.activity_id == stored.redriven_as
        assert (old.version + 1, old.last_sequence + 1) == (stored.version, stored.last_sequence)
        last = store.list_events("acme", old.activity_id, old.last_sequence, 10)
        assert [EventType.ACTIVITY_REDRIVEN] == [event.type for event in last]
        assert old.activity_id == store.read("acme", new.activity_id).activity.redrive_of

    def test_nothing_of_it_is_there_where_the_predecessor_moved_on(self, store):
        old = store.read("acme", create(store).activity_id).activity
        store.apply(Change(activity=old))
        new = an_activity(redrive_of=old.activity_id)
        change = Change(activity=replace(old, redriven_as=new.activity_id))
        taken = an_idempotency(new, key="of-the-loser")
        with pytest.raises(StoreConflict):
            store.create(new, ActivityInput(), a_run(new), (an_event(new),), taken, change)
        with pytest.raises(ActivityNotFound):
            store.read("acme", new.activity_id)
        assert store.read("acme", old.activity_id).activity.redriven_as is None
        assert store.find_idempotency(taken.scope, taken.key, NOON) is None
