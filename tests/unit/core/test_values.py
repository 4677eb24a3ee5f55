"""Ids, secrets, settings, statuses, logs and metrics, events to the bus."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentruns import telemetry
from agentruns.error_names import permanent_error_names, refusal_names
from agentruns.errors import (
    ActivityNotFound,
    InvalidTransition,
    RunNotFound,
    SettingsMissing,
)
from agentruns.ids import (
    activity_id_of,
    execution_name,
    new_activity_id,
    new_ulid,
    require_activity_id,
    run_id_for,
)
from agentruns.polling import PollPolicy
from agentruns.secret import Secret
from agentruns.settings import POLL_SETTINGS, Settings
from agentruns.statuses import (
    ACTIVITY_TRANSITIONS,
    RUN_TRANSITIONS,
    ActivityStatus,
    RunStatus,
    require_activity_transition,
    require_run_transition,
)

SECONDS = st.integers(86_400, 220_000_000_000)
TIMES = SECONDS.map(lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
CANARY = "s3cr3t-canary"


class TestIds:
    @given(now=TIMES, later_by=st.timedeltas(timedelta(milliseconds=2), timedelta(days=900)))
    def test_ulids_sort_by_time_and_have_their_pattern(self, now, later_by):
        earlier, later = new_ulid(now), new_ulid(now + later_by)
        assert earlier < later
        assert require_activity_id(f"act_{earlier}") == f"act_{earlier}"

    @given(now=TIMES, attempt=st.integers(1, 9999))
    def test_a_runs_activity_is_read_off_its_id(self, now, attempt):
        activity_id = new_activity_id(now)
        assert activity_id == activity_id_of(run_id_for(activity_id, attempt))

    @pytest.mark.parametrize(
        "value", ["", "run_", "run_01ARZ3NDEKTSV4RRFFQ69G5FAV", "act_x", "run_IIIIIIII_1"]
    )
    def test_what_is_no_run_id_is_not_found(self, value):
        with pytest.raises(RunNotFound):
            activity_id_of(value)

    @pytest.mark.parametrize(
        "value", ["", "act_", "act_01ARZ3NDEKTSV4RRFFQ69G5FAV\n", "act_01arz3ndektsv4rrffq69g5fav"]
    )
    def test_what_is_no_activity_id_is_not_found(self, value):
        with pytest.raises(ActivityNotFound):
            require_activity_id(value)

    def test_an_executions_name_fits_step_functions(self):
        assert len(execution_name(new_activity_id(datetime.now(UTC)), 10**9)) <= 80


class TestSecret:
    def test_no_way_out_shows_it(self, caplog):
        secret = Secret(CANARY)
        logging.getLogger("agentruns.test").warning("%s %r", secret, secret)
        shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret])]
        shown += [caplog.text, str({"token": secret}), "%s" % secret]  # noqa: UP031  # a way out
        assert [] == [text for text in shown if CANARY in text]
        assert CANARY == secret.reveal()

    @pytest.mark.parametrize("leave", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy, vars])
    def test_it_is_not_serialised(self, leave):
        with pytest.raises(TypeError) as refused:
            leave(Secret(CANARY))
        assert CANARY not in str(refused.value)

    def test_it_compares_by_value_with_its_like_only(self):
        assert Secret("a") == Secret("a")
        assert hash(Secret("a")) == hash(Secret("a"))
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert not Secret("")


class TestSettings:
    def test_everything_that_is_missing_is_named_at_once(self):
        with pytest.raises(SettingsMissing) as missing:
            Settings.load("table_name", "event_tenant", environment={"TABLE_NAME": ""})
        assert ("TABLE_NAME", "EVENT_TENANT") == missing.value.names

    def test_the_poll_policy_is_read_from_the_environment(self):
        environment = {name.upper(): str(n) for n, name in enumerate(POLL_SETTINGS, 1)}
        settings = Settings.load(*POLL_SETTINGS, environment=environment)
        expected = PollPolicy(
            floor_seconds=1, cap_seconds=2, paused_floor_seconds=3, paused_cap_seconds=4
        )
        assert expected == settings.poll_policy

    @pytest.mark.parametrize(("text", "expected"), [("true", True), ("false", False), ("", False)])
    def test_private_networks_are_off_unless_allowed(self, text, expected):
        settings = Settings.load(environment={"ALLOW_PRIVATE_NETWORKS": text})
        assert expected == settings.allows_private_networks


class TestStatuses:
    def test_terminal_statuses_are_left_by_no_transition(self):
        ends = {"completed", "failed", "aborted", "timeout"}
        assert ends == {status.value for status in RunStatus if status.is_terminal}
        ends = {"done", "failed", "cancelled", "reassigned"}
        assert ends == {status.value for status in ActivityStatus if status.is_terminal}

    @pytest.mark.parametrize("before", RunStatus)
    @pytest.mark.parametrize("after", RunStatus)
    def test_the_table_of_runs_decides(self, before, after):
        if after in RUN_TRANSITIONS[before]:
            require_run_transition("run", before, after)
            return
        with pytest.raises(InvalidTransition, match=f"{before} cannot become {after}"):
            require_run_transition("run", before, after)

    def test_every_status_is_reached_from_the_first(self):
        tables: list[tuple[Any, Any]] = [
            (RUN_TRANSITIONS, RunStatus.PENDING),
            (ACTIVITY_TRANSITIONS, ActivityStatus.QUEUED),
        ]
        for table, first in tables:
            reached, new = {first}, {first}
            while new:
                new = {after for status in new for after in table[status]} - reached
                reached |= new
            assert set(table) == reached

    def test_an_activity_does_not_go_back_to_the_queue(self):
        with pytest.raises(InvalidTransition):
            require_activity_transition("act", ActivityStatus.BLOCKED, ActivityStatus.QUEUED)

    def test_refusals_are_permanent(self):
        assert refusal_names() < set(permanent_error_names())


class TestTelemetry:
    def test_a_metric_is_one_line_that_cloudwatch_reads(self, capsys, monkeypatch):
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack")
        telemetry.count("StartUnknown", connection="hr")
        (line,) = capsys.readouterr().out.splitlines()
        document = json.loads(line)
        assert ("stack", "hr") == (document["service"], document["connection"])
        (metric,) = document["_aws"]["CloudWatchMetrics"]
        assert ["service"] in metric["Dimensions"]

    def test_the_ids_of_an_invocation_do_not_reach_the_next(self, capsys):
        telemetry.begin_invocation(SimpleNamespace(aws_request_id="r-1"), activity_id="act_1")
        telemetry.bind(run_id="run_1")
        telemetry.begin_invocation(None, activity_id=None)
        keys = telemetry._logger().get_current_keys()
        assert not {"act_1", "run_1", "r-1"} & {str(value) for value in keys.values()}
