"""How the agent works at a run, by the first word of its prompt: mostly badly.

Each conduct is a function of a `Work`; what it does in which order comes of the seed. Not here: how
a call is sent (`calls`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chaos.agents.calls import AgentApi
from chaos.agents.ledger import AgentLedger
from chaos.books import AgentCall

EARLY = "early"
HOLDS = "holds"
PIECES = 6
CROWD = 10
RELEASED_AFTER_SECONDS = 90.0
"""How long a run is held back at most: whoever was to release it may have failed."""


class Releases:
    """Who holds a run of an activity back waits until somebody lets it go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._released: dict[str, threading.Event] = {}

    def of(self, activity_id: str) -> threading.Event:
        with self._lock:
            return self._released.setdefault(activity_id, threading.Event())


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run at work. `plan` and `other`: the first two words of its prompt."""

    api: AgentApi
    ledger: AgentLedger
    releases: Releases
    dispatch: Mapping[str, Any]
    plan: str
    other: str
    luck: random.Random

    @classmethod
    def of(cls, api: AgentApi, releases: Releases, dispatch: Mapping[str, Any], seed: int) -> Work:
        prompt = str(dispatch["prompt"])
        plan, other, *_ = (*prompt.split(), "", "")
        luck = random.Random(f"{seed} {prompt} {dispatch['activityId']}")  # noqa: S311  # no secrets
        return cls(
            api=api,
            ledger=api.ledger,
            releases=releases,
            dispatch=dispatch,
            plan=plan,
            other=other,
            luck=luck,
        )

    @property
    def run_id(self) -> str:
        return str(self.dispatch["runId"])

    @property
    def activity_id(self) -> str:
        return str(self.dispatch["activityId"])

    def call(
        self,
        name: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        token: str = "",
    ) -> AgentCall:
        return self.api.call(self.dispatch, name, body, key=key, token=token)

    def begin(self) -> None:
        """What every run that works does first: reads, writes some text, uses a tool."""
        self.call("context")
        self.stream()
        self.use_tool()

    def stream(self) -> None:
        """Some pieces in any order: one is lost, one comes twice, and one with another text."""
        lost, *numbers = self.luck.sample(range(1, PIECES + 1), PIECES)
        self.at_once([piece(number) for number in numbers], "stream")
        twice = numbers[0]
        self.call("stream", piece(twice))
        self.call("stream", piece(twice) | {"delta": "other "})
        if self.luck.random() < 0.5:
            self.call("stream", piece(lost))

    def use_tool(self) -> None:
        """Reported three times under one key, and another one once."""
        report = {
            "toolName": "dictionary",
            "method": "count",
            "input": {},
            "status": "success",
            "durationMs": 1,
        }
        for key in ("one", "one", "one", "another"):
            self.call("tool-call", report, key=f"{self.run_id}-{key}")

    def ask(self, action: str, body: Mapping[str, Any]) -> None:
        """Twice at once, and once more."""
        self.at_once([body, body], f"actions/{action}")
        self.call(f"actions/{action}", body)

    def deliver(self, text: str = "done") -> AgentCall:
        return self.call("result", {"status": "success", "text": f"{text} {self.run_id}"})

    def at_once(self, bodies: Sequence[Mapping[str, Any]], name: str) -> None:
        with ThreadPoolExecutor(len(bodies)) as threads:
            list(threads.map(lambda body: self.call(name, body), bodies))


def piece(number: int) -> dict[str, Any]:
    return {"sequenceNum": number, "delta": f"{number} "}


def delivers(work: Work) -> None:
    work.begin()
    work.deliver()


def fails_once(work: Work) -> None:
    """The first run that gets so far says that it failed."""
    failed = work.ledger.was_told(work.activity_id, "result")
    work.begin()
    if failed:
        work.deliver()
    else:
        work.call("result", {"status": "error", "error": f"no quota in {work.run_id}"})


def says_it_twice(work: Work) -> None:
    work.begin()
    work.deliver("first")
    work.deliver("second")


def says_it_in_a_crowd(work: Work) -> None:
    work.begin()
    results = [
        {"status": "success", "text": f"{number} of {work.run_id}"} for number in range(CROWD - 1)
    ]
    work.at_once([*results, {"status": "error", "error": f"none of {work.run_id}"}], "result")


def goes_on_after_the_end(work: Work) -> None:
    work.begin()
    work.deliver()
    work.deliver("again")
    work.call("stream", piece(PIECES + 1))
    work.call("actions/request-review", _review(work))
    work.use_tool()


def damages_its_token(work: Work) -> None:
    """In every part, and by its end; then it uses the right one."""
    token = str(work.dispatch["taskToken"])
    parts = token.split(".")
    damaged = [token[:-7], f"{token}x", ".".join(parts[:2]) + "."]
    for at, part in enumerate(parts):
        flipped = part[:10] + ("A" if part[10] != "A" else "B") + part[11:]
        damaged.append(".".join([*parts[:at], flipped, *parts[at + 1 :]]))
    for bad in damaged:
        work.call("context", token=bad)
    bad = work.luck.choice(damaged)
    work.call("result", {"status": "success", "text": "forged"}, token=bad)
    delivers(work)


def falls_silent(work: Work) -> None:
    """Has it, and is never heard of again; or after it has begun."""
    if work.luck.random() < 0.5:
        work.begin()


def asks_and_falls_silent(work: Work) -> None:
    if _has_asked(work):
        return delivers(work)
    work.begin()
    work.ask("request-review", _review(work))
    return None


def wants_a_review(work: Work) -> None:
    _ask_once(work, "request-review", _review(work))


def wants_an_approval(work: Work) -> None:
    """That another activity waits for too, whose run is held back until it is asked."""
    linked = [work.other] if work.other else []
    body = {"title": f"Go {work.activity_id}", "type": "channel_action"}
    _ask_once(work, "create-approval", {**body, "linkedActivityIds": linked})
    work.releases.of(work.other).set()


def is_blocked(work: Work) -> None:
    what = f"which one, {work.activity_id}?"
    _ask_once(work, "report-blocker", {"blockerType": "needs_human_input", "description": what})


def gives_a_part_on(work: Work) -> None:
    """To the role that the prompt names; the part fails once, or is done."""
    prompt = work.luck.choice(["fails", "delivers"])
    body = {"title": "A part", "agentRole": work.other, "prompt": f"{prompt} {work.activity_id}"}
    _ask_once(work, "create-subtask", body)


def holds(work: Work) -> None:
    """Until somebody says that it may go on."""
    work.begin()
    work.releases.of(work.activity_id).wait(RELEASED_AFTER_SECONDS)
    work.deliver()


def _ask_once(work: Work, action: str, body: Mapping[str, Any]) -> None:
    """By the first run that gets so far. Its end and an answer begin the next one."""
    has_asked = _has_asked(work)
    work.begin()
    if not has_asked:
        work.ask(action, body)
    work.deliver()


def _has_asked(work: Work) -> bool:
    names = ("request-review", "create-approval", "report-blocker", "create-subtask")
    return work.ledger.was_told(work.activity_id, *names)


def _review(work: Work) -> dict[str, Any]:
    return {"title": "Look at it", "description": f"a draft of {work.activity_id}"}


CONDUCTS: Mapping[str, Callable[[Work], None]] = {
    "delivers": delivers,
    "fails": fails_once,
    "twice": says_it_twice,
    "crowd": says_it_in_a_crowd,
    EARLY: delivers,
    "late": goes_on_after_the_end,
    "damaged": damages_its_token,
    "silent": falls_silent,
    "reviews": wants_a_review,
    "unanswering": asks_and_falls_silent,
    "approves": wants_an_approval,
    "blocked": is_blocked,
    "delegates": gives_a_part_on,
    HOLDS: holds,
}


def conduct_of(work: Work) -> Callable[[Work], None]:
    return CONDUCTS[work.plan]
