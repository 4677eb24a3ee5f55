"""The contract of `ActivityStore`'s queues and slots, on the fake and on DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentruns.errors import StoreConflict
from agentruns.model import Activity, Admission, Change, Priority
from agentruns.ports import ActivityStore, Slots
from agentruns.providers import LeenaAopAdapter
from agentruns.store.activities import DynamoDbActivityStore
from tests.contracts.samples import an_activity, create
from tests.fakes import InMemoryActivityStore
from tests.fakes.clock import NOON

EMPTY = Slots(taken=frozenset(), waiting=())


@pytest.fixture(params=["in_memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> ActivityStore:
    if request.param == "in_memory":
        return InMemoryActivityStore()
    return DynamoDbActivityStore(request.getfixturevalue("table"))


def waiting(store: ActivityStore, after: float = 0, **fields) -> Activity:
    activity = an_activity(
        created_at=NOON + timedelta(seconds=after), admission=Admission.WAITING, **fields
    )
    create(store, activity)
    return store.read("acme", activity.activity_id).activity


def admit(store: ActivityStore, activity: Activity, slot: int) -> Activity:
    admitted = replace(activity, admission=Admission.ADMITTED, slot=slot)
    change = Change(activity=admitted, admission_before=Admission.WAITING)
    return store.apply(change).activity


def leave(store: ActivityStore, activity: Activity) -> Activity:
    left = replace(activity, admission=Admission.LEFT)
    change = Change(activity=left, admission_before=activity.admission)
    return store.apply(change).activity


def test_a_connection_that_nobody_waits_for_has_no_queue(store):
    create(store, an_activity())
    assert EMPTY == store.read_slots("acme", "hr", 10)


def test_those_who_wait_stand_in_order_of_priority_and_age(store):
    later = waiting(store, after=2)
    high = waiting(store, after=3, priority=Priority.HIGH)
    first = waiting(store, after=1)
    in_order = tuple(each.activity_id for each in (high, first, later))
    assert in_order == store.read_slots("acme", "hr", 10).waiting
    assert in_order[:2] == store.read_slots("acme", "hr", 2).waiting


def test_each_connection_of_each_tenant_has_its_own(store):
    waiting(store)
    waiting(store, adapter=LeenaAopAdapter(connection="other", aop_id="aop-1"))
    waiting_elsewhere = an_activity(tenant="globex", admission=Admission.WAITING)
    create(store, waiting_elsewhere)
    assert 1 == len(store.read_slots("acme", "hr", 10).waiting)
    assert 1 == len(store.read_slots("acme", "other", 10).waiting)
    assert (waiting_elsewhere.activity_id,) == store.read_slots("globex", "hr", 10).waiting
    assert EMPTY == store.read_slots("globex", "other", 10)


def test_who_is_admitted_has_the_slot_and_waits_no_more(store):
    activity, other = waiting(store), waiting(store, after=1)
    admitted = admit(store, activity, 3)
    assert (Admission.ADMITTED, 3) == (admitted.admission, admitted.slot)
    assert admitted == store.read("acme", activity.activity_id).activity
    slots = store.read_slots("acme", "hr", 10)
    assert Slots(taken=frozenset({3}), waiting=(other.activity_id,)) == slots


def test_a_slot_has_one_holder(store):
    holder, other = waiting(store), waiting(store, after=1)
    admit(store, holder, 0)
    with pytest.raises(StoreConflict):
        admit(store, other, 0)
    assert other == store.read("acme", other.activity_id).activity
    slots = store.read_slots("acme", "hr", 10)
    assert Slots(taken=frozenset({0}), waiting=(other.activity_id,)) == slots
    admit(store, other, 1)
    assert {0, 1} == store.read_slots("acme", "hr", 10).taken


def test_who_leaves_gives_the_slot_back(store):
    activity, other = waiting(store), waiting(store, after=1)
    left = leave(store, admit(store, activity, 0))
    assert (Admission.LEFT, 0) == (left.admission, left.slot)
    admit(store, other, 0)
    assert Slots(taken=frozenset({0}), waiting=()) == store.read_slots("acme", "hr", 10)


def test_who_leaves_while_it_waits_is_not_in_the_queue(store):
    leave(store, waiting(store))
    assert EMPTY == store.read_slots("acme", "hr", 10)


def test_nobody_is_admitted_or_leaves_twice(store):
    activity = waiting(store)
    admitted = admit(store, activity, 0)
    with pytest.raises(StoreConflict):
        admit(store, activity, 1)
    leave(store, admitted)
    with pytest.raises(StoreConflict):
        leave(store, admitted)
    assert EMPTY == store.read_slots("acme", "hr", 10)


def test_many_that_wait_are_read_in_pages(store):
    ids = [waiting(store, after=number).activity_id for number in range(30)]
    assert tuple(ids) == store.read_slots("acme", "hr", 1000).waiting
