"""A switch that ends a worker before or after any call of any port.

Shared by the scenarios of providers (`test_kill_points`) and of agents of one's own
(`test_agent_kill_points`). Not here: what is played (`driver`), what has to hold then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.driver import Killed

LATEST_SECONDS = 900
"""How much later than without the kill an activity may end."""

_READS = ("read", "get", "find", "list", "describe")


@dataclass(frozen=True)
class PortCall:
    """`invocation`: which worker's it was, counted from the switch's first."""

    name: str
    invocation: int = 0

    def __str__(self) -> str:
        return self.name

    @property
    def is_read(self) -> bool:
        return self.name.partition(".")[2].startswith(_READS)


@dataclass(frozen=True)
class KillPoint:
    """Where a worker dies: before or after the n-th call (from 0) since the switch was armed."""

    number: int
    call: PortCall
    after: bool

    def __str__(self) -> str:
        return f"killed {'after' if self.after else 'before'} call {self.number}, {self.call}"


@dataclass
class KillSwitch:
    """Kills before or after the n-th call (from 0) since it was armed. `wrote`: whether the worker
    that died had changed anything before."""

    kill_at: int | None = None
    after: bool = False
    calls: list[PortCall] = field(default_factory=list)
    armed: bool = False
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens in the middle of things: before the next call of that name, once."""

    fired: bool = False
    wrote: bool = False
    _invocation: int = 0
    _invocations: int = 0

    @classmethod
    def at(cls, point: KillPoint) -> KillSwitch:
        return cls(point.number, point.after)

    def wrap(self, name: str, port: Any) -> Any:
        return _Watched(self, name, port)

    @contextmanager
    def invocation(self) -> Iterator[None]:
        """Whoever calls ports within is one worker: it dies as a whole. They may be nested."""
        outer, self._invocations = self._invocation, self._invocations + 1
        self._invocation = self._invocations
        try:
            yield
        finally:
            self._invocation = outer

    def pass_(self, call: Callable[[], Any], name: str) -> Any:
        if not self.armed:
            return call()
        self.before.pop(name, _nothing)()
        number = len(self.calls)
        self.calls.append(PortCall(name, self._invocation))
        if number == self.kill_at and not self.after:
            self._kill(name)
        try:
            return call()
        finally:  # also where it raised: nobody hears of that either
            if number == self.kill_at and self.after:
                self._kill(name)

    def _kill(self, name: str) -> None:
        self.fired = True
        done = self.calls if self.after else self.calls[:-1]
        self.wrote = any(not each.is_read for each in done if each.invocation == self._invocation)
        raise Killed(name)

    def points(self) -> list[KillPoint]:
        """Of the calls that were noted, those where a kill leaves something else behind.

        Whether a worker dies before or after a read is the same to everybody, so what counts of
        it is its begin and each of its writes. Of workers in a row that make the same calls, as
        the sweeper does while nothing happens, the first and the last count.
        """
        found: list[KillPoint] = []
        repeated = self._repeated()
        for number, call in enumerate(self.calls):
            if call.invocation in repeated:
                continue
            if number == 0 or self.calls[number - 1].invocation != call.invocation:
                found.append(KillPoint(number, call, after=False))
            if not call.is_read:
                found.append(KillPoint(number, call, after=True))
        return found

    def _repeated(self) -> set[int]:
        groups = itertools.groupby(self.calls, key=lambda call: call.invocation)
        made = [(invocation, [call.name for call in calls]) for invocation, calls in groups]
        return {
            made[place][0]
            for place in range(1, len(made) - 1)
            if made[place - 1][1] == made[place][1] == made[place + 1][1]
        }


def _nothing() -> None:
    """In place of what happens before a call."""


class _Watched:
    def __init__(self, switch: KillSwitch, name: str, port: Any) -> None:
        self._switch, self._name, self._port = switch, name, port

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._switch.pass_(
                lambda: getattr(self._port, method)(*args, **kwargs), f"{self._name}.{method}"
            )

        return call
