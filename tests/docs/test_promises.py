"""The README's promises: all six, in their words, each with tests and programs that exist.

That the tests pass is their own affair. Not here: what the figures of the benchmarks and the fault
suite are; their pages record them.
"""

from __future__ import annotations

import re

import pytest

from agentruns.polling import PollPolicy, worst_case
from tests.docs.pages import CHECKOUT, read_page, section, table

PROMISES = {
    "P1": "An accepted activity is never lost: it reaches one terminal state, or waits visibly "
    "(`paused`, `start_unknown`, `blocked`, ...) with a deadline.",
    "P2": "At most one upstream start per run, unless the agent's setting says "
    "`on_start_unknown: retry`.",
    "P3": "Exactly one terminal state per run; the first evidence wins; later evidence changes "
    "nothing and is kept, flagged when it contradicts.",
    "P4": "The same `Idempotency-Key` within 24 hours gives the same answer.",
    "P5": "Waiting costs nothing but planned polls.",
    "P6": "No credential in logs, state, events, errors or queues.",
}
ROWS = {row[0]: row[1:] for row in table(section(read_page("README.md"), "## Promises"), "no.")}


def test_all_six_are_there_word_for_word():
    assert {name: row[0] for name, row in ROWS.items()} == PROMISES


@pytest.mark.parametrize("name", PROMISES)
def test_each_says_how_it_is_kept_its_number_and_what_shows_it(name):
    _, how, number, shown_by = ROWS[name]

    assert how.endswith(".")
    assert re.search(r"\d", number)
    assert re.findall(r"`([^`]+)`", shown_by)


@pytest.mark.parametrize("name", PROMISES)
def test_what_shows_it_exists(name):
    targets = set(re.findall(r"^([a-z]+):", read_page("Makefile"), re.MULTILINE))
    for word in re.findall(r"`([^`]+)`", ROWS[name][3]):
        if word.startswith("make "):
            assert word.removeprefix("make ") in targets, word
            continue
        path, _, test = word.partition("::")
        assert (CHECKOUT / path).is_file(), word
        defined = re.findall(r"^ *def (test_\w+)", (CHECKOUT / path).read_text(), re.MULTILINE)
        is_machine = "RuleBasedStateMachine" in (CHECKOUT / path).read_text()
        assert test in defined if test else defined or is_machine, word


def test_the_figure_of_a_month_is_the_planners():
    assert (
        f"at most {worst_case(PollPolicy(), 30 * 86_400).transitions} transitions in 30 days"
        in (ROWS["P5"][2])
    )
