"""Identifiers: how they are made, what they look like, which are derived from which.

An activity is `act_<ULID>`; its runs are `run_<the same ULID>_<attempt>`, so a run's activity is
read off its id and opening the same attempt twice gives the same run; likewise its waits,
`wait_<the same ULID>_<number>`. Not a general ULID library:
https://github.com/ulid/spec, encoding only.
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import datetime

from agentruns.errors import ActivityNotFound, NotFound, RunNotFound

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ACTIVITY_ID = re.compile(r"act_([0-9A-HJKMNP-TV-Z]{26})\Z")
_WAIT_ID = re.compile(r"wait_([0-9A-HJKMNP-TV-Z]{26})_([1-9][0-9]{0,3})\Z")
_RUN_ID = re.compile(r"run_([0-9A-HJKMNP-TV-Z]{26})_([1-9][0-9]{0,3})\Z")

_HYPHENS_AND_UNDERSCORES = str.maketrans("-_", "_-")

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
TENANT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}$"


def new_ulid(now: datetime) -> str:
    """26 characters: 48 bits of milliseconds since 1970, then 80 random bits; sorts by time."""
    number = (int(now.timestamp() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    return _encode(number, 26)


def new_activity_id(now: datetime) -> str:
    return f"act_{new_ulid(now)}"


def run_id_for(activity_id: str, attempt: int) -> str:
    """The id of an activity's `attempt`-th run (from 1)."""
    return f"run_{activity_id.removeprefix('act_')}_{attempt}"


def tool_call_id_for(run_id: str, number: int) -> str:
    """The id of a run's `number`-th tool call (from 1)."""
    return f"call_{run_id.removeprefix('run_')}_{number}"


def activity_id_of(run_id: str) -> str:
    """The activity a run belongs to. RunNotFound where it is no run id at all."""
    match = _RUN_ID.match(run_id)
    if match is None:
        raise RunNotFound(run_id)
    return f"act_{match[1]}"


def wait_id_for(activity_id: str, number: int) -> str:
    """The id of an activity's `number`-th wait (from 1)."""
    return f"wait_{activity_id.removeprefix('act_')}_{number}"


def activity_id_of_wait(wait_id: str, not_found: type[NotFound]) -> str:
    """The activity a wait belongs to. `not_found` where it is no wait's id at all."""
    match = _WAIT_ID.match(wait_id)
    if match is None:
        raise not_found(wait_id)
    return f"act_{match[1]}"


def other_spelling(role: str) -> str:
    """`blog-writer` of `blog_writer`, and the other way round: both are one role."""
    return role.translate(_HYPHENS_AND_UNDERSCORES)


def new_comment_id(now: datetime) -> str:
    return f"cmt_{new_ulid(now)}"


def notification_id_for(comment_id: str, agent_role: str) -> str:
    """The id of the activity that a comment opens for an agent which it mentions: the comment's
    time, then 80 bits that both decide. So the same comment opens one activity per agent."""
    digest = hashlib.sha256(f"{comment_id}#{agent_role}".encode()).digest()
    own = _encode(int.from_bytes(digest[:10], "big"), 16)
    return f"act_{comment_id.removeprefix('cmt_')[:10]}{own}"


def require_activity_id(value: str) -> str:
    """`value` itself. ActivityNotFound where it is no activity id at all."""
    if _ACTIVITY_ID.match(value) is None:
        raise ActivityNotFound(value)
    return value


def execution_name(activity_id: str, generation: int) -> str:
    """The name of the Step Functions execution that carries an activity's `generation`."""
    return f"{activity_id}-{generation}"


def _encode(number: int, characters: int) -> str:
    """In base 32, the digit of the least weight last."""
    return "".join(_CROCKFORD[(number >> 5 * place) & 31] for place in reversed(range(characters)))
