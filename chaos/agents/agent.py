"""The agent as a web service: takes signed dispatches, some of them badly, and works at them.

Each run is worked at by a thread of its own, as its prompt's first word says (`conduct`). It knows
the Agent API and nothing else of the product. Not here: what was right (`chaos.agent_rules`).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from chaos.agents.calls import AgentApi
from chaos.agents.conduct import EARLY, Releases, Work, conduct_of
from chaos.agents.ledger import AgentLedger
from chaos.books import Taken
from local.emulation.errors import RequestRefused
from local.emulation.faults import FaultRule, FaultScript, FaultVocabulary, OwnKind, fault_rule
from local.emulation.http_server import EmulatorServer
from local.emulation.messages import Delivery, Reply, Request, StreamedReply, json_reply
from local.emulation.misbehaviour import Bender, misbehave
from local.emulation.routing import answer_or_refuse
from local.emulation.serving import Served
from local.processes import LOOPBACK

DISPATCH = "dispatch"
CUT, OVERLONG = "cut", "overlong"
_ANSWER = {"accepted": True}


class FaultyAgent(Served):
    """Serves `<url>/<role>` for every role that has a signing secret here."""

    def __init__(self, seed: int) -> None:
        self.ledger = AgentLedger()
        self.faults = FaultScript()
        self.secrets: dict[str, str] = {}
        self.api = AgentApi(self.ledger)
        self.releases = Releases()
        self._seed = seed
        self._at_work: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._vocabulary = FaultVocabulary(
            requests=(DISPATCH,),
            own_kinds={kind: OwnKind(operations=frozenset({DISPATCH})) for kind in _BENDERS},
            subject_name="role",
            find_subject=lambda role: role if role in self.secrets else None,
        )
        server = EmulatorServer(
            (LOOPBACK, 0), self._answer, service_name="chaos-agent", verbose=False
        )
        super().__init__(server)

    def add_fault(self, **document: Any) -> int:
        """The fields of one fault rule; gives its id. Raises InvalidField."""
        return self.faults.add(fault_rule(self._vocabulary, document))[0]

    def is_at_work(self, activity_id: str) -> bool:
        """Whether it will still call for a run of the activity."""
        with self._lock:
            return self._at_work[activity_id] > 0

    def _answer(self, request: Request) -> Delivery:
        return answer_or_refuse(request, lambda: self._deliver(request))

    def _deliver(self, request: Request) -> Delivery:
        role = request.path.strip("/")
        dispatch = self._verified(role, request)
        self.ledger.record_received(dispatch["runId"])
        due = self.faults.take(DISPATCH, role)
        if due is None:
            return self._take(dispatch)
        return misbehave(due, lambda: self._take(dispatch), self.faults, _BENDERS)

    def _verified(self, role: str, request: Request) -> dict[str, Any]:
        """Raises RequestRefused 401, 404."""
        if role not in self.secrets:
            raise RequestRefused(404, "No such agent")
        try:
            verified: dict[str, Any] = Webhook(self.secrets[role]).verify(
                request.body, dict(request.headers)
            )
        except WebhookVerificationError as error:
            self.ledger.record_refused_signature()
            raise RequestRefused(401, "Not signed with our secret") from error
        return verified

    def _take(self, dispatch: Mapping[str, Any]) -> Reply:
        run_id, activity_id = dispatch["runId"], dispatch["activityId"]
        self.ledger.record_taken(
            Taken(run_id=run_id, activity_id=activity_id, wake_reason=dispatch["wakeReason"])
        )
        with self._lock:
            self._at_work[activity_id] += 1
        work = Work.of(self.api, self.releases, dispatch, self._seed)
        thread = threading.Thread(target=self._work, args=(work, activity_id), daemon=True)
        thread.start()
        if work.plan == EARLY:
            thread.join()
        return json_reply(202, _ANSWER)

    def _work(self, work: Work, activity_id: str) -> None:
        try:
            conduct_of(work)(work)
        finally:
            with self._lock:
                self._at_work[activity_id] -= 1


def _cut(_rule: FaultRule, reply: Reply) -> Delivery:
    """Half of what it declares; the connection ends, since the caller wanted it closed."""
    return StreamedReply(status=reply.status, pieces=[reply.body], length_bytes=2 * len(reply.body))


def _overlong(_rule: FaultRule, reply: Reply) -> Delivery:
    """Twice as much as it declares."""
    return StreamedReply(
        status=reply.status, pieces=[reply.body], length_bytes=len(reply.body) // 2
    )


_BENDERS: Mapping[str, Bender] = {CUT: _cut, OVERLONG: _overlong}
