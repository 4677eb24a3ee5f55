"""The clock of compressed time: the workers' alone, and as fast as is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from bench.fast_clock import sitecustomize
from tests.unit.structure.project import ROOT

SHOW_NOW = "from agentruns import wiring_parts; print(wiring_parts.now().isoformat())"


def now_of_a_worker(**environment: str) -> datetime:
    folders = [str(ROOT / "bench" / "fast_clock"), str(ROOT / "layers" / "agentruns")]
    shown = subprocess.run(
        [sys.executable, "-c", SHOW_NOW],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(folders), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return datetime.fromisoformat(shown.strip())


def test_a_worker_s_clock_runs_as_fast_as_is_asked():
    an_hour_ago = time.time() - 3600
    seen = now_of_a_worker(BENCH_CLOCK_SPEED="3", BENCH_CLOCK_EPOCH=str(an_hour_ago))
    assert 7200 == pytest.approx((seen - datetime.now(UTC)).total_seconds(), abs=60)


def test_without_being_asked_it_is_the_machine_s():
    assert 0 == pytest.approx((now_of_a_worker() - datetime.now(UTC)).total_seconds(), abs=60)


def test_this_process_reads_the_same_time(monkeypatch):
    monkeypatch.setenv(sitecustomize.SPEED_VARIABLE, "60")
    monkeypatch.setenv(sitecustomize.EPOCH_VARIABLE, str(time.time() - 60))
    ahead = sitecustomize.fast_now() - datetime.now(UTC)
    assert 59 * 60 == pytest.approx(ahead.total_seconds(), abs=60)
