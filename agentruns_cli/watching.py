"""Showing an activity until it ends.

Redrawn in place on a terminal, a line per change elsewhere, NDJSON for programs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from agentruns.statuses import ActivityStatus
from agentruns_cli.describe import advice_on, result_line
from agentruns_cli.errors import Interrupted
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.follow import Sighting, follow_activity, hear_nothing
from agentruns_cli.progress import ProgressLines
from agentruns_cli.session import Session
from agentruns_cli.streamed import LogReader, StreamedText
from agentruns_cli.views import Activity


class WatchStyle(StrEnum):
    """`PROGRESS` shows every change, `RESULT` only how it ended."""

    PROGRESS = "progress"
    RESULT = "result"


def watch_to_end(
    session: Session,
    activity_id: str,
    *,
    style: WatchStyle,
    interval_seconds: float,
    wait_timeout_seconds: int | None,
) -> ExitCode:
    """Follow the activity and show it. Interrupted on Ctrl-C: the activity itself goes on."""
    is_heard = style is WatchStyle.PROGRESS and session.screen.is_for_people
    sightings = follow_activity(
        session.client,
        activity_id,
        clock=session.surroundings.clock,
        interval_seconds=interval_seconds,
        wait_timeout_seconds=wait_timeout_seconds,
        listen=LogReader(session.client).news if is_heard else hear_nothing,
    )
    return_command = session.command_text("watch", activity_id)
    try:
        last = _show(session, sightings, style)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Interrupted",
            f"{activity_id} goes on without this command",
            next_step=f"Return to it: {return_command}",
        ) from error
    exit_code = last.exit_code or ExitCode.COMPLETED
    if exit_code is ExitCode.WAIT_TIMED_OUT:
        session.screen.chatter(
            f"The wait is over, {activity_id} goes on. Return to it: {return_command}"
        )
    elif advice := _advice(session, last.activity):
        session.screen.chatter(advice)
    return exit_code


def _advice(session: Session, activity: Activity) -> str:
    if advice := advice_on(activity, session.command_text):
        return advice
    if activity.status in (ActivityStatus.BLOCKED, ActivityStatus.FAILED):
        return "What happened: " + session.command_text("show", activity.activity_id)
    run = activity.latest_run
    if run is not None and (run.output is not None or run.has_large_output):
        return "Its output: " + session.command_text("output", activity.activity_id)
    return ""


def _show(session: Session, sightings: Iterator[Sighting], style: WatchStyle) -> Sighting:
    """Show every sighting in turn and return the last."""
    with _display(session, style) as show:
        last = next(sightings)
        show(last)
        for last in sightings:
            show(last)
    return last


@contextmanager
def _display(session: Session, style: WatchStyle) -> Iterator[Callable[[Sighting], None]]:
    screen = session.screen
    clock = session.surroundings.clock
    lines, text = ProgressLines(), StreamedText()

    def show_document(sighting: Sighting) -> None:
        if sighting.is_news and sighting.outage is None:
            screen.document_line(sighting.body)

    def show_line(sighting: Sighting) -> None:
        is_last = sighting.exit_code is not None
        if is_last:  # what was said came before the end
            screen.append(text.of(sighting.told))
        if sighting.is_news or is_last:
            screen.append(text.closed())
        show_state(sighting)
        if not is_last:
            screen.append(text.of(sighting.told))

    def show_state(sighting: Sighting) -> None:
        if not sighting.is_news:
            return
        if sighting.outage is not None:
            screen.chatter(f"{sighting.outage}; trying again")
        else:
            screen.data("\n".join(lines.of(sighting.activity, clock.now())))

    def show_result(sighting: Sighting) -> None:
        if sighting.exit_code is None:
            return
        if screen.as_json:
            screen.document(sighting.body)
        else:
            screen.data(result_line(sighting.activity, clock.now()))

    if screen.ids_only:
        yield lambda _: None
    elif style is WatchStyle.RESULT:
        yield show_result
    elif screen.as_json:
        yield show_document
    elif session.surroundings.terminal.writes_to_a_person():
        from agentruns_cli.live import LiveDisplay

        with LiveDisplay(clock) as display:
            yield display.show
    else:
        yield show_line
