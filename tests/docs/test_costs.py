"""The cost table follows from the amounts and prices beside it, and those from the code."""

from __future__ import annotations

import re

import pytest

from agentruns.polling import DOLLARS_PER_TRANSITION, PollPolicy, worst_case
from tests.docs.pages import read_page, section, table

COSTS = section(read_page("README.md"), "## What it costs")
PER_RUN = {row[0]: (float(row[1]), float(row[2])) for row in table(COSTS, "per run")}
PER_MONTH = {row[0]: (float(row[1]), float(row[2])) for row in table(COSTS, "per month")}
POLICY = PollPolicy()
HOUR = worst_case(POLICY, 3600)


def test_the_sums_are_right():
    run = sum(amount * price for amount, price in PER_RUN.values())
    month = sum(amount * price for amount, price in PER_MONTH.values())
    rows = table(COSTS, "runs a month")

    assert [int(runs.replace(",", "")) for runs, _ in rows] == [100, 10_000, 1_000_000]
    for runs, dollars in rows:
        assert dollars == f"{month + int(runs.replace(',', '')) * run:,.2f}"


def test_transitions_are_the_planners():
    amount, price = PER_RUN["state transitions"]

    assert amount == HOUR.transitions
    assert price == DOLLARS_PER_TRANSITION
    assert worst_case(POLICY, 300).transitions == HOUR.transitions
    assert worst_case(POLICY, 30 * 86_400).transitions == HOUR.transitions
    assert f"({HOUR.transitions} transitions is what the planner computes" in COSTS


def test_lambda_calls_follow_from_the_polls():
    # OpenRun, MintToken, ExecuteAop, ParkRun, SettleRun; the API; a batch of the stream per event
    calls = HOUR.polls_in_loop + 5 + 1 + int(PER_RUN["events on the bus"][0])

    assert PER_RUN["Lambda calls"][0] == calls
    assert PER_RUN["Lambda GB-seconds (arm64)"][0] == pytest.approx(calls * 0.25 * 0.3)
    assert f"Lambda: {calls} calls of 0.25 GB" in COSTS


def test_alarms_and_functions_are_the_templates():
    template = read_page("template.yaml")

    assert PER_MONTH["alarms"][0] == template.count("Type: AWS::CloudWatch::Alarm\n")
    assert PER_MONTH["dashboard"][0] == template.count("Type: AWS::CloudWatch::Dashboard\n")
    assert PER_MONTH["sweeper: Lambda calls"][0] == 730 * 60
    sweep = section_of(template, "SweepFunction")
    assert "rate(1 minute)" in sweep
    assert "MemorySize: 512" in sweep
    assert PER_MONTH["sweeper: GB-seconds (0.5 GB, 0.2 s assumed)"][0] == 730 * 60 * 0.5 * 0.2


def section_of(template: str, resource: str) -> str:
    found = re.search(rf"^  {resource}:\n(.*?)(?=^  \w)", template, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_a_parked_hour():
    write_unit, gb_second = (
        PER_RUN["DynamoDB write units"][1],
        PER_RUN["Lambda GB-seconds (arm64)"][1],
    )
    dollars = 60 * (3 * write_unit + 0.15 * gb_second)

    assert f"= {dollars:.4f} USD" in COSTS
    assert POLICY.cap_seconds == 60
    assert POLICY.paused_cap_seconds == 15 * 60


def test_the_numbers_of_the_decision_to_park():
    page = read_page("docs/decisions/0007-loop-then-park.md")
    seconds = {"2 min": 120, "1 h": 3600, "30 days": 30 * 86_400}
    rows = table(page, "deadline")

    assert [row[0] for row in rows] == list(seconds)
    for deadline, looks, transitions, events, dollars in rows:
        worst = worst_case(POLICY, seconds[deadline])
        counted = (worst.polls_in_loop, worst.transitions, worst.history_events)
        assert (int(looks), int(transitions), int(events)) == counted
        assert dollars == f"{worst.dollars:.4f}"
