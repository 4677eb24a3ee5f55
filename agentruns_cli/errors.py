"""Everything that can end a command early, and what the user can do next.

    CliError
    ├── UsageFault        the command line or its input is wrong; nothing was sent
    ├── RequestRefused    the API refused the body (400, 413, 415, 422 and other 4xx)
    ├── NotAuthorized     no key, a wrong key, or AWS credentials that do not suffice (401, 403)
    ├── NotFound          no such activity, run, agent, connection or stack (404)
    ├── Conflict          the thing is in another state than the request needs (409)
    ├── ApiUnavailable    not reachable, overloaded (429), broken (5xx) or not this API at all
    ├── LauncherFailed    the embedded stack could not be started, stopped or asked
    └── Interrupted       Ctrl-C

Not here: the exit codes (exit_codes.py) and the rendering (screen.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One refused field of a request body."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What an RFC 9457 answer said; `status` 0 where no answer came."""

    title: str
    detail: str = ""
    status: int = 0
    request_id: str | None = None
    errors: tuple[FieldError, ...] = ()


class CliError(Exception):
    """Root. `next_step` is a sentence or a command for the user, or empty."""

    def __init__(self, title: str, detail: str = "", *, next_step: str = "") -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.problem = Problem(title=title, detail=detail)
        self.next_step = next_step


class UsageFault(CliError):
    """The command line, a file or standard input is wrong; nothing was sent."""


class LauncherFailed(CliError):
    """The embedded stack could not be started, stopped or asked."""


class Interrupted(CliError):
    """The user pressed Ctrl-C."""


class ApiError(CliError):
    """An answer of the API, or its absence."""

    def __init__(self, problem: Problem, *, next_step: str = "") -> None:
        super().__init__(problem.title, problem.detail, next_step=next_step)
        self.problem = problem


class RequestRefused(ApiError):
    """The API refused the request as it is; sending it again changes nothing."""


class NotAuthorized(ApiError):
    """No key, a wrong key, or AWS credentials that do not suffice."""


class NotFound(ApiError):
    """Nothing of this name or id belongs to this key's tenant."""


class Conflict(ApiError):
    """The thing is in another state than the request needs."""


class ApiUnavailable(ApiError):
    """Not reachable, overloaded, broken, or not this API."""


_ERRORS_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    408: ApiUnavailable,
    409: Conflict,
    429: ApiUnavailable,
}


def error_for_status(status: int) -> type[ApiError]:
    """The error class of an HTTP status that is not a success."""
    if status in _ERRORS_BY_STATUS:
        return _ERRORS_BY_STATUS[status]
    return RequestRefused if 400 <= status < 500 else ApiUnavailable
