"""The parts of `make bench` that decide what a number means."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from agentruns import polling
from agentruns.polling import PollPolicy, worst_case
from bench import init_cost, machine
from bench.cold_starts import describe_starts
from bench.histories import Counted
from bench.section import Section
from tests.unit.structure.project import FUNCTION_NAMES


def test_a_section_prints_its_table_and_what_was_missed():
    section = Section(
        title="A title",
        method="How.",
        columns=("figure", "measured"),
        rows=(("mints", "3"),),
        missed=["mints"],
    )

    assert list(section.lines()) == [
        "A title",
        "-------",
        "How.",
        "",
        "  figure  measured",
        "  ------  --------",
        "  mints   3",
        "",
        "  MISSED: mints",
    ]


def test_two_starts_of_one_activity_do_not_pass_for_one():
    assert describe_starts(Counter(a=1, b=2, c=1)) == "1 x 2 activities, 2 x 1 activities"


@pytest.mark.parametrize("failed", [False, True])
def test_an_execution_is_as_planned_when_both_numbers_are(failed):
    worst = worst_case(PollPolicy(), 30)
    counted = Counted(
        polls_in_loop=worst.polls_in_loop,
        parks=0,
        transitions=worst.transitions,
        events=worst.history_events - failed,
        failed=failed,
    )

    assert counted.as_planned
    assert worst.transitions == counted.planned_transitions
    assert polling.EVENTS_PER_POLL == 9


def test_every_function_is_timed():
    assert set(FUNCTION_NAMES) == set(init_cost.TARGETS) == set(init_cost.CLIENTS)


def test_layers_are_merged_with_and_without_their_compiled_files(tmp_path, monkeypatch):
    for layer in ("One", "Two"):
        cache = tmp_path / "build" / layer / "python" / layer.lower() / "__pycache__"
        cache.mkdir(parents=True)
        (cache / "a.pyc").touch()
        (cache.parent / "a.py").touch()
    monkeypatch.setattr(init_cost, "BUILD", tmp_path / "build")

    def files(*, compiled: bool) -> set[str]:
        merged: Path = init_cost.merged_layers(("One", "Two"), tmp_path, compiled=compiled)
        return {str(each.relative_to(merged)) for each in merged.rglob("*.py*") if each.is_file()}

    assert files(compiled=False) == {"one/a.py", "two/a.py"}
    assert len(files(compiled=True)) == 4


def test_the_memory_of_a_process_group_is_its_processes(monkeypatch):
    monkeypatch.setattr(machine, "SAMPLE_SECONDS", 0.01)
    with machine.watched_memory(os.getpgid(0)) as peak:
        while not peak.processes:
            pass

    assert peak.megabytes > 1
