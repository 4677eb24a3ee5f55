"""Writes the computed figures into the pages that show them: `python -m tests.docs.costs`.

Amounts that follow from the planner and the template, and the sums. Prices, and the amounts that
were counted or assumed, stand in the README and are read from there.
"""

from __future__ import annotations

import re

from agentruns.polling import PollPolicy, worst_case
from tests.docs.pages import CHECKOUT, read_page, section, table

PAGES = (
    "README.md",
    "docs/decisions/0007-loop-then-park.md",
    "docs/decisions/0015-no-durable-functions.md",
)
POLICY = PollPolicy()
HOUR = worst_case(POLICY, 3600)
MONTH = worst_case(POLICY, 30 * 86_400)
DEADLINES = {"2 min": 120, "1 h": 3600, "30 days": 30 * 86_400}


def rewritten(text: str) -> str:
    """The page with the figures of this checkout; one that shows none comes back as it is."""
    text = re.sub(r"\(\d+ transitions is", f"({HOUR.transitions} transitions is", text)
    text = re.sub(r"\(30 days: \d+ in all\)", f"(30 days: {MONTH.transitions} in all)", text)
    text = re.sub(
        r"At most \d+ transitions in 30 days, [\d.]+ USD",
        f"At most {MONTH.transitions} transitions in 30 days, {MONTH.dollars:.4f} USD",
        text,
    )
    for deadline, seconds in DEADLINES.items():
        worst = worst_case(POLICY, seconds)
        figures = (worst.polls_in_loop, worst.transitions, worst.history_events)
        row = " | ".join(map(str, (deadline, *figures, f"{worst.dollars:.4f}")))
        text = re.sub(rf"^\| {deadline} \|.*\|$", f"| {row} |", text, flags=re.MULTILINE)
    return _with_sums(_with_amounts(text)) if "## What it costs" in text else text


def _with_amounts(text: str) -> str:
    events = int(table(section(text, "## What it costs"), "per run")[5][1])
    # OpenRun, MintToken, ExecuteAop, ParkRun, SettleRun; the API; a batch of the stream per event;
    # a parked execution that looks for itself parks again
    calls = HOUR.polls_in_loop + 2 * HOUR.looks_by_itself + 5 + 1 + events
    alarms = read_page("template.yaml").count("Type: AWS::CloudWatch::Alarm\n")
    amounts = {
        "state transitions": HOUR.transitions,
        "Lambda calls": calls,
        "Lambda GB-seconds (arm64)": round(calls * 0.25 * 0.3, 4),
        "alarms": alarms,
    }
    for name, amount in amounts.items():
        text = re.sub(
            rf"^\| {re.escape(name)} \| [\d.]+ \|", f"| {name} | {amount} |", text, flags=re.M
        )
    return re.sub(r"Lambda: \d+ calls of", f"Lambda: {calls} calls of", text)


def _with_sums(text: str) -> str:
    costs = section(text, "## What it costs")
    run = sum(float(row[1]) * float(row[2]) for row in table(costs, "per run"))
    month = sum(float(row[1]) * float(row[2]) for row in table(costs, "per month"))
    for runs in (100, 10_000, 1_000_000):
        sum_text = f"| {runs:,} | {month + runs * run:,.2f} |"
        text = re.sub(rf"^\| {runs:,} \| [\d,.]+ \|$", sum_text, text, flags=re.MULTILINE)
    return text


def main() -> None:
    for name in PAGES:
        (CHECKOUT / name).write_text(rewritten(read_page(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
