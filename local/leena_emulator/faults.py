"""The script of faults: which request is treated badly, how, and how often.

Only decides. What a fault does to an answer is `misbehaviour`, what it does to a socket is
`http_server`. Rules are tried in order; the first that matches and is due fires, one per request.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.leena_emulator.errors import InvalidField
from local.leena_emulator.fields import Fields, require_list
from local.leena_emulator.ledger import Operation
from local.leena_emulator.scenarios import AopCatalogue

ANY_OPERATION = "*"
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)
_MAXIMUM_SECONDS = 24 * 3600.0
_MAXIMUM_RULES = 1000
_MEBIBYTE = 1024 * 1024


class FaultKind(StrEnum):
    """The ways in which a request can be treated badly; docs/leena-emulator.md describes each."""

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
    NULL_RUN_ID = "null_run_id"
    SLOW_DRIP = "slow_drip"
    HUGE = "huge"
    GZIP_BOMB = "gzip_bomb"
    REDIRECT = "redirect"
    REVOKE_TOKEN = "revoke_token"  # the name of a fault, not a password


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
_RULE_FIELDS = ("operation", "kind", "aop_id", "times", "probability", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """One rule. `accept`: the request is handled (and in the ledger) before the fault strikes.

    `times` and `probability` limit it, each alone or both; with neither it always fires.
    `seconds`: the length of a hang or delay, or the pause before each byte of a slow drip.
    `size_bytes`: of the body after decoding. Build by `fault_rule` to have defaults filled in.
    """

    operation: str
    kind: FaultKind
    accept: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    size_bytes: int = 0
    times: int | None = None
    probability: float | None = None
    seed: int = 0
    aop_id: str | None = None

    def applies_to(self, operation: Operation, aop_id: str | None) -> bool:
        if self.operation not in (ANY_OPERATION, operation):
            return False
        if self.kind is FaultKind.NULL_RUN_ID and operation is not Operation.EXECUTE:
            return False
        return self.aop_id is None or self.aop_id == aop_id

    def as_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"operation": self.operation, "kind": self.kind.value}
        document |= {name: getattr(self, name) for name in _own_fields(self.kind) - {"bytes"}}
        if self.kind in _DEFAULT_BYTES:
            document["bytes"] = self.size_bytes
        for name in ("times", "probability", "aop_id"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
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

    def take(self, operation: Operation, aop_id: str | None) -> DueFault | None:
        """The fault for this request, counted as fired; None: treat it well."""
        with self._lock:
            for scripted in self._scripted:
                if scripted.rule.applies_to(operation, aop_id) and scripted.is_due():
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


def fault_rule(catalogue: AopCatalogue | None = None, /, **document: Any) -> FaultRule:
    """A rule from the same fields that the control endpoint takes. Raises InvalidField."""
    return _parse_rule(Fields(document), catalogue)


def parse_fault_rules(document: Any, catalogue: AopCatalogue) -> list[FaultRule]:
    """The body of `POST /_emulator/faults`: a list of rules. Raises InvalidField."""
    documents = require_list(document, "body")
    if len(documents) > _MAXIMUM_RULES:
        raise InvalidField("body", f"has {len(documents)} rules, more than {_MAXIMUM_RULES}")
    return [
        _parse_rule(Fields(rule, f"[{index}]"), catalogue) for index, rule in enumerate(documents)
    ]


def _own_fields(kind: FaultKind) -> set[str]:
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
    return names


def _parse_rule(fields: Fields, catalogue: AopCatalogue | None) -> FaultRule:
    kind = FaultKind(fields.one_of("kind", [kind.value for kind in FaultKind]))
    own_fields = _own_fields(kind)
    fields.refuse_unknown({*_RULE_FIELDS, *own_fields})
    operation = fields.one_of("operation", [*Operation, ANY_OPERATION], ANY_OPERATION)
    if kind is FaultKind.NULL_RUN_ID and operation not in (ANY_OPERATION, Operation.EXECUTE):
        raise InvalidField(fields.name_of("operation"), "must be execute for null_run_id")
    return FaultRule(
        operation=operation,
        kind=kind,
        accept=_parse_accept(fields, kind),
        status=_parse_status(fields, kind) if "status" in own_fields else 0,
        headers=fields.header_map("headers"),
        seconds=fields.number(
            "seconds", _DEFAULT_SECONDS.get(kind, 0.0), low=0, high=_MAXIMUM_SECONDS
        ),
        size_bytes=fields.integer("bytes", _DEFAULT_BYTES.get(kind, 0), low=0, high=2**40),
        times=fields.integer("times", low=1, high=10**9) if "times" in fields else None,
        probability=(
            fields.number("probability", low=0, high=1) if "probability" in fields else None
        ),
        seed=fields.integer("seed", 0, low=0, high=2**63),
        aop_id=_parse_aop_id(fields, catalogue),
    )


def _parse_accept(fields: Fields, kind: FaultKind) -> bool:
    if kind in _CHOOSES_ACCEPT:
        return fields.boolean("accept", False)
    return kind is not FaultKind.REVOKE_TOKEN


def _parse_status(fields: Fields, kind: FaultKind) -> int:
    if kind is FaultKind.STATUS and "status" not in fields:
        raise InvalidField(fields.name_of("status"), "is required for kind status, e.g. 429")
    status = fields.integer("status", _DEFAULT_STATUS.get(kind), low=200, high=599)
    if kind is FaultKind.REDIRECT and status not in _REDIRECT_STATUSES:
        raise InvalidField(fields.name_of("status"), f"must be one of {_REDIRECT_STATUSES}")
    if status in (204, 304):
        raise InvalidField(fields.name_of("status"), f"{status} has no body; take another")
    return status


def _parse_aop_id(fields: Fields, catalogue: AopCatalogue | None) -> str | None:
    if "aop_id" not in fields:
        return None
    aop_id = fields.text("aop_id")
    if catalogue is None:
        return aop_id
    aop = catalogue.find(aop_id)
    if aop is None:
        raise InvalidField(
            fields.name_of("aop_id"), f"no AOP {aop_id}; define it by PUT /_emulator/aops/{aop_id}"
        )
    return aop.aop_id
