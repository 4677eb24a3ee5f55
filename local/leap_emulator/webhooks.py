"""When webhooks go out: at the end of a run by the clock, on command, or before the start's answer.

One thread waits for the runs that end; each end is sent by a thread of its own, so that a slow
receiver holds up nobody. Pauses of faults are real time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from local.emulation.clock import Clock
from local.emulation.faults import FaultScript
from local.leap_emulator.faults import WEBHOOK
from local.leap_emulator.ledger import Ledger, WebhookEntry, WebhookOutcome
from local.leap_emulator.runs import Run
from local.leap_emulator.settings import EmulatorSettings
from local.leap_emulator.webhook_plan import Shipment, plan_shipments
from local.leap_emulator.webhook_sender import Receipt, WebhookSender

_LONGEST_NAP_SECONDS = 0.2  # an injected clock may be turned forward meanwhile
_MAXIMUM_SHOWN_CHARACTERS = 500


class WebhookDesk:
    """Sends between `start` and `stop`. `show` gives a run's object at a moment."""

    def __init__(
        self,
        *,
        clock: Clock,
        faults: FaultScript,
        ledger: Ledger,
        sender: WebhookSender,
        settings: Callable[[], EmulatorSettings],
        show: Callable[[Run, datetime], dict[str, Any]],
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._ledger = ledger
        self._sender = sender
        self._settings = settings
        self._show = show
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._numbers = itertools.count()
        self._sent = 0
        self._due: list[tuple[datetime, int, Run]] = []
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="leap-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends at once: what is not sent yet never is."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def clear(self) -> None:
        """Forgets the runs whose end was awaited."""
        with self._changed:
            self._due.clear()

    def expect_end(self, run: Run) -> None:
        """Sends at the end of the run's scenario, if it has one and the run a webhook."""
        if run.request.webhook_url is None or run.ends_at is None:
            return
        with self._changed:
            heapq.heappush(self._due, (run.ends_at, next(self._numbers), run))
            self._changed.notify_all()

    def forget_end(self, run: Run) -> None:
        """The run was ended otherwise."""
        with self._changed:
            self._due = [entry for entry in self._due if entry[2] is not run]
            heapq.heapify(self._due)

    def announce_end(self, run: Run) -> None:
        """Sends by a thread of its own, with the faults that are due."""
        if run.request.webhook_url is None:
            return
        due = self._faults.take(WEBHOOK, run.workflow.workflow_id)
        shipments = plan_shipments(self._show(run, self._clock()), due.rule if due else None)
        # Counted here and not in the thread, which may begin after the next run's webhook went out.
        with self._changed:
            sent_before = self._sent
        threading.Thread(
            target=self._send_in_order,
            args=(run, shipments, sent_before),
            name=run.run_id,
            daemon=True,
        ).start()

    def send_now(self, run: Run, shipment: Shipment, url: str | None = None) -> WebhookEntry | None:
        """Sends one webhook and waits for its answer; None: the run has no URL."""
        target = url or run.request.webhook_url
        if target is None:
            return None
        return self._send(run, target, shipment)

    def announce_due(self) -> float | None:
        """Announces the runs that have ended; gives the seconds to the next end, if any."""
        while True:
            with self._changed:
                if not self._due:
                    return None
                seconds = (self._due[0][0] - self._clock()).total_seconds()
                if seconds > 0:
                    return seconds
                run = heapq.heappop(self._due)[2]
            self.announce_end(run)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seconds = self.announce_due()
            with self._changed:
                if not self._stopping.is_set():
                    # What was expected in between has notified nobody: look again soon.
                    self._changed.wait(min(seconds or _LONGEST_NAP_SECONDS, _LONGEST_NAP_SECONDS))

    def _send_in_order(self, run: Run, shipments: list[Shipment], sent_before: int) -> None:
        url = run.request.webhook_url
        if url is None:
            return
        for shipment in shipments:
            self._wait(shipment, sent_before)
            if self._stopping.is_set():
                return
            if shipment.is_sent:
                self._send_until_answered(run, url, shipment)
            else:
                self._record(run, url, shipment, Receipt(outcome=WebhookOutcome.LOST))

    def _wait(self, shipment: Shipment, sent_before: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or (shipment.is_held and self._sent > sent_before),
                shipment.wait_seconds,
            )

    def _send_until_answered(self, run: Run, url: str, shipment: Shipment) -> None:
        settings = self._settings()
        for attempt in range(1, settings.webhook_attempts + 1):
            entry = self._send(run, url, shipment, attempt=attempt)
            is_last = attempt == settings.webhook_attempts
            if entry.is_success or is_last or entry.outcome is WebhookOutcome.REFUSED:
                return
            if self._stopping.wait(settings.webhook_retry_seconds):
                return

    def _send(self, run: Run, url: str, shipment: Shipment, attempt: int = 1) -> WebhookEntry:
        timeout_seconds = self._settings().webhook_timeout_seconds
        receipt = self._sender.send(url, shipment, timeout_seconds=timeout_seconds)
        entry = self._record(run, url, shipment, receipt, attempt)
        with self._changed:
            self._sent += 1
            self._changed.notify_all()
        return entry

    def _record(
        self, run: Run, url: str, shipment: Shipment, receipt: Receipt, attempt: int = 1
    ) -> WebhookEntry:
        return self._ledger.record_webhook(
            run_id=run.run_id,
            url=url,
            kind=shipment.kind,
            attempt=attempt,
            status=shipment.status,
            size_bytes=len(shipment.body),
            outcome=receipt.outcome,
            response_status=receipt.response_status,
            response_body=receipt.response_body[:_MAXIMUM_SHOWN_CHARACTERS],
            seconds=receipt.seconds,
        )
