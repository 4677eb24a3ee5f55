"""Starts that a repeat must not double, and what they answered.

Not here: what is started (commands/), and the retries of one command (client.py).
"""

from collections.abc import Callable

from agentruns_cli.errors import ApiUnavailable, Interrupted
from agentruns_cli.session import Session
from agentruns_cli.views import JsonObject


def start_once(
    session: Session, idempotency_key: str | None, start: Callable[[str], JsonObject]
) -> JsonObject:
    """What `start` answers to the key, or to a new one. Where the outcome is not known, the error
    names the key with which repeating the command cannot start twice."""
    key = idempotency_key or session.surroundings.new_idempotency_key()
    try:
        return start(key)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "Interrupted",
            "it may have been started all the same",
            next_step=f"Repeat the command with --idempotency-key {key}: it cannot start twice.",
        ) from error
    except ApiUnavailable as error:
        error.next_step = (
            "It may have been started all the same. Repeat the command with "
            f"--idempotency-key {key}: it cannot start twice. {error.next_step}"
        )
        raise


def print_started(session: Session, answer: JsonObject) -> None:
    """The activity that was accepted, and how to follow it."""
    activity_id = str(answer.get("activity_id", ""))
    text = f"{activity_id}  {answer.get('status', '')}  {answer.get('run_id', '')}"
    session.screen.answer(answer, activity_id, text)
    session.screen.chatter("Follow it: " + session.command_text("watch", activity_id))
