"""The keys of the one table. Every key of a tenant's row is built from the credential's tenant.

    pk                               sk               row
    T#<tenant>#ACT#<activity_id>     META             the activity; index `listing`
                                     INPUT            its message and context, written once
                                     RUN#<attempt>    a run; index `due` while it has a due_at,
                                                      `inbox` while it waits for a person
                                     WAIT#<number>    what it waits for; the same two indexes
                                     COMMENT#<id>     a comment
                                     COMMENTKEY#<sha256 of key>
                                                      which one has the key
                                     EVT#<sequence>   an event; the table's stream publishes it
                                     CALL#<attempt>#<number>
                                                      a tool call of a run, in full
                                     CALLKEY#<attempt>#<sha256 of key>
                                                      which one has the key; TTL
                                     DELTA#<attempt>#<number>
                                                      a piece of a run's text; TTL
                                     DELTAS#<attempt> how many bytes of it there are; TTL
    T#<tenant>#CONNECTIONS           <name>           a connection, without credentials
    T#<tenant>#AGENTS                <role>           an agent
    T#<tenant>#SCHEDULES             <name>           what a schedule opens
    T#<tenant>#DURATIONS             <subject>        what an agent's past runs took; TTL
    T#<tenant>#SKILLS                <name>           a skill's description
    T#<tenant>#SKILL#<name>          META             the skill itself
    T#<tenant>#AGENTKEYS#<role>      <time>#<key_id>  an agent's key, as listed
    T#<tenant>#SESSIONS#<role>       SESSION#<sha256> a session of an agent; TTL
                                     LATEST           the one that was stored last; TTL
    KEY#<key_id>                     META             an operator key's hash; index `listing`
    AGENTKEY#<key_id>                META             an agent key's hash
    IDEM#<scope>#<sha256 of key>     META             an idempotency key; TTL
    LEASE#<name>                     META             who holds a lease; TTL
    GATE#<tenant>#<connection>       <door>           whether it may be called now; TTL
    SLOTS#<tenant>#<connection>      SLOT#<number>    who has it
                                     WAIT#<rank>      an activity that waits for one
    LOOKS                            <tenant>#<connection>
                                                      until when parked runs are looked at; TTL

Reading an activity is one query from META to WAIT#~, which leaves out all of those that come before
META: INPUT, EVT#, COMMENT#, COMMENTKEY#, CALL#, DELTA#, DELTAS#.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from agentruns.store.values import write_time

META = "META"
INPUT = "INPUT"
RUN_PREFIX = "RUN#"
WAIT_PREFIX = "WAIT#"
LAST_WAIT = "WAIT#~"
COMMENT_PREFIX = "COMMENT#"
EVENT_PREFIX = "EVT#"
SLOT_PREFIX = "SLOT#"
WAITING_PREFIX = "WAIT#"
MAX_SEQUENCE = 9_999_999_999
DUE_SHARDS = 4

LOOK_MARKS = "LOOKS"
LATEST_SESSION = "LATEST"

LISTING = "listing"
DUE = "due"
INBOX = "inbox"


def activity_key(tenant: str, activity_id: str) -> str:
    return f"T#{tenant}#ACT#{activity_id}"


def run_sort_key(attempt: int) -> str:
    return f"RUN#{attempt:04d}"


def wait_sort_key(number: int) -> str:
    return f"{WAIT_PREFIX}{number:04d}"


def comment_sort_key(comment_id: str) -> str:
    return f"{COMMENT_PREFIX}{comment_id}"


def comment_key_sort_key(key_sha256: str) -> str:
    return f"COMMENTKEY#{key_sha256}"


def inbox_key(tenant: str) -> str:
    return f"T#{tenant}#INBOX"


def inbox_sort_key(since: datetime, item_id: str) -> str:
    """Oldest first."""
    return f"{write_time(since)}#{item_id}"


def event_sort_key(sequence: int) -> str:
    return f"{EVENT_PREFIX}{sequence:010d}"


def tool_call_sort_key(attempt: int, number: int) -> str:
    return f"CALL#{attempt:04d}#{number:08d}"


def tool_call_key_sort_key(attempt: int, key_sha256: str) -> str:
    return f"CALLKEY#{attempt:04d}#{key_sha256}"


def delta_sort_key(attempt: int, number: int) -> str:
    return f"DELTA#{attempt:04d}#{number:05d}"


def text_sort_key(attempt: int) -> str:
    return f"DELTAS#{attempt:04d}"


def connections_key(tenant: str) -> str:
    return f"T#{tenant}#CONNECTIONS"


def agents_key(tenant: str) -> str:
    return f"T#{tenant}#AGENTS"


def schedules_key(tenant: str) -> str:
    return f"T#{tenant}#SCHEDULES"


def durations_key(tenant: str) -> str:
    return f"T#{tenant}#DURATIONS"


def skills_key(tenant: str) -> str:
    return f"T#{tenant}#SKILLS"


def skill_key(tenant: str, name: str) -> str:
    return f"T#{tenant}#SKILL#{name}"


def agent_keys_key(tenant: str, role: str) -> str:
    return f"T#{tenant}#AGENTKEYS#{role}"


def agent_key_key(key_id: str) -> str:
    return f"AGENTKEY#{key_id}"


def sessions_key(tenant: str, role: str) -> str:
    return f"T#{tenant}#SESSIONS#{role}"


def session_sort_key(digest: str) -> str:
    return f"SESSION#{digest}"


def operator_key_key(key_id: str) -> str:
    return f"KEY#{key_id}"


def idempotency_key(scope: str, key: str) -> str:
    return f"IDEM#{scope}#{hashlib.sha256(key.encode()).hexdigest()}"


def lease_key(name: str) -> str:
    return f"LEASE#{name}"


def gate_key(tenant: str, connection: str) -> str:
    return f"GATE#{tenant}#{connection}"


def slots_key(tenant: str, connection: str) -> str:
    return f"SLOTS#{tenant}#{connection}"


def slot_sort_key(slot: int) -> str:
    return f"{SLOT_PREFIX}{slot:06d}"


def waiting_sort_key(is_high: bool, created_at: datetime, activity_id: str) -> str:
    """In the order in which they are admitted."""
    return f"{WAITING_PREFIX}{0 if is_high else 1}#{write_time(created_at)}#{activity_id}"


def look_mark_sort_key(tenant: str, connection: str) -> str:
    return f"{tenant}#{connection}"


def budget_key(tenant: str, connection: str) -> str:
    return f"BUDGET#{tenant}#{connection}"


def activities_listing(tenant: str) -> str:
    return f"T#{tenant}"


def operator_keys_listing(tenant: str) -> str:
    return f"T#{tenant}#KEYS"


def due_shard_key(shard: int) -> str:
    return f"DUE#{shard}"


def due_shard(activity_id: str) -> int:
    """Spreads the due runs of one minute over `DUE_SHARDS` partitions of the index."""
    return hashlib.sha256(activity_id.encode()).digest()[0] % DUE_SHARDS


def due_sort_key(due_at: datetime, run_id: str) -> str:
    return f"{write_time(due_at)}#{run_id}"


def after_due(now: datetime) -> str:
    """Above every sort key whose time is not after `now`: `$` follows `#`."""
    return f"{write_time(now)}$"
