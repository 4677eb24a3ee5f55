"""What the command's exit code says, in one place.

Scripts branch on these numbers, so they are part of the contract: a number never changes its
meaning.
"""

from enum import IntEnum

from agentruns.statuses import ActivityStatus, RunStatus
from agentruns_cli.errors import (
    ApiUnavailable,
    CliError,
    Conflict,
    Interrupted,
    LauncherFailed,
    NotAuthorized,
    NotFound,
    RequestRefused,
    UsageFault,
)
from agentruns_cli.views import Activity


class ExitCode(IntEnum):
    """Exit codes of `agentruns`."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    STOPPED = 3
    AUTH = 4
    NOT_FOUND = 5
    CONFLICT = 6
    NEEDS_A_HUMAN = 7
    UNAVAILABLE = 8
    WAIT_TIMED_OUT = 124
    INTERRUPTED = 130


EXIT_CODE_OF_ERROR: dict[type[CliError], ExitCode] = {
    UsageFault: ExitCode.USAGE,
    RequestRefused: ExitCode.USAGE,
    NotAuthorized: ExitCode.AUTH,
    NotFound: ExitCode.NOT_FOUND,
    Conflict: ExitCode.CONFLICT,
    ApiUnavailable: ExitCode.UNAVAILABLE,
    LauncherFailed: ExitCode.FAILED,
    Interrupted: ExitCode.INTERRUPTED,
}

_OUTCOMES: dict[str, ExitCode] = {
    ActivityStatus.DONE: ExitCode.COMPLETED,
    ActivityStatus.FAILED: ExitCode.FAILED,
    ActivityStatus.CANCELLED: ExitCode.STOPPED,
    ActivityStatus.REASSIGNED: ExitCode.STOPPED,
    ActivityStatus.BLOCKED: ExitCode.NEEDS_A_HUMAN,
    ActivityStatus.AWAITING_REVIEW: ExitCode.NEEDS_A_HUMAN,
    ActivityStatus.AWAITING_APPROVAL: ExitCode.NEEDS_A_HUMAN,
}


def outcome_of(activity: Activity) -> ExitCode | None:
    """The exit code a watcher ends with, or None while there is something to wait for.

    A status this version does not know is something to wait for.
    """
    outcome = _OUTCOMES.get(activity.status)
    run = activity.latest_run
    if outcome is ExitCode.FAILED and run is not None and run.status == RunStatus.ABORTED:
        return ExitCode.STOPPED
    return outcome


def outcome_of_expired_wait(activity: Activity) -> ExitCode:
    """The exit code when the caller's patience ends first: 7 where a person is waited for."""
    run = activity.latest_run
    if run is not None and run.status in (RunStatus.PAUSED, RunStatus.START_UNKNOWN):
        return ExitCode.NEEDS_A_HUMAN
    return ExitCode.WAIT_TIMED_OUT
