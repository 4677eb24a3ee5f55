"""The person at the inbox: answers promptly, some items twice, some with a no.

Sees what the inbox shows of this scenario's agents and nothing else. An unknown start is declared
not started where the agent says that it has nothing of the kind. Not here: what must become of an
answer (`chaos.wait_rules`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from chaos.books import PersonAnswer
from chaos.operating import RequestRefused
from chaos.stack import ChaosStack

PAUSE_SECONDS = 0.5
DECISIONS = ("rejected", "approved", "changes_requested", "rejected")
"""In turn: however few are asked for, one is rejected."""

TWICE_EVERY = 3
_REFUSING = frozenset({"rejected", "changes_requested"})


class Person:
    """`answers` is what was said, taken or not; `resolved` counts unknown starts."""

    def __init__(self, stack: ChaosStack) -> None:
        self.answers: list[PersonAnswer] = []
        self.resolved = 0
        self._stack = stack
        self._decided: dict[str, str] = {}
        self._is_over = threading.Event()
        self._failures: list[Exception] = []

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """At the inbox for the time of the block; what went wrong there is raised at its end."""
        thread = threading.Thread(target=self._answer_until_the_end, daemon=True)
        thread.start()
        self._stack.person_on_duty.set()
        try:
            yield
        finally:
            self._stack.person_on_duty.clear()
            self._is_over.set()
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _answer_until_the_end(self) -> None:
        try:
            while not self._is_over.wait(PAUSE_SECONDS):
                for item in self._inbox():
                    self._answer(item)
        except Exception as error:  # noqa: BLE001  # raised where the block ends
            self._failures.append(error)

    def _inbox(self) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = []
        cursor = ""
        while True:
            page = self._stack.call("GET", f"/v1/inbox?limit=100{cursor}")
            items += [
                item
                for item in page["items"]
                if item.get("agent_role") in self._stack.agent.secrets
            ]
            if page.get("next_cursor") is None:
                return items
            cursor = f"&cursor={page['next_cursor']}"

    def _answer(self, item: Mapping[str, Any]) -> None:
        if item["kind"] == "start_unknown":
            return self._look_for(item["id"])
        if item["kind"] in {"approval", "review"}:
            turn = DECISIONS[len(self._decided) % len(DECISIONS)]
            self._say_it(item["id"], self._decided.setdefault(item["id"], turn))
        elif item["kind"] in {"blocker", "human_task"}:
            self._say_it(item["id"], "resolved")
        return None

    def _say_it(self, wait_id: str, decision: str) -> None:
        note = f"said to {wait_id}"

        def say(said: str) -> None:
            path = f"/v1/approvals/{wait_id}/decision"
            body = {"decision": said, "note": note}
            if said == "resolved":
                path, body = f"/v1/human-tasks/{wait_id}/resolve", {"note": note}
            self.answers.append(
                PersonAnswer(
                    wait_id=wait_id,
                    decision=said,
                    note=note,
                    is_taken=_is_taken(lambda: self._stack.call("POST", path, body)),
                )
            )

        if len(self.answers) % TWICE_EVERY:
            return say(decision)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(say, [decision, decision]))
        if decision in _REFUSING:
            say("approved")
        return None

    def _look_for(self, run_id: str) -> None:
        """In the agent's books: there or not, it says."""
        if self._stack.agent.ledger.has_taken(run_id):
            return
        path = f"/v1/runs/{run_id}/resolve"
        self.resolved += _is_taken(lambda: self._stack.call("POST", path, {"not_started": True}))


def _is_taken(say: Callable[[], object]) -> bool:
    """False where it is refused: answered already, or the activity has ended meanwhile."""
    try:
        say()
    except RequestRefused:
        return False
    return True
