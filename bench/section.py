"""A measured figure as it is printed: method, table, verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """`rows` have a cell per column. `missed`: the targets that were missed, in words."""

    title: str
    method: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    missed: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        """The section as text, without colours."""
        yield self.title
        yield "-" * len(self.title)
        yield from textwrap.wrap(self.method, WIDTH)
        yield ""
        widths = [
            max(len(cells[index]) for cells in (self.columns, *self.rows))
            for index in range(len(self.columns))
        ]
        for cells in (self.columns, ["-" * width for width in widths], *self.rows):
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            yield ("  " + "  ".join(padded)).rstrip()
        yield ""
        for target in self.missed:
            yield f"  MISSED: {target}"


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"
