"""How an AOP behaves: its phases, the catalogue of ready ones, and the parser for new ones.

A scenario is a list of phases, gone through in order; the last one stays for ever. A phase shows
one status for a number of status reads (`polls`) or for a time (`seconds`).
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from local.emulation.errors import InvalidField, RequestRefused
from local.emulation.fields import Fields
from local.emulation.phases import MAXIMUM_SECONDS, parse_phases
from local.leena_emulator.object_ids import is_object_id, object_id_of_slug

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MAXIMUM_POLLS = 10**9


class AopStatus(StrEnum):
    """The five documented statuses. A scenario may also show any other text, as a surprise."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    PAUSED = "paused"
    ABORTED = "aborted"


_TERMINAL = frozenset({AopStatus.COMPLETED, AopStatus.FAILED, AopStatus.ABORTED})


def is_terminal(status: str) -> bool:
    """True for completed, failed and aborted, by the guide."""
    return status in _TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """`status`, shown for `polls` reads or `seconds`; neither: for ever."""

    status: str
    polls: int | None = None
    seconds: float | None = None

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"status": self.status}
        if self.polls is not None:
            document["polls"] = self.polls
        if self.seconds is not None:
            document["seconds"] = self.seconds
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Aop:
    """An AOP as the emulator knows it. `is_executable` false: execute answers 400."""

    aop_id: str
    phases: tuple[Phase, ...]
    description: str = ""
    is_executable: bool = True
    has_run_id: bool = True

    @property
    def object_id(self) -> str:
        return object_id_of_slug(self.aop_id)

    def as_document(self) -> dict[str, Any]:
        return {
            "aop_id": self.aop_id,
            "object_id": self.object_id,
            "description": self.description,
            "phases": [phase.as_document() for phase in self.phases],
            "executable": self.is_executable,
            "null_run_id": not self.has_run_id,
        }


def _polls(status: str, polls: int) -> Phase:
    return Phase(status=status, polls=polls)


def _seconds(status: str, seconds: float) -> Phase:
    return Phase(status=status, seconds=seconds)


def _aop(aop_id: str, description: str, *phases: Phase, **flags: bool) -> Aop:
    return Aop(aop_id=aop_id, description=description, phases=phases, **flags)


_IN_PROGRESS = AopStatus.IN_PROGRESS
_PAUSED = AopStatus.PAUSED
_COMPLETED = Phase(status=AopStatus.COMPLETED)
_FAILED = Phase(status=AopStatus.FAILED)
_ABORTED = Phase(status=AopStatus.ABORTED)

READY_AOPS: tuple[Aop, ...] = (
    _aop(
        "it_support_ticket_creation",
        "works, waits for an approval, works on, completes",
        _polls(_IN_PROGRESS, 2),
        _polls(_PAUSED, 2),
        _polls(_IN_PROGRESS, 1),
        _COMPLETED,
    ),
    _aop("aop-1", "the AOP of the guide's example", _polls(_IN_PROGRESS, 2), _COMPLETED),
    _aop("completes_at_once", "completed at the first status read", _COMPLETED),
    _aop("completes_after_3_polls", "completed at read 4", _polls(_IN_PROGRESS, 3), _COMPLETED),
    _aop("completes_after_5_seconds", "by the clock", _seconds(_IN_PROGRESS, 5), _COMPLETED),
    _aop("completes_after_30_seconds", "by the clock", _seconds(_IN_PROGRESS, 30), _COMPLETED),
    _aop(
        "pauses_then_completes",
        "1 read in progress, 3 paused, 1 in progress",
        _polls(_IN_PROGRESS, 1),
        _polls(_PAUSED, 3),
        _polls(_IN_PROGRESS, 1),
        _COMPLETED,
    ),
    _aop(
        "pauses_for_10_seconds",
        "by the clock",
        _seconds(_IN_PROGRESS, 2),
        _seconds(_PAUSED, 10),
        _seconds(_IN_PROGRESS, 2),
        _COMPLETED,
    ),
    _aop(
        "pauses_then_aborts",
        "a person says no",
        _polls(_IN_PROGRESS, 1),
        _polls(_PAUSED, 2),
        _ABORTED,
    ),
    _aop("fails", "failed at read 3", _polls(_IN_PROGRESS, 2), _FAILED),
    _aop("fails_at_once", "failed at the first status read", _FAILED),
    _aop("aborts", "aborted at read 3", _polls(_IN_PROGRESS, 2), _ABORTED),
    _aop(
        "unknown_status_then_completes",
        "shows a status that the guide does not name",
        _polls(_IN_PROGRESS, 1),
        _polls("awaiting_reassignment", 2),
        _COMPLETED,
    ),
    _aop("never_ends", "in progress for ever", Phase(status=_IN_PROGRESS)),
    _aop(
        "stays_paused",
        "paused for ever after 1 read",
        _polls(_IN_PROGRESS, 1),
        Phase(status=_PAUSED),
    ),
    _aop("cannot_be_executed", "execute answers 400", _COMPLETED, is_executable=False),
    _aop(
        "null_run_id",
        "execute answers run_id null",
        _polls(_IN_PROGRESS, 1),
        _COMPLETED,
        has_run_id=False,
    ),
)


class AopCatalogue:
    """The AOPs that can be executed, by slug or ObjectId. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_slug: dict[str, Aop] = {}
        self._slug_by_object_id: dict[str, str] = {}
        self.restore_ready_ones()

    def restore_ready_ones(self) -> None:
        with self._lock:
            self._by_slug = {aop.aop_id: aop for aop in READY_AOPS}
            self._slug_by_object_id = {aop.object_id: aop.aop_id for aop in READY_AOPS}

    def find(self, aop_id: str) -> Aop | None:
        with self._lock:
            slug = self._slug_by_object_id.get(aop_id.lower(), aop_id)
            return self._by_slug.get(slug)

    def get(self, aop_id: str) -> Aop:
        """Raises RequestRefused 404."""
        aop = self.find(aop_id)
        if aop is None:
            raise RequestRefused(404, f"AOP {aop_id} not found")
        return aop

    def define(self, aop: Aop) -> bool:
        """Adds or replaces it; true if its slug was new. Items under way keep their old phases."""
        with self._lock:
            is_new = aop.aop_id not in self._by_slug
            self._by_slug[aop.aop_id] = aop
            self._slug_by_object_id[aop.object_id] = aop.aop_id
        return is_new

    def all(self) -> list[Aop]:
        with self._lock:
            return list(self._by_slug.values())

    def define_from_document(self, aop_id: str, document: Any) -> tuple[Aop, bool]:
        """Defines from the body of `PUT /_emulator/aops/{aop_id}`. Raises InvalidField."""
        known = self.find(aop_id)
        slug = known.aop_id if known else aop_id
        aop = replace(parse_aop(document), aop_id=slug)
        if known is None and (is_object_id(slug) or not _SLUG.fullmatch(slug)):
            raise InvalidField(
                "aop_id", "must be a slug of letters, digits, '_', '.', '-', at most 100 long"
            )
        return aop, self.define(aop)


def parse_aop(document: Any) -> Aop:
    """The body of a definition, as an AOP that has no id yet. Raises InvalidField."""
    fields = Fields(document)
    fields.refuse_unknown(("phases", "description", "executable", "null_run_id"))
    return Aop(
        aop_id="",
        phases=parse_phases(fields, "{status, polls | seconds}", _parse_phase),
        description=fields.text("description", "defined by PUT"),
        is_executable=fields.boolean("executable", True),
        has_run_id=not fields.boolean("null_run_id", False),
    )


def _parse_phase(fields: Fields, is_last: bool) -> Phase:
    fields.refuse_unknown(("status", "polls", "seconds"))
    has_polls, has_seconds = "polls" in fields, "seconds" in fields
    if has_polls and has_seconds:
        raise InvalidField(fields.name_of("seconds"), "give either polls or seconds, not both")
    if not (is_last or has_polls or has_seconds):
        raise InvalidField(fields.name_of("polls"), "give polls or seconds; only the last may stay")
    return Phase(
        status=fields.text("status"),
        polls=fields.integer("polls", low=1, high=_MAXIMUM_POLLS) if has_polls else None,
        seconds=fields.number("seconds", low=0, high=MAXIMUM_SECONDS) if has_seconds else None,
    )
