"""`agentruns output`, and what `show` says of a large one."""

import json

import pytest
import responses

from agentruns_cli.client import OUTPUT_PIECE_BYTES
from tests.unit.cli.operator_api import ACTIVITY_ID, API_URL, RUN_ID, a_problem, a_run, an_activity

OUTPUT_PATH = f"/v1/runs/{RUN_ID}/output"
ACTIVITY_PATH = f"/v1/activities/{ACTIVITY_ID}"
TEXT = json.dumps({"text": "x" * 5_000_000}, separators=(",", ":"))


class Served:
    """The output, answered in ranges as the API does."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ranges: list[str] = []
        self.queries: list[str] = []

    def __call__(self, request):
        self.ranges.append(request.headers["Range"])
        self.queries.append(request.url.partition("?")[2])
        first, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
        last = min(last, len(self.text) - 1)
        headers = {"Content-Range": f"bytes {first}-{last}/{len(self.text)}"}
        return 206, headers, self.text[first : last + 1]


@pytest.fixture
def served(api) -> Served:
    found = Served(TEXT)
    api._mock.add_callback(responses.GET, API_URL + OUTPUT_PATH, callback=found)
    return found


def a_large_run() -> dict[str, object]:
    return a_run("completed", output_bytes=len(TEXT), output_sha256="f" * 64)


def test_the_whole_output_is_fetched_in_ranges_and_written_as_it_is(cli, served):
    outcome = cli.run("output", RUN_ID)

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert outcome.stdout == TEXT + "\n"
    ends = range(OUTPUT_PIECE_BYTES - 1, len(TEXT) + OUTPUT_PIECE_BYTES, OUTPUT_PIECE_BYTES)
    expected = [f"bytes={last - OUTPUT_PIECE_BYTES + 1}-{last}" for last in ends]
    assert served.ranges == expected[: len(served.ranges)]
    assert len(served.ranges) == 3


def test_a_page_of_it(cli, served):
    outcome = cli.run("output", RUN_ID, "--page", "2", "--page-bytes", "1000")

    assert outcome.stdout == TEXT[1000:2000] + "\n"
    assert outcome.stderr == f"Page 2 of 5001, of {len(TEXT)} bytes in all.\n"
    assert served.ranges == ["bytes=1000-1999"]


def test_an_activity_means_its_latest_run_with_an_output(cli, api, served):
    runs = [a_large_run(), a_run("timeout", run_id=RUN_ID[:-1] + "2", attempt=2)]
    api.answers("GET", ACTIVITY_PATH, an_activity("failed", runs=runs))

    assert cli.run("output", ACTIVITY_ID, "--page", "1").stdout == TEXT[:65536] + "\n"


def test_one_that_came_too_late_is_asked_for_by_its_hash(cli, served):
    cli.run("output", RUN_ID, "--sha256", "a" * 64, "--page", "1")

    assert served.queries == [f"sha256={'a' * 64}"]


def test_a_run_without_an_output_is_not_found(cli, api):
    api.refuses("GET", OUTPUT_PATH, a_problem(404, "Output not found"))

    outcome = cli.run("output", RUN_ID)

    assert (outcome.exit_code, outcome.stdout) == (5, "")
    assert "error: Output not found (HTTP 404)" in outcome.stderr


def test_an_activity_without_a_run_has_none(cli, api):
    api.answers("GET", ACTIVITY_PATH, an_activity("queued", None))

    assert cli.run("output", ACTIVITY_ID).exit_code == 5


def test_a_page_behind_the_end_is_refused_with_the_size(cli, api):
    api.refuses("GET", OUTPUT_PATH, a_problem(416, "Range not satisfiable", "it has 10 bytes"))

    outcome = cli.run("output", RUN_ID, "--page", "9")

    assert outcome.exit_code == 2
    assert "it has 10 bytes" in outcome.stderr


def test_a_page_length_without_a_page_is_a_mistake(cli, api):
    outcome = cli.run("output", RUN_ID, "--page-bytes", "10")

    assert outcome.exit_code == 2
    assert api.requests == []


def test_an_answer_that_is_no_range_is_not_taken_for_one(cli, api):
    api.answers("GET", OUTPUT_PATH, {"a": 1})

    outcome = cli.run("output", RUN_ID)

    assert (outcome.exit_code, outcome.stdout) == (8, "")
    assert "does not know ranges" in outcome.stderr


def test_show_gives_the_size_a_first_page_and_the_command_for_the_rest(cli, api, served):
    api.answers("GET", ACTIVITY_PATH, an_activity("done", a_large_run()))
    api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})

    outcome = cli.run("show", ACTIVITY_ID)

    lines = outcome.stdout.splitlines()
    at = lines.index(f"  output            {len(TEXT)} bytes")
    shown = [line.strip() for line in lines if line.startswith("    ")]
    assert at > 0
    assert "".join(shown[:-1]) == TEXT[:380]
    assert shown[-1] == "…"
    assert f"All of the output: agentruns output {RUN_ID}\n" in outcome.stderr


def test_show_names_an_output_that_came_too_late(cli, api):
    evidence = {
        "source": "webhook",
        "status": "completed",
        "observed_at": "2026-11-22T03:00:00Z",
        "decided": False,
        "output_bytes": 409600,
        "output_sha256": "a" * 64,
    }
    api.answers("GET", ACTIVITY_PATH, an_activity("failed", a_run("timeout", evidence=[evidence])))
    api.answers("GET", f"/v1/runs/{RUN_ID}/events", {"items": [], "next_after": None})

    assert f"output of 409600 bytes, sha256 {'a' * 64}" in cli.run("show", ACTIVITY_ID).stdout
