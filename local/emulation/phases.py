"""A scenario as a control body has it: a list of phases, gone through in order; the last one stays.

Not here: what a phase is, and how long it lasts, which differs between the emulators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from local.emulation.errors import InvalidField
from local.emulation.fields import Fields, require_list

MAXIMUM_SECONDS = 10.0 * 365 * 24 * 3600
_MAXIMUM_PHASES = 100

Phase = TypeVar("Phase")


def parse_phases(
    fields: Fields, form: str, parse_phase: Callable[[Fields, bool], Phase]
) -> tuple[Phase, ...]:
    """The member `phases`. `form`: how a phase is written; `parse_phase` gets its fields, and
    whether it is the last one. Raises InvalidField."""
    if "phases" not in fields:
        raise InvalidField("phases", f"is required: a list of {form}")
    documents = require_list(fields.value("phases"), "phases")
    if not 1 <= len(documents) <= _MAXIMUM_PHASES:
        raise InvalidField("phases", f"must have 1 to {_MAXIMUM_PHASES} phases")
    last = len(documents) - 1
    return tuple(
        parse_phase(Fields(document, f"phases[{index}]"), index == last)
        for index, document in enumerate(documents)
    )
