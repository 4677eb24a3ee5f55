"""What a run gives back, as text: JSON in ASCII, so that a character is a byte and a range of bytes
cuts none; and where that text goes.

Small ones stand in the run's row. A row has 400 KB with all else that is in it, so what is larger
is an object of its own, named by its hash: putting it again changes nothing, and no delivery can
put another's in its place. Not here: storing it (`ports.OutputStore`), which evidence decides
(`lifecycle`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

ROW_LIMIT_BYTES = 300 * 1024
"""Of an output in its run's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRef:
    """Which text it is: SHA-256 in hexadecimal, and its length in bytes."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The text itself, of the run it belongs to."""

    run_id: str
    text: str
    ref: OutputRef

    @property
    def fits_row(self) -> bool:
        return self.ref.size_bytes <= ROW_LIMIT_BYTES


class OutputStore(Protocol):
    """Outputs that stand in no row. A port, here since `model` speaks of what it stores."""

    def put(self, tenant: str, output: Output) -> None:
        """Again is as good as once."""

    def read(self, tenant: str, run_id: str, sha256: str, first: int, last: int) -> str:
        """The bytes from `first` to `last`, both included and both in it, and no others are
        fetched. OutputNotFound."""


def output_of(run_id: str, value: Any) -> Output | None:
    """None where there is none: JSON's null says as much."""
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    sha256 = hashlib.sha256(text.encode("ascii")).hexdigest()
    return Output(run_id=run_id, text=text, ref=OutputRef(sha256=sha256, size_bytes=len(text)))
