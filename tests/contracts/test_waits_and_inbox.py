"""The contract of waits, the inbox and comments, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentruns.comment import Notification, WhyNotNotified
from agentruns.errors import InvalidRequest, StoreConflict
from agentruns.model import Activity, ActivityInput, Change
from agentruns.statuses import RunStatus
from agentruns.store.activities import DynamoDbActivityStore
from agentruns.store.inbox import DynamoDbInbox
from agentruns.wait import Decision, WaitKind
from tests.contracts.samples import a_comment, a_run, a_wait, an_activity, create
from tests.fakes import InMemoryActivityStore
from tests.fakes.clock import NOON


@pytest.fixture(params=["in_memory", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """The activities, and what lists their waits and comments."""
    if request.param == "in_memory":
        store = InMemoryActivityStore()
        return store, store
    table = request.getfixturevalue("table")
    return DynamoDbActivityStore(table), DynamoDbInbox(table)


def opened(store: Any, activity: Activity | None = None, **fields: Any) -> Activity:
    """A stored activity with one wait."""
    stored = create(store, activity)
    change = Change(activity=stored, waits=(a_wait(stored, **fields),))
    changed: Activity = store.apply(change).activity
    return changed


class TestWaits:
    def test_they_are_read_with_their_activity_in_order(self, stores):
        store, _ = stores
        activity = create(store)
        waits = tuple(a_wait(activity, number=number) for number in (1, 2, 11))
        stored = store.apply(Change(activity=activity, waits=waits))
        record = store.read("acme", activity.activity_id)
        assert tuple(replace(wait, version=1) for wait in waits) == stored.waits == record.waits
        assert 1 == len(record.runs)

    def test_they_may_be_there_from_the_beginning(self, stores):
        store, _ = stores
        activity = an_activity()
        wait = a_wait(activity, kind=WaitKind.HUMAN_TASK)
        store.create(activity, ActivityInput(), a_run(activity), (), None, None, (wait,))
        assert (replace(wait, version=1),) == store.read("acme", activity.activity_id).waits

    def test_the_second_of_two_who_read_the_same_conflicts(self, stores):
        store, _ = stores
        activity = opened(store)
        (wait,) = store.read("acme", activity.activity_id).waits
        answered = replace(wait, decision=Decision.APPROVED)
        store.apply(Change(activity=activity, waits=(answered,)))
        with pytest.raises(StoreConflict):
            store.apply(Change(activity=activity, waits=(answered,)))

    def test_a_number_is_given_once(self, stores):
        store, _ = stores
        activity = opened(store)
        with pytest.raises(StoreConflict):
            store.apply(Change(activity=activity, waits=(a_wait(activity),)))

    def test_one_that_is_due_is_found_with_the_runs_until_it_is_answered(self, stores):
        store, _ = stores
        activity = opened(store, due_at=NOON)
        (due,) = store.list_due_runs(NOON, 10)
        assert (activity.activity_id, NOON, True) == (due.activity_id, due.due_at, due.is_wait)
        assert () == store.list_due_runs(NOON - timedelta(microseconds=1), 10)
        (wait,) = store.read("acme", activity.activity_id).waits
        store.apply(Change(activity=activity, waits=(replace(wait, due_at=None),)))
        assert () == store.list_due_runs(NOON, 10)


class TestInbox:
    def test_what_waits_for_a_person_is_listed_oldest_first_page_by_page(self, stores):
        store, inbox = stores
        expected = []
        for number in range(5):
            activity = an_activity(created_at=NOON - timedelta(minutes=number))
            expected.append(opened(store, activity).activity_id)
        opened(store, an_activity(tenant="other"))
        found, cursor = [], None
        while True:
            page = inbox.list_inbox("acme", 2, cursor)
            found += [entry.activity_id for entry in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert expected[::-1] == found

    @pytest.mark.parametrize(
        ("kind", "is_listed"),
        [(kind, kind not in {WaitKind.SUBTASK, WaitKind.LINKED_APPROVAL}) for kind in WaitKind],
    )
    def test_only_what_people_answer_is_listed(self, stores, kind, is_listed):
        store, inbox = stores
        opened(store, kind=kind)
        assert is_listed == bool(inbox.list_inbox("acme", 10, None).items)

    def test_an_answered_wait_leaves_it(self, stores):
        store, inbox = stores
        activity = opened(store)
        (wait,) = store.read("acme", activity.activity_id).waits
        (entry,) = inbox.list_inbox("acme", 10, None).items
        assert (wait.wait_id, wait.opened_at) == (entry.item_id, entry.since)
        answered = replace(wait, decision=Decision.REJECTED)
        store.apply(Change(activity=activity, waits=(answered,)))
        assert () == inbox.list_inbox("acme", 10, None).items

    @pytest.mark.parametrize("status", RunStatus)
    def test_runs_that_wait_for_a_person_are_in_it(self, stores, status):
        store, inbox = stores
        activity = an_activity()
        since = NOON - timedelta(hours=1)
        create(store, activity, a_run(activity, status=status, status_since=since))
        waits = status in {RunStatus.PAUSED, RunStatus.START_UNKNOWN}
        found = [entry.since for entry in inbox.list_inbox("acme", 10, None).items]
        assert ([since] if waits else []) == found

    @pytest.mark.parametrize("cursor", ["x", "!!!", "é", "YQ", "a" * 500])
    def test_a_damaged_cursor_is_refused(self, stores, cursor):
        _, inbox = stores
        with pytest.raises(InvalidRequest) as caught:
            inbox.list_inbox("acme", 10, cursor)
        assert "cursor" == caught.value.problems[0][0]

    def test_another_tenants_cursor_is_refused(self, stores):
        store, inbox = stores
        for _ in range(2):
            opened(store)
        cursor = inbox.list_inbox("acme", 1, None).next_cursor
        with pytest.raises(InvalidRequest):
            inbox.list_inbox("other", 1, cursor)


class TestComments:
    def test_they_are_listed_oldest_first_after_one(self, stores):
        store, inbox = stores
        activity = create(store)
        comments = []
        for number in range(4):
            at = NOON + timedelta(seconds=number)
            comments.append(a_comment(replace(activity, created_at=at), text=str(number)))
            change = Change(activity=activity, comments=(comments[-1],))
            activity = store.apply(change).activity

        def found(after: str, limit: int) -> list[str]:
            listed = inbox.list_comments("acme", activity.activity_id, after, limit)
            return [comment.text for comment in listed]

        assert ["0", "1", "2", "3"] == found("", 10)
        assert ["2", "3"] == found(comments[1].comment_id, 10)
        assert ["2"] == found(comments[1].comment_id, 1)
        assert [] == found(comments[3].comment_id, 10)
        assert () == inbox.list_comments("other", activity.activity_id, "", 10)
        assert () == store.read("acme", activity.activity_id).waits

    def test_the_newest_are_listed_oldest_first(self, stores):
        store, inbox = stores
        activity = create(store)
        for number in range(4):
            at = NOON + timedelta(seconds=number)
            comment = a_comment(replace(activity, created_at=at), text=str(number))
            activity = store.apply(Change(activity=activity, comments=(comment,))).activity

        def newest(limit: int, tenant: str = "acme") -> list[str]:
            listed = inbox.list_newest_comments(tenant, activity.activity_id, limit)
            return [comment.text for comment in listed]

        assert ["2", "3"] == newest(2)
        assert ["0", "1", "2", "3"] == newest(4) == newest(10)
        assert [] == newest(2, "other")

    def test_one_is_found_by_its_id_and_by_its_key(self, stores):
        store, inbox = stores
        activity = create(store)
        notification = Notification(agent_role="editor", activity_id="act_1")
        silent = Notification(agent_role="nobody", why_not=WhyNotNotified.UNKNOWN_AGENT)
        comment = a_comment(
            activity, key_sha256="a" * 64, notifications=(notification, silent), reply_to="cmt_0"
        )
        store.apply(Change(activity=activity, comments=(comment,)))
        activity_id, comment_id = activity.activity_id, comment.comment_id
        assert comment == inbox.find_comment("acme", activity_id, comment_id)
        assert comment == inbox.find_comment_by_key("acme", activity_id, "a" * 64)
        assert inbox.find_comment("acme", activity_id, "cmt_0") is None
        assert inbox.find_comment("other", activity_id, comment_id) is None
        assert inbox.find_comment_by_key("acme", activity_id, "b" * 64) is None
        assert inbox.find_comment_by_key("other", activity_id, "a" * 64) is None
        assert (comment,) == inbox.list_comments("acme", activity_id, "", 10)

    def test_a_key_has_one_comment(self, stores):
        store, inbox = stores
        activity = create(store)
        first, second = (a_comment(activity, key_sha256="a" * 64) for _ in range(2))
        activity = store.apply(Change(activity=activity, comments=(first,))).activity
        with pytest.raises(StoreConflict):
            store.apply(Change(activity=activity, comments=(second,)))
        assert (first,) == inbox.list_comments("acme", activity.activity_id, "", 10)
