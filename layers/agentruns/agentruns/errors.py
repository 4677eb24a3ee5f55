"""Every error agentruns raises on purpose.

The branches say what the caller does next; the leaves name the fact.

    AgentrunsError
    ├── TransientError                 try again later; nothing was done
    │   ├── UpstreamUnavailable        refused, DNS, TLS, 429, 5xx, a timed-out read
    │   │   ├── ConnectionClosed       the connection's gate is closed: nothing was sent
    │   │   └── RequestBudgetSpent     the connection's requests of this minute: nothing was sent
    │   ├── UpstreamUnreadable         an answer that is not the JSON it should be
    │   ├── MintInProgress             another container holds the lease and is slow
    │   └── StoreContention            lost the race for a row too many times
    ├── UnknownOutcomeError            done or not done: nobody can tell
    │   └── StartUnknown               the start was sent, no trustworthy answer came
    └── PermanentError                 trying again gives the same
        ├── UpstreamRejected           the provider said no
        │   ├── CredentialsRejected    the token endpoint refused the connection's credentials
        │   ├── TokenRejected          a freshly minted token was answered 401
        │   ├── ScopeMissing           403: the OAuth app lacks a scope
        │   ├── AopRejected            400 and its like: invalid body, or not executable
        │   ├── AopNotFound            404 on execute
        │   ├── AopItemNotFound        404 or 400 on a status check
        │   ├── ApiKeyRejected         Leap answered 401 or 403
        │   ├── WorkflowRejected       Leap answered another 4xx to a start
        │   ├── WorkflowNotFound       404 on a start
        │   ├── WorkflowRunNotFound    404 or 400 where a workflow run was read
        │   └── AgentRefused           an agent of one's own answered 3xx or 4xx
        ├── NotFound                   of this tenant there is no such
        │   ├── ActivityNotFound
        │   ├── RunNotFound
        │   ├── OutputNotFound         it gave none back, or none of that hash
        │   ├── ConnectionNotFound
        │   ├── AgentNotFound
        │   ├── ScheduleNotFound
        │   ├── ApprovalNotFound
        │   ├── HumanTaskNotFound
        │   ├── OperatorKeyNotFound
        │   ├── AgentKeyNotFound
        │   └── SkillNotFound
        ├── Conflict                   not now, or not twice
        │   ├── ActivityEnded          terminal is immutable
        │   ├── ActivityNotRedrivable  not failed, or its last start may still have worked
        │   ├── ActivityAlreadyRedriven  it has its successor
        │   ├── AgentDisabled
        │   ├── ConnectionInUse        an agent still names it
        │   ├── ConnectionOfOtherProvider  it leads elsewhere than the adapter needs
        │   ├── ResultAlreadyReceived  a run has one result, or ended without one
        │   ├── RunNotDispatched       the agent has not been asked to do it
        │   ├── SkillInUse             an agent is still assigned it
        │   ├── DeltaAlreadyReceived   another text under the same number
        │   ├── RunEnded               only a run that goes on may ask for something
        │   ├── AlreadyAnswered        an approval or a human task has one answer
        │   ├── AnswerTooLate          it expired before anybody answered
        │   ├── OwnRequest             who asked does not decide
        │   ├── RunNotUnknown          only a run whose start is unknown is resolved by hand
        │   └── RequestInFlight        a twin with the same key is being answered
        ├── HookRefused                no call of a webhook that we believe; never says why
        ├── Unauthenticated            no operator key, or none we know
        ├── ScopeDenied                the operator key lacks a scope
        ├── InvalidRequest             fields are wrong; carries (field, message) pairs
        │   ├── IdempotencyKeyReused   the same key came with another body
        │   ├── OutputTooLarge         for one answer; in ranges it is not
        │   └── RunLimitReached        the run has all the text, or tool calls, that it may have
        ├── MalformedRequest           the body is not JSON at all
        ├── RequestTooLarge
        ├── RangeNotSatisfiable        it begins behind the output's end
        ├── UnsupportedMediaType
        ├── InvalidTransition          a bug: the transition table forbids it
        ├── SettingsMissing            environment variables are not set
        └── SecretMalformed            a stored secret does not have its shape

The leaves of `UpstreamRejected` stand in `refusals`, those about a call to us in `request_errors`,
about agents' keys, skills and text in `agent_errors`, of waits in `wait_errors`. `StoreConflict` is
the one signal between a store and a use case (re-read and decide again); it never leaves a use
case. Step Functions sees a class name as the error's name, so names are stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentruns.shown_names import shown_name


class AgentrunsError(Exception):
    """Root. `code` is the snake_case word in rows, events and problem documents."""

    code: ClassVar[str] = "internal_error"


class StoreConflict(AgentrunsError):
    """The row changed since it was read."""

    code = "store_conflict"


class TransientError(AgentrunsError):
    """Nothing was done; the same call may succeed later."""

    code = "transient"


class UpstreamUnavailable(TransientError):
    """The provider could not be reached or asked to wait. `retry_after_seconds` is its wish."""

    code = "upstream_unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConnectionClosed(UpstreamUnavailable):
    """Not now, for anybody: the connection's gate is closed. The message names what closed it."""

    code = "connection_closed"


class RequestBudgetSpent(UpstreamUnavailable):
    """Not now: the connection's `requests_per_minute` are used up. It tells nothing of the host."""

    code = "request_budget_spent"


class UpstreamUnreadable(TransientError):
    """The provider answered something that cannot be trusted: not JSON, wrong types, too big."""

    code = "upstream_unreadable"


class MintInProgress(TransientError):
    code = "mint_in_progress"

    def __init__(self, connection: str, waited_seconds: float) -> None:
        super().__init__(
            f"connection {connection!r}: another process mints its token; "
            f"waited {waited_seconds:.1f} s"
        )
        self.connection = connection


class StoreContention(TransientError):
    code = "store_contention"

    def __init__(self, subject: str, attempts: int) -> None:
        super().__init__(f"{subject}: lost the race for its row {attempts} times")
        self.subject = subject


class UnknownOutcomeError(AgentrunsError):
    """Done or not done: only evidence from outside can tell. Never repeated by itself."""

    code = "unknown_outcome"


class StartUnknown(UnknownOutcomeError):
    code = "start_unknown"


class PermanentError(AgentrunsError):
    """The same call gives the same error until somebody changes something."""

    code = "permanent"


class UpstreamRejected(PermanentError):
    code = "upstream_rejected"


class NotFound(PermanentError):
    """Missing or another tenant's: the two cannot be told apart."""

    code = "not_found"
    noun: ClassVar[str] = "thing"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no {self.noun} {shown_name(name)!r}")
        self.name = name


class ActivityNotFound(NotFound):
    code = "activity_not_found"
    noun = "activity"


class RunNotFound(NotFound):
    code = "run_not_found"
    noun = "run"


class OutputNotFound(NotFound):
    code = "output_not_found"
    noun = "such output of run"


class ConnectionNotFound(NotFound):
    code = "connection_not_found"
    noun = "connection"


class AgentNotFound(NotFound):
    code = "agent_not_found"
    noun = "agent"


class ScheduleNotFound(NotFound):
    code = "schedule_not_found"
    noun = "schedule"


class OperatorKeyNotFound(NotFound):
    code = "operator_key_not_found"
    noun = "operator key"


class Conflict(PermanentError):
    code = "conflict"


class ActivityEnded(Conflict):
    code = "activity_ended"

    def __init__(self, activity_id: str, status: str) -> None:
        super().__init__(f"activity {activity_id!r} has ended: {status}")
        self.activity_id = activity_id
        self.status = status


class ActivityNotRedrivable(Conflict):
    code = "activity_not_redrivable"

    def __init__(self, activity_id: str, reason: str) -> None:
        super().__init__(f"activity {activity_id!r} {reason}")
        self.activity_id = activity_id


class ActivityAlreadyRedriven(Conflict):
    code = "activity_already_redriven"

    def __init__(self, activity_id: str, successor_id: str) -> None:
        super().__init__(
            f"activity {activity_id!r} was redriven as {successor_id}; redrive that one"
        )
        self.activity_id = activity_id
        self.successor_id = successor_id


class AgentDisabled(Conflict):
    code = "agent_disabled"

    def __init__(self, role: str) -> None:
        super().__init__(f"agent {role!r} is disabled; enable it with PUT /v1/agents/{role}")
        self.role = role


class ConnectionInUse(Conflict):
    code = "connection_in_use"

    def __init__(self, connection: str, roles: Sequence[str]) -> None:
        super().__init__(
            f"connection {connection!r} is used by the agents {', '.join(sorted(roles))}; "
            "delete or change them first"
        )
        self.connection = connection
        self.roles = tuple(roles)


class ConnectionOfOtherProvider(Conflict):
    code = "connection_of_other_provider"

    def __init__(self, connection: str, provider: str, wanted: str) -> None:
        super().__init__(
            f"connection {connection!r} leads to the provider {provider}; {wanted} is needed here"
        )
        self.connection = connection


class RunNotUnknown(Conflict):
    code = "run_not_unknown"

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(
            f"run {run_id!r} is {status}; only a start_unknown run is resolved by hand"
        )
        self.run_id = run_id
        self.status = status


class InvalidRequest(PermanentError):
    """`problems` are pairs of a field's path (`adapter.connection`) and what is wrong with it."""

    code = "invalid_request"

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))
        self.problems = tuple(problems)


class InvalidTransition(PermanentError):
    code = "invalid_transition"

    def __init__(self, subject: str, before: str, after: str) -> None:
        super().__init__(f"{subject}: {before} cannot become {after}")


class SettingsMissing(PermanentError):
    code = "settings_missing"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"environment variables are missing: {', '.join(sorted(names))}")
        self.names = tuple(names)


class SecretMalformed(PermanentError):
    code = "secret_malformed"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"secret {name!r}: {problem}")
        self.name = name
