"""Background processes are recognised by more than their id, and strangers are left alone."""

import os
import socket
import subprocess
import sys
import time

from local.processes import (
    ProcessIdentity,
    accepts_connections,
    free_port,
    is_running,
    spawn,
    start_time,
    stop_group,
    stop_processes_under,
    wait_until_ready,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def spawn_in(tmp_path, command=SLEEP, **environment):
    return spawn(command, environment=environment, log_file=tmp_path / "log")


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_a_spawned_process_runs_until_its_group_is_stopped(tmp_path):
    process = spawn_in(tmp_path)
    assert is_running(process)
    stop_group(process)
    assert not is_running(process)


def test_a_spawned_process_leads_its_own_group_and_gets_only_the_given_environment(tmp_path):
    script = "import os; print(os.getpgrp() == os.getpid(), sorted(os.environ) , flush=True)"
    process = spawn_in(tmp_path, [sys.executable, "-I", "-c", script], TMPDIR="/nowhere")
    wait_until(lambda: not is_running(process))
    assert (tmp_path / "log").read_text().startswith("True ['LC_CTYPE', 'TMPDIR']") or (
        tmp_path / "log"
    ).read_text().startswith("True ['TMPDIR']")


def test_stopping_a_group_ends_the_children_too(tmp_path):
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    process = spawn_in(tmp_path, [sys.executable, "-c", script])
    wait_until(lambda: (tmp_path / "log").read_text().strip())
    child = int((tmp_path / "log").read_text())
    assert start_time(child) is not None
    stop_group(process)
    wait_until(lambda: start_time(child) is None)


def test_a_process_that_ignores_the_polite_signal_is_killed_after_the_grace(tmp_path):
    script = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    process = spawn_in(tmp_path, [sys.executable, "-c", script])
    wait_until(lambda: "ready" in (tmp_path / "log").read_text())
    stop_group(process, grace_seconds=0.1)
    assert not is_running(process)


def test_a_reused_process_id_is_a_stranger_and_survives():
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        stale = ProcessIdentity(pid=stranger.pid, started="long ago")
        assert not is_running(stale)
        stop_group(stale)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_has_ended_has_no_start_time():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert start_time(ended.pid) is None
    assert start_time(os.getpid()) is not None


def test_orphans_are_found_by_a_path_in_their_command_line(tmp_path):
    worker = tmp_path / "tmp" / "ministack-lambda-x" / "_worker.py"
    worker.parent.mkdir(parents=True)
    worker.write_text("import time; print('ready', flush=True); time.sleep(60)")
    orphan = spawn_in(tmp_path, [sys.executable, str(worker)])
    # a process has no command line yet in the instant after it was spawned
    wait_until(lambda: "ready" in (tmp_path / "log").read_text())
    neighbour = spawn_in(tmp_path)
    try:
        assert stop_processes_under(tmp_path / "tmp") == 1
        wait_until(lambda: not is_running(orphan))
        assert is_running(neighbour)
    finally:
        stop_group(neighbour)


def test_a_preferred_port_is_taken_when_free_and_left_when_used():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        used = server.getsockname()[1]
        assert accepts_connections(used)
        assert free_port(used) != used
    assert free_port(used) == used
    assert not accepts_connections(used)


def test_a_process_whose_port_never_answers_is_not_ready(tmp_path):
    process = spawn_in(tmp_path, [sys.executable, "-c", "pass"])
    assert not wait_until_ready(process, free_port())
    assert not is_running(process)
