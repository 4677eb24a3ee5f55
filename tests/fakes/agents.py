"""Agents of one's own, scripted: what they answer to a dispatch, and what they were sent.

Not the reference agent (`local`), which answers over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentruns.agent_ports import AgentCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDispatch:
    """One request."""

    url: str
    credentials: AgentCredentials
    dispatch_id: str
    document: Mapping[str, Any]

    @property
    def task_token(self) -> str:
        return str(self.document["taskToken"])


class FakeAgentCaller:
    """Takes every dispatch, unless an error is scripted.

    `before_answer`, where set, is called once a dispatch is taken and before it is answered.
    """

    def __init__(self) -> None:
        self.sent: list[SentDispatch] = []
        self.before_answer: Callable[[SentDispatch], object] | None = None
        self.reached: list[str] = []
        self._errors: list[Exception | None] = []
        self._unreachable: Exception | None = None

    def on_dispatch(self, *errors: Exception | None) -> None:
        """What the next dispatches are answered; None is a 2xx."""
        self._errors += errors

    def on_reach(self, error: Exception | None) -> None:
        """What connecting to an agent comes to from now on; None is a connection."""
        self._unreachable = error

    def reach(self, url: str) -> None:
        self.reached.append(url)
        if self._unreachable is not None:
            raise self._unreachable

    def dispatch(
        self,
        url: str,
        credentials: AgentCredentials,
        dispatch_id: str,
        document: Mapping[str, Any],
    ) -> None:
        sent = SentDispatch(
            url=url, credentials=credentials, dispatch_id=dispatch_id, document=dict(document)
        )
        self.sent.append(sent)
        if self.before_answer is not None:
            self.before_answer(sent)
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
