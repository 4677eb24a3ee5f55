"""Where a run's output stands: in its row, or in the output store; and reading it from there.

What came too late to decide is kept too: always in the store, named by the run's evidence. Not
here: HTTP and its ranges (`api.outputs`), storing (`ports.ActivityStore`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentruns.errors import OutputNotFound
from agentruns.outputs import Output, OutputRef, OutputStore, output_of
from agentruns.wake import text_of

if TYPE_CHECKING:
    from agentruns.model import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOutput:
    """Where an output goes: into the row (`in_row`), or into the store, with a reference to it on
    the run (`large_ref`) or on its evidence (`late_ref`)."""

    in_row: Any = None
    large_ref: OutputRef | None = None
    late_ref: OutputRef | None = None
    to_store: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableOutput:
    """An output that is there, read piece by piece."""

    ref: OutputRef
    run: Run
    in_row: Output | None
    outputs: Callable[[], OutputStore]

    def read(self, first: int, last: int) -> str:
        """The bytes from `first` to `last`, both included and both in it. OutputNotFound where the
        object was removed from its store."""
        if self.in_row is not None:
            return self.in_row.text[first : last + 1]
        tenant, run_id = self.run.tenant, self.run.run_id
        return self.outputs().read(tenant, run_id, self.ref.sha256, first, last)

    def read_all(self) -> str:
        return self.read(0, self.ref.size_bytes - 1)


def keep_output(run: Run, value: Any) -> KeptOutput:
    """Of what was told of the run, which decides unless the run has ended."""
    output = output_of(run.run_id, value)
    if output is None:
        return KeptOutput()
    if run.status.is_terminal:
        is_known = output.ref in refs_of(run)
        return KeptOutput(late_ref=output.ref, to_store=() if is_known else (output,))
    if output.fits_row:
        return KeptOutput(in_row=value)
    return KeptOutput(large_ref=output.ref, to_store=(output,))


def find_output(
    outputs: Callable[[], OutputStore], run: Run, sha256: str | None = None
) -> ReadableOutput:
    """The run's output, or the one of that hash which the run's row names. OutputNotFound.

    `outputs` is asked for where it is read and does not stand in the row.
    """
    in_row = output_of(run.run_id, run.output)
    for ref in refs_of(run):
        if sha256 in {None, ref.sha256}:
            is_in_row = in_row is not None and in_row.ref == ref
            own = in_row if is_in_row else None
            return ReadableOutput(ref=ref, run=run, in_row=own, outputs=outputs)
    raise OutputNotFound(run.run_id)


def read_text(outputs: Callable[[], OutputStore], run: Run) -> str | None:
    """A run's output as text, also where it is too large for its row; None where it has none."""
    if own_ref(run) is None:
        return None
    return text_of(json.loads(find_output(outputs, run).read_all()))


def own_ref(run: Run) -> OutputRef | None:
    """Of what the run ended with; None where that was nothing."""
    in_row = output_of(run.run_id, run.output)
    return run.output_ref if in_row is None else in_row.ref


def refs_of(run: Run) -> tuple[OutputRef, ...]:
    """Of all that the run's row names: its own, then what came late, each once."""
    named = (own_ref(run), *(each.output for each in run.evidence))
    return tuple(dict.fromkeys(ref for ref in named if ref is not None))
