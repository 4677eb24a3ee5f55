"""The corrections fit the installed MiniStack, and refuse to fit another."""

import io
import subprocess
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.ministack_launcher import (
    PATCHED_VERSION,
    UnpackedLayers,
    limited,
    replace_exactly,
    result_with_item_failures,
    target_with_context,
)

CHECKOUT = Path(__file__).resolve().parents[3]
CORRECT_ALL = """
import sys
sys.path.insert(0, sys.argv[1])
import ministack_launcher as launcher
from ministack.core import iam_actions, lambda_runtime
from ministack.services import eventbridge, lambda_svc, scheduler, stepfunctions
from ministack.services.cloudformation import provisioners
launcher.correct_functions(lambda_runtime, lambda_svc)
launcher.correct_cold_starts(lambda_runtime)
launcher.correct_state_machines(stepfunctions, {})
launcher.correct_permissions(iam_actions, {})
launcher.correct_rules(eventbridge)
launcher.correct_resources(scheduler, provisioners)
"""


def test_every_correction_fits_the_installed_ministack():
    python = CHECKOUT / ".venvs/ministack/bin/python"
    ended = subprocess.run(
        [python, "-P", "-c", CORRECT_ALL, CHECKOUT / "local"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_the_lock_pins_the_version_that_is_corrected():
    lock = (CHECKOUT / "requirements/ministack.txt").read_text()
    assert f"ministack=={PATCHED_VERSION} " in lock


@pytest.mark.parametrize(("text", "times"), [("nothing", 0), ("twice twice", 2)])
def test_a_text_that_is_not_there_once_stops_the_launcher(text, times):
    with pytest.raises(SystemExit, match=rf"here has the text to correct {times} times, not once"):
        replace_exactly(text, [("twice", "once")], "here")


def test_a_firing_gets_its_own_execution_id_and_the_scheduled_time():
    schedule = {"Target": {"Input": '{"id": "<aws.scheduler.execution-id>"}', "Arn": "a"}}
    first = target_with_context(schedule, 0.0)
    assert first["Arn"] == "a"
    assert "<aws" not in first["Input"]
    assert target_with_context(schedule, 0.0)["Input"] != first["Input"]
    at = {"Target": {"Input": "<aws.scheduler.scheduled-time>"}}
    assert target_with_context(at, 0.0)["Input"] == "1970-01-01T00:00:00Z"
    assert target_with_context({"Target": {"Arn": "a"}}, 0.0) == {"Arn": "a"}


def test_a_batch_with_failed_items_is_an_error_and_others_stay_as_they_are():
    failed = {"body": {"batchItemFailures": [{"itemIdentifier": "1"}]}, "log": "x"}
    assert result_with_item_failures(failed)["error"] is True
    others: list[dict[str, Any]] = [
        {"body": {"batchItemFailures": []}},
        {"body": None},
        {"body": {"errorType": "Boom"}, "error": True},
    ]
    for result in others:
        assert result_with_item_failures(result) == result


def test_a_layer_is_unpacked_once_and_another_one_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    layers = UnpackedLayers()
    one, other = zipped({"python/a.py": "1"}), zipped({"python/a.py": "2"})
    folder = Path(layers.unpacked_once(one))
    assert (folder / "python/a.py").read_text() == "1"
    assert str(folder) == layers.unpacked_once(bytes(bytearray(one)))
    assert (Path(layers.unpacked_once(other)) / "python/a.py").read_text() == "2"
    assert len(list(tmp_path.iterdir())) == 2


def test_calls_beyond_the_limit_wait_and_all_of_them_are_made():
    running, most = 0, 0
    counting = threading.Lock()

    def start(number):
        nonlocal running, most
        with counting:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with counting:
            running -= 1
        return number

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(limited(start, at_once=2), range(12))) == list(range(12))
    assert most == 2


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()
