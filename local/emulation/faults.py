"""The script of faults: which request is treated badly, how, and how often.

Only decides. What a fault does to an answer is `misbehaviour`, what it does to a socket is
`http_server`. An emulator's vocabulary says what can be struck and which further kinds it has.
Rules are tried in order; the first that matches and is due fires, one per request.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.emulation.errors import InvalidField
from local.emulation.fields import Fields, require_list

ANY_OPERATION = "*"
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_MAXIMUM_SECONDS = 24 * 3600.0
_MAXIMUM_RULES = 1000
_MEBIBYTE = 1024 * 1024


class FaultKind(StrEnum):
    """The ways in which any request can be treated badly, described in docs/leena-emulator.md."""

    STATUS = "status"
    HANG = "hang"
    DELAY = "delay"
    RESET = "reset"
    DROP_AFTER_ACCEPT = "drop_after_accept"
    HTML = "html"
    EMPTY = "empty"
    BROKEN_JSON = "broken_json"
    WRONG_TYPES = "wrong_types"
    EXTRA_FIELDS = "extra_fields"
    SLOW_DRIP = "slow_drip"
    HUGE = "huge"
    GZIP_BOMB = "gzip_bomb"
    REDIRECT = "redirect"


_CHOOSES_ACCEPT = frozenset(
    {
        FaultKind.STATUS,
        FaultKind.HANG,
        FaultKind.RESET,
        FaultKind.HTML,
        FaultKind.EMPTY,
        FaultKind.REDIRECT,
    }
)
"""Kinds that can strike before the request is handled (the default) or after it."""

_DEFAULT_SECONDS = {FaultKind.HANG: 3600.0, FaultKind.DELAY: 1.0, FaultKind.SLOW_DRIP: 1.0}
_DEFAULT_BYTES = {FaultKind.HUGE: 16 * _MEBIBYTE, FaultKind.GZIP_BOMB: 64 * _MEBIBYTE}
_DEFAULT_STATUS = {FaultKind.HTML: 200, FaultKind.EMPTY: 200, FaultKind.REDIRECT: 302}
_TAKES_STATUS = frozenset({FaultKind.STATUS, *_DEFAULT_STATUS})
_RULE_FIELDS = ("operation", "kind", "times", "probability", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKind:
    """A fault that one emulator alone has, and what it strikes.

    `seconds` and `size_bytes` are the defaults of the fields `seconds` and `bytes`; None: it has
    no such field.
    """

    operations: frozenset[str]
    accept: bool = True
    seconds: float | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultVocabulary:
    """What a rule of one emulator can say.

    `requests`: the operations that every `FaultKind` can strike. `subject_name`: the field that
    restricts a rule to one AOP or workflow; `find_subject` gives its one name, None if unknown.
    """

    requests: tuple[str, ...]
    own_kinds: Mapping[str, OwnKind]
    subject_name: str
    find_subject: Callable[[str], str | None]

    @property
    def kinds(self) -> list[str]:
        return [*FaultKind, *self.own_kinds]

    @property
    def operations(self) -> list[str]:
        further = {name for own in self.own_kinds.values() for name in own.operations}
        return [*self.requests, *sorted(further - set(self.requests))]

    def struck_by(self, kind: str, operation: str) -> frozenset[str]:
        """The operations that a rule of this kind and operation strikes; may be empty."""
        own = self.own_kinds.get(kind)
        possible = own.operations if own else frozenset(self.requests)
        return possible if operation == ANY_OPERATION else possible & {operation}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule. `accept`: the request is handled (and in the ledger) before the fault strikes.

    `strikes`: the operations it applies to; `own_fields`: the fields that its kind takes.
    `times` and `probability` limit it, each alone or both; with neither it always fires.
    `seconds`: the length of a hang or delay, or the pause before each byte of a slow drip.
    `size_bytes`: of the body after decoding. Build by `fault_rule` to have defaults filled in.
    """

    operation: str
    strikes: frozenset[str]
    own_fields: frozenset[str]
    kind: str
    accept: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    size_bytes: int = 0
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    subject_name: str = ""
    subject: str | None = None

    def applies_to(self, operation: str, subject: str | None) -> bool:
        return operation in self.strikes and self.subject in (None, subject)

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"operation": self.operation, "kind": str(self.kind)}
        fields = {
            "status": self.status,
            "headers": self.headers,
            "accept": self.accept,
            "seconds": self.seconds,
            "bytes": self.size_bytes,
        }
        document |= {name: fields[name] for name in fields if name in self.own_fields}
        for name in ("times", "probability"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
        if self.subject is not None:
            document[self.subject_name] = self.subject
        if self.probability is not None:
            document["seed"] = self.seed
        return document


@dataclass(slots=True)
class _Scripted:
    """A rule in the script, with its own random numbers and its counts."""

    rule_id: int
    rule: FaultRule
    draws: random.Random
    matched: int = 0
    fired: int = 0

    def is_due(self) -> bool:
        self.matched += 1
        rule = self.rule
        if rule.times is not None and self.fired >= rule.times:
            return False
        # Drawn on each match, so that the n-th matching request meets the same luck in every run.
        return rule.probability is None or self.draws.random() < rule.probability


@dataclass(frozen=True, slots=True)
class DueFault:
    """A rule that fires on the request at hand."""

    rule_id: int
    rule: FaultRule


class FaultScript:
    """The rules in force. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripted: list[_Scripted] = []
        self._last_rule_id = 0

    def add(self, *rules: FaultRule) -> list[int]:
        """Appends; gives the ids of the new rules."""
        with self._lock:
            return [self._append(rule) for rule in rules]

    def replace(self, *rules: FaultRule) -> list[int]:
        with self._lock:
            self._scripted = []
            return [self._append(rule) for rule in rules]

    def clear(self) -> None:
        self.replace()

    def take(self, operation: str, subject: str | None) -> DueFault | None:
        """The fault for this request, counted as fired; None: treat it well."""
        with self._lock:
            for scripted in self._scripted:
                if scripted.rule.applies_to(operation, subject) and scripted.is_due():
                    scripted.fired += 1
                    return DueFault(scripted.rule_id, scripted.rule)
        return None

    def give_back(self, due: DueFault) -> None:
        """The fault did not come about, because the request was refused on its own account."""
        with self._lock:
            for scripted in self._scripted:
                if scripted.rule_id == due.rule_id:
                    scripted.fired -= 1

    def fired(self) -> int:
        """How often any rule in force has fired."""
        with self._lock:
            return sum(scripted.fired for scripted in self._scripted)

    def as_documents(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {
                    "id": scripted.rule_id,
                    **scripted.rule.as_document(),
                    "matched": scripted.matched,
                    "fired": scripted.fired,
                }
                for scripted in self._scripted
            ]

    def _append(self, rule: FaultRule) -> int:
        self._last_rule_id += 1
        # The seed alone decides, not the id: the same script after a clear repeats its luck.
        draws = random.Random(rule.seed)  # noqa: S311  # repeatable faults, no secrets
        self._scripted.append(_Scripted(self._last_rule_id, rule, draws))
        return self._last_rule_id


def fault_rule(vocabulary: FaultVocabulary, document: Any, path: str = "") -> FaultRule:
    """A rule from the fields that the control endpoint takes. Raises InvalidField."""
    fields = Fields(document, path)
    kind = fields.one_of("kind", vocabulary.kinds)
    own = vocabulary.own_kinds.get(kind)
    own_fields = _fields_of_own(own) if own else _own_fields(FaultKind(kind))
    fields.refuse_unknown({*_RULE_FIELDS, vocabulary.subject_name, *own_fields})
    operation = fields.one_of("operation", [*vocabulary.operations, ANY_OPERATION], ANY_OPERATION)
    strikes = vocabulary.struck_by(kind, operation)
    if not strikes:
        possible = ", ".join(sorted(vocabulary.struck_by(kind, ANY_OPERATION)))
        raise InvalidField(fields.name_of("operation"), f"{kind} is for {possible} only")
    seconds, size_bytes = _default_sizes(kind, own)
    return FaultRule(
        operation=operation,
        strikes=strikes,
        own_fields=own_fields,
        kind=kind,
        accept=own.accept if own else _parse_accept(fields, FaultKind(kind)),
        status=_parse_status(fields, kind) if kind in _TAKES_STATUS else 0,
        headers=fields.header_map("headers"),
        seconds=fields.number("seconds", seconds, low=0, high=_MAXIMUM_SECONDS),
        size_bytes=fields.integer("bytes", size_bytes, low=0, high=2**40),
        times=fields.integer("times", low=1, high=10**9) if "times" in fields else None,
        probability=(
            fields.number("probability", low=0, high=1) if "probability" in fields else None
        ),
        seed=fields.integer("seed", 0, low=0, high=2**63),
        subject_name=vocabulary.subject_name,
        subject=_parse_subject(fields, vocabulary),
    )


def parse_fault_rules(vocabulary: FaultVocabulary, document: Any) -> list[FaultRule]:
    """The body of `POST /_emulator/faults`: a list of rules. Raises InvalidField."""
    documents = require_list(document, "body")
    if len(documents) > _MAXIMUM_RULES:
        raise InvalidField("body", f"has {len(documents)} rules, more than {_MAXIMUM_RULES}")
    return [fault_rule(vocabulary, rule, f"[{index}]") for index, rule in enumerate(documents)]


def _own_fields(kind: FaultKind) -> frozenset[str]:
    """The fields that only some kinds take."""
    names = set()
    if kind in _TAKES_STATUS:
        names |= {"status", "headers"}
    if kind in _CHOOSES_ACCEPT:
        names.add("accept")
    if kind in _DEFAULT_SECONDS:
        names.add("seconds")
    if kind in _DEFAULT_BYTES:
        names.add("bytes")
    return frozenset(names)


def _fields_of_own(own: OwnKind) -> frozenset[str]:
    names = {"seconds"} if own.seconds is not None else set()
    return frozenset(names | ({"bytes"} if own.size_bytes is not None else set()))


def _default_sizes(kind: str, own: OwnKind | None) -> tuple[float, int]:
    """Seconds and bytes that a rule of this kind has when it does not say."""
    if own:
        return own.seconds or 0.0, own.size_bytes or 0
    return _DEFAULT_SECONDS.get(FaultKind(kind), 0.0), _DEFAULT_BYTES.get(FaultKind(kind), 0)


def _parse_accept(fields: Fields, kind: FaultKind) -> bool:
    return fields.boolean("accept", False) if kind in _CHOOSES_ACCEPT else True


def _parse_status(fields: Fields, kind: str) -> int:
    if kind == FaultKind.STATUS and "status" not in fields:
        raise InvalidField(fields.name_of("status"), "is required for kind status, e.g. 429")
    status = fields.integer("status", _DEFAULT_STATUS.get(FaultKind(kind)), low=200, high=599)
    if kind == FaultKind.REDIRECT and status not in _REDIRECT_STATUSES:
        raise InvalidField(fields.name_of("status"), f"must be one of {_REDIRECT_STATUSES}")
    if status in (204, 304):
        raise InvalidField(fields.name_of("status"), f"{status} has no body; take another")
    return status


def _parse_subject(fields: Fields, vocabulary: FaultVocabulary) -> str | None:
    name = vocabulary.subject_name
    if name not in fields:
        return None
    wanted = fields.text(name)
    subject = vocabulary.find_subject(wanted)
    if subject is None:
        raise InvalidField(fields.name_of(name), f"no {name} {wanted} is defined here")
    return subject
