"""What says that threads may share it, shared by 32 of them: the sweeper has that many."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from agentruns import telemetry
from agentruns.adapters.http import Answer, JsonHttp
from agentruns.aws.clients import CONNECTIONS, AwsClients
from agentruns.sweeping import WORKERS


def at_once(call: Callable[[int], Any], threads: int = WORKERS) -> list[Any]:
    start = threading.Barrier(threads)

    def run(number: int) -> Any:
        start.wait()
        return call(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_each_aws_client_is_built_once_with_a_connection_per_thread(monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")
    clients = AwsClients()
    services = (clients.dynamodb, clients.secretsmanager, clients.stepfunctions, clients.events)
    found = at_once(lambda number: services[number % 4]())
    assert 4 == len({id(client) for client in found})
    assert {WORKERS} == {client.meta.config.max_pool_connections for client in found}
    assert WORKERS == CONNECTIONS


class Echo(BaseHTTPRequestHandler):
    """Answers with the number in the path, and keeps the connection open."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[set[tuple[str, int]]] = set()

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        body = json.dumps({"number": int(self.path.rsplit("/", 1)[1])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


class EchoServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def test_every_thread_gets_its_own_answer_over_connections_that_are_kept(caplog):
    server = EchoServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    http = JsonHttp(allow_private_networks=True, clock=lambda: datetime.now(UTC))
    base_url = f"http://127.0.0.1:{server.server_address[1]}"

    def ask(number: int) -> list[int]:
        numbers = []
        for each in range(20):
            answer = http.get(f"{base_url}/{number * 100 + each}", {})
            assert isinstance(answer, Answer)
            numbers.append(answer.body["number"])
        return numbers

    Echo.connections.clear()
    with caplog.at_level(logging.WARNING, logger="urllib3"):
        answers = at_once(ask)
    server.shutdown()
    server.server_close()
    assert [[n * 100 + each for each in range(20)] for n in range(WORKERS)] == answers
    assert len(Echo.connections) <= WORKERS
    assert [] == [record for record in caplog.records if "discarding" in record.message]


def test_a_thread_s_ids_are_in_its_own_lines_and_in_no_other(capsys):
    telemetry.begin_invocation(None, event_id="event-1")
    logger = logging.getLogger("agentruns.test_threads")

    def log(number: int) -> None:
        for _ in range(20):
            telemetry.bind(run_id=f"run_{number}")
            logger.warning("looked", extra={"number": number})

    at_once(log)
    logger.warning("done")
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {f"run_{number}": 20 for number in range(WORKERS)} == Counter(
        line["run_id"] for line in lines
    )
    assert [f"run_{line['number']}" for line in lines] == [line["run_id"] for line in lines]
    assert {"event-1"} == {line["event_id"] for line in (*lines, last)}
    assert "run_id" not in last


def test_the_logger_is_built_once_by_threads_that_ask_first_at_the_same_time(monkeypatch):
    """Powertools registers a logger's formatter after it has made the logger known by its name."""
    known = logging.Logger.manager.loggerDict
    for name in [name for name in known if name == "agentruns"]:
        monkeypatch.delitem(known, name)
    telemetry._build_logger.cache_clear()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        at_once(lambda number: telemetry.bind(run_id=f"run-{number}"))
        telemetry._build_logger.cache_clear()
        built = at_once(lambda _: telemetry._logger())
    finally:
        sys.setswitchinterval(interval)
    assert 1 == len({id(logger) for logger in built})


def test_a_metric_and_a_log_line_of_other_threads_do_not_mix(capsys):
    telemetry.begin_invocation(None)
    logger = logging.getLogger("agentruns.test_threads")

    def write(number: int) -> None:
        for _ in range(20):
            telemetry.count("RunsSwept", number)
            logger.warning("looked", extra={"number": number})

    at_once(write, threads=8)
    lines = capsys.readouterr().out.splitlines()
    assert 2 * 8 * 20 == len([json.loads(line) for line in lines])
