"""The other side's books as the checker reads them: workflows by the URL of their webhook, and an
agent's text as the log shows it."""

import requests

from chaos.books import LogLine
from chaos.ledgers import starts_of, untaken, untold
from chaos.stack import log_lines
from local.leap_emulator import LeapEmulator, WebhookEntry
from local.leap_emulator.ledger import WebhookOutcome
from local.leena_emulator import LeenaEmulator

RUN_ID = "run_01KDZ98CG0W2E4M08KDVJK3M5V_1"
HOOK = f"http://127.0.0.1:9/hooks/leap/{RUN_ID}.default.mac"


def start(leap: LeapEmulator) -> str:
    """A workflow that never ends; its run's id."""
    body = {"workflowId": "wkf_never_ends", "webhookUrl": HOOK, "inputs": {}}
    headers = {"X-Api-Key": leap.settings.api_key}
    answer = requests.post(f"{leap.url}/v1/workflows", json=body, headers=headers, timeout=10)
    return str(answer.json()["id"])


def sent(leap: LeapEmulator, run_id: str, kind: str, response_status: int) -> WebhookEntry:
    return leap.ledger.record_webhook(
        run_id=run_id,
        url=HOOK,
        kind=kind,
        attempt=1,
        status="completed",
        size_bytes=2,
        outcome=WebhookOutcome.ANSWERED,
        response_status=response_status,
    )


def test_a_start_is_of_the_run_whose_hook_it_names():
    with LeenaEmulator() as leena, LeapEmulator() as leap:
        remote_id = start(leap)

        (found,) = starts_of(leena, leap)

        assert (RUN_ID, remote_id, "running", False) == (
            found.run_id,
            found.remote_id,
            found.status,
            found.is_told,
        )
        assert [RUN_ID] == untold(leap)


def test_only_a_webhook_that_was_taken_and_is_genuine_tells():
    with LeenaEmulator() as leena, LeapEmulator() as leap:
        remote_id = start(leap)
        sent(leap, remote_id, "forged", 200)
        assert not starts_of(leena, leap)[0].is_told
        assert [RUN_ID] == untold(leap)

        refused = sent(leap, remote_id, "genuine", 503)
        assert not starts_of(leena, leap)[0].is_told
        assert ([], [refused]) == (untold(leap), untaken(leap))

        sent(leap, remote_id, "late", 200)
        assert starts_of(leena, leap)[0].is_told


def test_of_a_runs_log_the_text_and_its_gaps_are_read():
    items = [
        {"type": "RunStarted", "detail": {"status": "running"}},
        {"type": "TextDelta", "detail": {"number": 1, "text": "1 "}},
        {"type": "TextGap", "detail": {"from": 2, "to": 3}},
        {"type": "TextDelta", "detail": {"number": 4, "text": "4 "}},
        {"type": "RunCompleted", "detail": {"status": "completed"}},
    ]

    assert [
        LogLine(first=1, last=1, text="1 "),
        LogLine(first=2, last=3, text=None),
        LogLine(first=4, last=4, text="4 "),
    ] == list(log_lines(items))
