"""Following an activity by asking the API again and again. Not here: how it is shown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentruns_cli.errors import ApiUnavailable
from agentruns_cli.exit_codes import ExitCode, outcome_of, outcome_of_expired_wait
from agentruns_cli.surroundings import Clock
from agentruns_cli.views import Activity, Event, JsonObject, parse_activity

if TYPE_CHECKING:
    from agentruns_cli.client import ApiClient

LONGEST_INTERVAL_SECONDS = 5.0
QUIET_SHARE = 0.1
TOLERATED_OUTAGE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One look at the activity.

    `is_news` is true where something a person or a program acts on differs from the look before;
    `told` is what its agents said since then;
    `outage` says why the last look failed (then `activity` is the older one); `exit_code` is set on
    the last sighting.
    """

    body: JsonObject
    activity: Activity
    is_news: bool
    outage: str | None
    exit_code: ExitCode | None
    told: tuple[Event, ...] = ()


Listen = Callable[[Activity], tuple[Event, ...]]
"""What an activity's agents said since the last time. ApiUnavailable."""


def hear_nothing(_: Activity) -> tuple[Event, ...]:
    """For who wants to know the states alone."""
    return ()


def follow_activity(
    client: "ApiClient",
    activity_id: str,
    *,
    clock: Clock,
    interval_seconds: float,
    wait_timeout_seconds: float | None,
    listen: Listen = hear_nothing,
) -> Iterator[Sighting]:
    """Sightings until the activity ends, needs a human, or the wait is over.

    The last one has an exit code. The longer nothing changes, the rarer it asks: every tenth of the
    quiet time, between `interval_seconds` and 5 s. An outage of the API is sat out for 60 s. Raises
    ApiError for the first look, and for a longer outage.
    """
    started = last_news = last_answer = clock.monotonic()
    body = client.get_activity(activity_id)
    activity = parse_activity(body)
    outage: str | None = None
    is_news = True
    while True:
        exit_code = outcome_of(activity)
        waited = clock.monotonic() - started
        if (
            exit_code is None
            and wait_timeout_seconds is not None
            and waited >= wait_timeout_seconds
        ):
            exit_code = outcome_of_expired_wait(activity)
        told = _heard(listen, activity)
        if told:
            last_news = clock.monotonic()
        yield Sighting(
            body=body,
            activity=activity,
            is_news=is_news,
            outage=outage,
            exit_code=exit_code,
            told=told,
        )
        if exit_code is not None:
            return
        quiet_seconds = clock.monotonic() - last_news
        pause = max(interval_seconds, min(QUIET_SHARE * quiet_seconds, LONGEST_INTERVAL_SECONDS))
        if wait_timeout_seconds is not None:
            pause = min(pause, max(0.0, wait_timeout_seconds - waited))
        clock.sleep(pause)
        before = activity
        try:
            body = client.get_activity(activity_id)
        except ApiUnavailable as error:
            if clock.monotonic() - last_answer > TOLERATED_OUTAGE_SECONDS:
                raise
            is_news = outage is None
            outage = error.problem.title
            continue
        activity, outage = parse_activity(body), None
        last_answer = clock.monotonic()
        is_news = _news(activity) != _news(before)
        if is_news:
            last_news = last_answer


def _heard(listen: Listen, activity: Activity) -> tuple[Event, ...]:
    """What cannot be read now is read at the next look."""
    try:
        return listen(activity)
    except ApiUnavailable:
        return ()


def _news(activity: Activity) -> tuple[object, ...]:
    """What has to differ for a change worth telling. Timestamps alone are not."""
    runs = tuple(
        (run.run_id, run.status, run.polls, run.provider_ids, run.error, run.last_problem)
        for run in activity.runs
    )
    return (activity.status, activity.error, runs)
