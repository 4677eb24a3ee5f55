"""How many requests a connection may still send this minute: decided from one small row.

Pure: a state, what is asked and the time give an answer and the next state. Not here: keeping
states (`ports.BudgetStore`), asking around a call (`budgeting`).

The row counts what was let through by the second, and a request counts until every minute that can
hold it is over: its second, 60 more, and 2 for clocks that differ and for its way to the provider.
So no 60 s, wherever they begin, see more than the budget.

Starts and looks leave each other a fifth, so neither starves the other. Whoever gets nothing is
told when to come again, each of them later than the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MOST_REQUESTS_PER_MINUTE = 60_000

MARGIN_SECONDS = 2
"""For clocks that differ and requests that arrive later than they were let through, together."""

COUNTED_SECONDS = 1 + 60 + MARGIN_SECONDS
_KEPT_SECONDS = COUNTED_SECONDS + MARGIN_SECONDS
"""A container whose clock is behind may still need what one that is ahead does not."""

LONGEST_WAIT_SECONDS = 300.0
"""As long as a planned look or start heeds at most (`polling.MAX_RETRY_AFTER_SECONDS`)."""

_LONGEST = timedelta(seconds=LONGEST_WAIT_SECONDS)


class Use(StrEnum):
    """What a request is for."""

    START = "start"
    LOOK = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was let through in one second. `second` is since 1970."""

    second: int
    starts: int = 0
    looks: int = 0

    def of(self, use: Use) -> int:
        return self.starts if use is Use.START else self.looks


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget as stored; version 0 is one that was never used. Times are aware UTC.

    `limit`: the requests per minute that the waits were reckoned with. `starts_told`,
    `looks_told`: the latest time that a start, a look was told to come again. `last`: what was let
    through last.
    """

    tenant: str
    connection: str
    version: int = 0
    limit: int = 0
    sent: tuple[Sent, ...] = ()
    starts_told: datetime | None = None
    looks_told: datetime | None = None
    last: Use | None = None

    def told(self, use: Use) -> datetime | None:
        return self.starts_told if use is Use.START else self.looks_told


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`is_granted`: send at `at`, now or a moment later. Otherwise send nothing, ask again then.

    `state` is to be stored first; it is the one that was given where nothing changes.
    """

    is_granted: bool
    at: datetime
    state: BudgetState


def share_of(limit: int) -> int:
    """The most of a minute's requests that starts alone, or looks alone, may take."""
    return max(1, limit - max(1, limit // 5))


def ask(
    state: BudgetState,
    use: Use,
    limit: int,
    now: datetime,
    *,
    patience_seconds: float,
    spread: float,
) -> Verdict:
    """May one more be sent? `patience_seconds`: how long the asker would wait for it on the spot.

    The first to be refused is told when there is room, each further one later by what its share
    takes. `spread`, 0.5 to 1: those beyond the longest wait come back within its second half.
    """
    seen = _current(state, limit, now)
    free = next(second for second in _candidates(seen, use, now) if _fits(seen, use, second))
    at = max(now, _time(free))
    if at <= now + timedelta(seconds=patience_seconds):
        return Verdict(is_granted=True, at=at, state=_let_through(seen, use, free))
    told = seen.told(use)
    if told is not None and told >= now:
        at = max(at, told + _apart(seen, use, now))
    if at > now + _LONGEST:
        return Verdict(is_granted=False, at=now + _LONGEST * spread, state=state)
    following = replace(seen, starts_told=at) if use is Use.START else replace(seen, looks_told=at)
    return Verdict(is_granted=False, at=at, state=following)


def _candidates(state: BudgetState, use: Use, now: datetime) -> list[int]:
    """From when on there may be room: now, when a second counts no more, when a turn is over."""
    changes = {each.second + COUNTED_SECONDS for each in state.sent}
    told = state.told(_other(use))
    if told is not None:
        changes.add(_second(told) + COUNTED_SECONDS + 1)
    first = _second(now)
    return [first, *sorted(each for each in changes if each > first)]


def _apart(state: BudgetState, use: Use, now: datetime) -> timedelta:
    turns = 2 if state.limit == 1 and _is_awaited(state, _other(use), now) else 1
    return timedelta(seconds=turns * COUNTED_SECONDS / share_of(state.limit))


def _current(state: BudgetState, limit: int, now: datetime) -> BudgetState:
    """Without what counts no more. Waits of another limit are no measure for this one's."""
    oldest = _second(now) - _KEPT_SECONDS
    sent = tuple(each for each in state.sent if each.second > oldest)
    if limit == state.limit:
        return replace(state, sent=sent)
    return replace(state, sent=sent, limit=limit, starts_told=None, looks_told=None)


def _fits(state: BudgetState, use: Use, second: int) -> bool:
    """Every minute that would count this one has room for it, also those that end later."""
    if state.limit == 1 and state.last is use and _is_awaited(state, _other(use), _time(second)):
        return False  # one request leaves no fifth to leave: they take turns, where both wait
    latest = max((each.second for each in state.sent), default=second)
    return all(_has_room(state, use, end) for end in range(second, max(second, latest) + 1))


def _has_room(state: BudgetState, use: Use, end: int) -> bool:
    counted = [each for each in state.sent if end - COUNTED_SECONDS < each.second <= end]
    if sum(each.starts + each.looks for each in counted) >= state.limit:
        return False
    return sum(each.of(use) for each in counted) < share_of(state.limit)


def _is_awaited(state: BudgetState, use: Use, at: datetime) -> bool:
    """Somebody was told to come then, and has a minute to do so: looks are the minute tick's."""
    told = state.told(use)
    return told is not None and told + timedelta(seconds=COUNTED_SECONDS) > at


def _other(use: Use) -> Use:
    return Use.LOOK if use is Use.START else Use.START


def _let_through(state: BudgetState, use: Use, second: int) -> BudgetState:
    sent = {each.second: each for each in state.sent}
    before = sent.get(second, Sent(second=second))
    if use is Use.START:
        sent[second] = replace(before, starts=before.starts + 1)
    else:
        sent[second] = replace(before, looks=before.looks + 1)
    in_order = tuple(sent[each] for each in sorted(sent))
    return replace(state, sent=in_order, last=use)


def _second(at: datetime) -> int:
    return int(at.timestamp() // 1)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
