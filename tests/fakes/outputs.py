"""Outputs in memory; `reads` are the ranges that were asked for."""

from __future__ import annotations

from agentruns.errors import OutputNotFound
from agentruns.outputs import Output


class InMemoryOutputStore:
    def __init__(self) -> None:
        self.texts: dict[tuple[str, str, str], str] = {}
        self.puts = 0
        self.reads: list[tuple[int, int]] = []

    def put(self, tenant: str, output: Output) -> None:
        self.puts += 1
        self.texts[tenant, output.run_id, output.ref.sha256] = output.text

    def read(self, tenant: str, run_id: str, sha256: str, first: int, last: int) -> str:
        self.reads.append((first, last))
        try:
            text = self.texts[tenant, run_id, sha256]
        except KeyError as error:
            raise OutputNotFound(run_id) from error
        return text[first : last + 1]
