"""Everything one emulator remembers, in one place. It knows nothing of HTTP requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local.emulation.clock import Clock
from local.emulation.state import ControlledState
from local.leap_emulator.faults import vocabulary
from local.leap_emulator.ledger import Ledger
from local.leap_emulator.runs import Run, RunStore, StartRequest
from local.leap_emulator.settings import EmulatorSettings, change_settings
from local.leap_emulator.webhook_plan import shipment
from local.leap_emulator.webhook_sender import LoopbackWebhookSender, WebhookSender
from local.leap_emulator.webhooks import WebhookDesk
from local.leap_emulator.workflows import RunStatus, Workflow, WorkflowCatalogue, is_terminal


class EmulatorState(ControlledState[EmulatorSettings]):
    """Each part guards itself against concurrent use. `base_url` is set once it is known."""

    def __init__(
        self,
        *,
        clock: Clock,
        settings: EmulatorSettings,
        sender: WebhookSender | None = None,
    ) -> None:
        self.base_url = ""
        self.workflows = WorkflowCatalogue()
        super().__init__(
            clock=clock,
            settings=settings,
            change=change_settings,
            fault_vocabulary=vocabulary(self.workflows),
        )
        self.runs = RunStore(clock)
        self.ledger = Ledger(clock)
        self.webhooks = WebhookDesk(
            clock=clock,
            faults=self.faults,
            ledger=self.ledger,
            sender=sender or LoopbackWebhookSender(),
            settings=lambda: self.settings,
            show=self.show_at,
        )

    def start_run(self, workflow: Workflow, request: StartRequest) -> dict[str, Any]:
        """Makes a run; gives its object as it is now."""
        run = self.runs.create(workflow, request)
        self.ledger.record_start(run)
        document = self.show_at(run, run.created_at)
        self.webhooks.expect_end(run)
        return document

    def show_at(self, run: Run, moment: datetime) -> dict[str, Any]:
        """The provider's run object."""
        return run.as_document(run.standing(moment), self.settings, self.base_url)

    def show(self, run: Run) -> dict[str, Any]:
        return self.show_at(run, self.clock())

    def set_status(self, run_id: str, status: str, outcome: dict[str, Any]) -> Run:
        """Shows `status` from now on; if it is terminal its webhook goes out, each time anew.

        Raises RequestRefused 404.
        """
        run = self.runs.force(run_id, status, outcome=outcome)
        self.webhooks.forget_end(run)
        if is_terminal(status):
            self.webhooks.announce_end(run)
        return run

    def end_early(self, run_id: str) -> None:
        """Ends the run at once and waits until its webhook was answered."""
        run = self.runs.get(run_id)
        last = run.workflow.phases[-1].status
        self.webhooks.forget_end(run)
        self.runs.force(
            run_id, last if is_terminal(last) else RunStatus.COMPLETED.value, outcome={}
        )
        self.webhooks.send_now(run, shipment(self.show(run), kind="early"))

    def reset(self) -> None:
        """Back to the start: no runs, ledger, faults, settings or own workflows."""
        super().reset()
        self.webhooks.clear()
        self.runs.clear()
        self.ledger.clear()
        self.workflows.restore_ready_ones()
