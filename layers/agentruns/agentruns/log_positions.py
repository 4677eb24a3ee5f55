"""Where a reader of a run's log stands, as text: `<event>`, or `<event>.<number>` of the text too.

A position is no place in one list but what was given: the events up to one, the deltas up to one,
and which of those were declared missing. So whatever comes late, or out of order, a reader that
comes back is given exactly what it has not seen. The numbers that are missing are a bit set behind
a `~`. Not here: what comes next (`deltas`).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace

LARGEST_NUMBER = 10_000
"""Of a delta: an agent's `sequenceNum`."""

NO_NUMBER = -1
LARGEST_EVENT = 2**53
NO_POSITION = "is not a position of this log"
LONGEST_TEXT = 1_800
"""16 digits, 5, 5, and 1,668 characters for 10,001 bits."""

_POSITION = re.compile(
    r"([0-9]{1,16})(?:\.([0-9]{1,5})(?:~([0-9]{1,5})\.([A-Za-z0-9_-]{1,1668}))?)?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """`event`: the last event given; `number`: the last delta given or declared missing; `missing`:
    bit n is 1 where number n was passed over and has not come since."""

    event: int = 0
    number: int = NO_NUMBER
    missing: int = 0

    @classmethod
    def parse(cls, text: str) -> LogPosition:
        """ValueError where it is none that `text` gave."""
        match = _POSITION.match(text)
        if match is None:
            raise ValueError(NO_POSITION)
        event, number, first, bits = match.groups()
        position = cls(
            event=int(event),
            number=NO_NUMBER if number is None else int(number),
            missing=0 if bits is None else _read_bits(bits) << int(first),
        )
        is_known = position.event <= LARGEST_EVENT and position.number <= LARGEST_NUMBER
        if not is_known or position.missing >> position.number + 1:
            raise ValueError(NO_POSITION)
        return position

    @property
    def text(self) -> str:
        if self.number == NO_NUMBER:
            return str(self.event)
        if not self.missing:
            return f"{self.event}.{self.number}"
        first = (self.missing & -self.missing).bit_length() - 1
        return f"{self.event}.{self.number}~{first}.{_write_bits(self.missing >> first)}"

    def after_event(self, sequence: int) -> LogPosition:
        return replace(self, event=max(self.event, sequence))

    def after_number(self, number: int) -> LogPosition:
        return replace(self, number=number)

    def after_late(self, number: int) -> LogPosition:
        return replace(self, missing=self.missing & ~(1 << number))

    def without(self, first: int, last: int) -> LogPosition:
        """The numbers from `first` to `last` are missing."""
        passed = ((1 << (last - first + 1)) - 1) << first
        return replace(self, number=last, missing=self.missing | passed)

    def missing_ranges(self) -> tuple[tuple[int, int], ...]:
        """First and last of each, ascending."""
        found, bits, offset = [], self.missing, 0
        while bits:
            zeros = (bits & -bits).bit_length() - 1
            bits, first = bits >> zeros, offset + zeros
            ones = (~bits & (bits + 1)).bit_length() - 1
            found.append((first, first + ones - 1))
            bits, offset = bits >> ones, first + ones
        return tuple(found)


def _write_bits(bits: int) -> str:
    octets = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _read_bits(text: str) -> int:
    """Padded with as much as any length needs: `_write_bits` left it away."""
    try:
        return int.from_bytes(base64.urlsafe_b64decode(f"{text}=="), "little")
    except binascii.Error as error:
        raise ValueError(NO_POSITION) from error
