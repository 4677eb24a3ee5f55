"""What outlives a restart, and what a damaged file does."""

from __future__ import annotations

import pytest

from local.leena_emulator.errors import JournalUnusable
from local.leena_emulator.journal import Journal
from local.leena_emulator.settings import EmulatorSettings
from local.leena_emulator.state import EmulatorState
from tests.unit.leena_emulator.conftest import Client


@pytest.fixture
def restart(tmp_path, clock):
    """Opens the emulator on one journal, closing the one before."""
    opened: list[EmulatorState] = []

    def open_again() -> Client:
        if opened:
            opened[-1].journal.close()
        journal = Journal(tmp_path / "journal.jsonl")
        opened.append(EmulatorState(clock=clock, settings=EmulatorSettings(), journal=journal))
        client = Client(opened[-1])
        client.log_in()
        return client

    yield open_again
    opened[-1].journal.close()


def test_items_and_their_ledger_entries_go_on_where_they_were(restart):
    before = restart()
    context = {"agentruns_run_id": "run_1"}
    item = before.start("it_support_ticket_creation", message_to_start="Go", context=context)
    assert before.statuses(item, 3) == ["in_progress", "in_progress", "paused"]
    entry = before.state.ledger.executes()[0].as_document()
    after = restart()
    assert after.statuses(item, 3) == ["paused", "in_progress", "completed"]
    restored = after.state.ledger.executes("run_1")[0].as_document()
    # The mint before the restart is forgotten, and with it its number.
    assert {**restored, "sequence": 0} == {**entry, "sequence": 0}
    assert after.state.ledger.status_reads(item) == 6


def test_numbers_are_not_given_out_twice(restart):
    first = restart().execute("fails").json()
    second = restart().execute("fails").json()
    assert (first["run_id"], second["run_id"]) == ("ID_000001", "ID_000002")
    assert first["aop_item_id"] != second["aop_item_id"]


def test_a_token_of_the_process_before_is_401(restart):
    before, after = restart(), restart()
    after.token = before.token
    assert after.execute("fails").status == 401


def test_time_goes_on_while_the_emulator_is_down(restart, clock):
    item = restart().start("completes_after_30_seconds")
    clock.turn(31)
    assert restart().statuses(item, 1) == ["completed"]


def test_a_forced_status_is_kept(restart):
    before = restart()
    item = before.start("fails")
    before.state.items.force_status(item, "aborted")
    assert restart().statuses(item, 1) == ["aborted"]


def test_reset_empties_the_journal(restart):
    before = restart()
    item = before.start("fails")
    before.call("POST", "/_emulator/reset")
    assert restart().read(item).status == 404


def test_an_unfinished_last_line_is_cut_off(restart, tmp_path):
    item = restart().start("fails")
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes() + b'{"record": "pro')
    second = restart().start("fails")
    last = restart()
    assert last.read(item).status == last.read(second).status == 200


@pytest.mark.parametrize(
    "content",
    [
        "no json\n",
        "no line end",
        "{}\n",
        "[]\n",
        '{"record": "other"}\n',
    ],
)
def test_another_file_is_refused_with_its_line(tmp_path, content):
    path = tmp_path / "journal.jsonl"
    path.write_text(content)
    with pytest.raises(JournalUnusable, match="line 1"):
        Journal(path).open()
    assert path.read_text() == content


def test_a_record_that_lacks_a_part_is_refused(tmp_path, clock):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"record": "start", "item": {}}\n')
    with pytest.raises(JournalUnusable, match="lacks a part"):
        EmulatorState(clock=clock, settings=EmulatorSettings(), journal=Journal(path))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(JournalUnusable, match="cannot be opened"):
        Journal(tmp_path).open()


def test_the_journal_holds_no_credential_and_no_token(restart, tmp_path):
    client = restart()
    client.read(client.start("fails"))
    content = (tmp_path / "journal.jsonl").read_text()
    for secret in ("demo-secret", "demo-password", client.token):
        assert secret not in content
