"""The checks that run side by side: what is shown of them, and that none fails unseen."""

import sys

import pytest

from local import check


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_those_that_pass_are_named_in_a_line_each(capsys):
    assert 0 == check.run({"lint": program("print('fine')"), "types": program("")})

    lines = capsys.readouterr().out.splitlines()
    assert {"ok     lint", "ok     types"} == {line.partition(" (")[0] for line in lines}


def test_one_that_fails_fails_all_and_shows_what_it_said(capsys):
    checks = {
        "lint": program("import sys; print('line 7'); sys.exit('is too long')"),
        "types": program("import time; time.sleep(0.2)"),
    }

    assert 1 == check.run(checks)

    shown = capsys.readouterr().out
    assert "FAILED lint" in shown
    assert "line 7" in shown
    assert "is too long" in shown
    assert "ok     types" in shown  # the others come to their end
    assert "failed: lint" == shown.splitlines()[-1]


@pytest.mark.parametrize(
    "command", [["/nowhere/sam"], program("import os; os.kill(os.getpid(), 9)")]
)
def test_a_program_that_is_missing_or_killed_has_failed(command, capsys):
    assert 1 == check.run({"template": command})
    assert "failed: template" in capsys.readouterr().out


def test_every_check_is_there():
    assert ["format", "lint", "types", "template", "state machine"] == list(check.CHECKS)
    assert any(part.endswith("activity.asl.json") for part in check.CHECKS["state machine"])
