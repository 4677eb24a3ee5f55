"""What a due fault makes of a request: the answer bent, or no answer at all.

A fault with `accept` strikes only a request that succeeded: a 401 or 404 goes out as it is and
the rule counts as not fired.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from local.emulation.faults import DueFault, FaultKind, FaultRule, FaultScript
from local.emulation.messages import (
    Delivery,
    Hangup,
    Reply,
    Reset,
    Silence,
    StreamedReply,
    json_reply,
)

REDIRECT_TARGET = "/_emulator/redirect-target"
Bender = Callable[[FaultRule, Reply], Delivery]
"""Makes of a proper answer what a client gets instead."""

_PIECE_BYTES = 64 * 1024
_GATEWAY_PAGE = b"<!DOCTYPE html><html><body><h1>Gateway notice</h1></body></html>"
_EXTRA_FIELDS = {"schema_version": 7, "links": {"self": "/somewhere"}, "labels": ["new", None]}
_OWN_MESSAGES = {429: "Too many requests", 503: "Service unavailable", 504: "Gateway timeout"}


def misbehave(
    due: DueFault,
    handle: Callable[[], Reply],
    faults: FaultScript,
    own_benders: Mapping[str, Bender] | None = None,
) -> Delivery:
    """`handle` is the proper treatment; it is called once or, for an early fault, not at all.

    `own_benders`: what the kinds of one emulator alone make of an answer.
    """
    rule = due.rule
    if not rule.accept:
        return _without_answer(rule)
    reply = handle()
    if not 200 <= reply.status <= 299:
        faults.give_back(due)
        return reply
    bend = {**_BENDERS, **(own_benders or {})}.get(rule.kind)
    return bend(rule, reply) if bend else _without_answer(rule)


def _without_answer(rule: FaultRule) -> Delivery:
    """The faults in which nothing of the proper answer is left."""
    match rule.kind:
        case FaultKind.HANG:
            return Silence(seconds=rule.seconds)
        case FaultKind.RESET:
            return Reset()
        case FaultKind.HTML:
            return Reply(
                status=rule.status,
                body=_GATEWAY_PAGE,
                headers=rule.headers,
                content_type="text/html; charset=utf-8",
            )
        case FaultKind.EMPTY:
            return Reply(status=rule.status, body=b"", headers=rule.headers)
        case FaultKind.REDIRECT:
            headers = {"Location": REDIRECT_TARGET, **rule.headers}
            return Reply(status=rule.status, body=b"", headers=headers)
        case FaultKind.STATUS:
            message = _OWN_MESSAGES.get(rule.status, f"Scripted answer {rule.status}")
            return json_reply(rule.status, {"message": message}, rule.headers)
        case _:
            return Hangup()


def _delay(rule: FaultRule, reply: Reply) -> Delivery:
    return Silence(seconds=rule.seconds, reply=reply)


def _break_json(_rule: FaultRule, reply: Reply) -> Delivery:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _change_types(_rule: FaultRule, reply: Reply) -> Delivery:
    wrong = {name: _of_another_type(value) for name, value in reply.json().items()}
    return json_reply(reply.status, wrong)


def _of_another_type(value: Any) -> Any:
    if isinstance(value, str):
        return 20260422
    return "soon" if isinstance(value, int | float) else [value]


def _add_fields(_rule: FaultRule, reply: Reply) -> Delivery:
    return json_reply(reply.status, {**reply.json(), **_EXTRA_FIELDS})


def _drip(rule: FaultRule, reply: Reply) -> Delivery:
    pieces = [reply.body[index : index + 1] for index in range(len(reply.body))]
    return StreamedReply(
        status=reply.status,
        pieces=pieces,
        length_bytes=len(reply.body),
        pause_seconds=rule.seconds,
    )


def _bloat(rule: FaultRule, reply: Reply) -> Delivery:
    """The proper JSON object with a `padding` member, `size_bytes` or a little more in all."""
    head = b'{"padding": "'
    tail = b'", ' + json.dumps(reply.json()).encode().lstrip(b"{")
    padding = max(0, rule.size_bytes - len(head) - len(tail))
    return StreamedReply(
        status=reply.status,
        pieces=itertools.chain([head], _repeat(b"x", padding), [tail]),
        length_bytes=len(head) + padding + len(tail),
    )


def _pack_bomb(rule: FaultRule, reply: Reply) -> Delivery:
    """The proper JSON and then blanks, as gzip members of 1 MiB each: about 1000 to 1."""
    member = gzip.compress(b" " * (1024 * 1024), mtime=0)
    members = -(-rule.size_bytes // (1024 * 1024))
    head = gzip.compress(reply.body, mtime=0)
    return StreamedReply(
        status=reply.status,
        pieces=itertools.chain([head], itertools.repeat(member, members)),
        length_bytes=len(head) + members * len(member),
        headers={"Content-Encoding": "gzip"},
    )


def _repeat(byte: bytes, count: int) -> Iterable[bytes]:
    piece = byte * _PIECE_BYTES
    yield from itertools.repeat(piece, count // _PIECE_BYTES)
    yield byte * (count % _PIECE_BYTES)


_BENDERS: Mapping[str, Bender] = {
    FaultKind.DELAY: _delay,
    FaultKind.BROKEN_JSON: _break_json,
    FaultKind.WRONG_TYPES: _change_types,
    FaultKind.EXTRA_FIELDS: _add_fields,
    FaultKind.SLOW_DRIP: _drip,
    FaultKind.HUGE: _bloat,
    FaultKind.GZIP_BOMB: _pack_bomb,
}
