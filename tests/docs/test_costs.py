"""The figures of what a run costs are those of this checkout, and add up.

`python -m tests.docs.costs` writes them anew.
"""

from __future__ import annotations

import re

import pytest

from agentruns.polling import DOLLARS_PER_TRANSITION
from tests.docs.costs import HOUR, PAGES, POLICY, rewritten
from tests.docs.pages import read_page, section, table

COSTS = section(read_page("README.md"), "## What it costs")
PER_RUN = {row[0]: (float(row[1]), float(row[2])) for row in table(COSTS, "per run")}
PER_MONTH = {row[0]: (float(row[1]), float(row[2])) for row in table(COSTS, "per month")}


@pytest.mark.parametrize("page", PAGES)
def test_the_figures_are_current(page):
    assert rewritten(read_page(page)) == read_page(page)


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
    assert f"({HOUR.transitions} transitions is what the planner computes" in COSTS


def test_the_amounts_of_the_template():
    template = read_page("template.yaml")
    sweep = resource(template, "SweepFunction")

    assert PER_MONTH["alarms"][0] == template.count("Type: AWS::CloudWatch::Alarm\n")
    assert PER_MONTH["dashboard"][0] == template.count("Type: AWS::CloudWatch::Dashboard\n")
    assert "rate(1 minute)" in sweep
    assert "MemorySize: 1769" in sweep
    assert PER_MONTH["sweeper: Lambda calls"][0] == 730 * 60
    gb_seconds = PER_MONTH["sweeper: GB-seconds (1.73 GB, 0.2 s assumed)"][0]
    assert gb_seconds == round(730 * 60 * 1769 / 1024 * 0.2)
    assert set(re.findall(r"MemorySize: (\d+)", template)) == {"256", "512", "1769"}


def resource(template: str, name: str) -> str:
    found = re.search(rf"^  {name}:\n(.*?)(?=^  \w)", template, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_a_parked_hour():
    gb_second = PER_RUN["Lambda GB-seconds (arm64)"][1]
    dollars = 60 * 0.26 * gb_second

    assert f"= {dollars:.4f} USD" in COSTS
    assert POLICY.cap_seconds == 60
    assert POLICY.paused_cap_seconds == 15 * 60


def test_figures_of_another_checkout_are_noticed():
    page = read_page("README.md")

    assert rewritten(page.replace("| state transitions | ", "| state transitions | 1")) == page
