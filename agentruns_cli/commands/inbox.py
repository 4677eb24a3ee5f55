"""`inbox`, `approve`, `reject`, `comment`: what waits for a person, and that person's word."""

from typing import Annotated

import typer

from agentruns_cli.describe_waits import comment_lines, inbox_table, notification_lines
from agentruns_cli.errors import UsageFault
from agentruns_cli.inputs import activity_id_of
from agentruns_cli.session import OpenSession, Session, over_the_api
from agentruns_cli.views import JsonObject

ApprovalId = Annotated[
    str, typer.Argument(metavar="APPROVAL_ID", help="Of an approval or a review: wait_...")
]
Note = Annotated[
    str | None, typer.Option("--note", "-n", metavar="TEXT", help="What the agent is told.")
]


@over_the_api
def list_inbox(
    open_session: OpenSession,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Items on a page.")] = 25,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where the last page ended.")
    ] = None,
) -> None:
    """List what waits for a person, the oldest first.

    Approvals and reviews (approve, reject), blockers and tasks (resolve), starts of which nobody
    knows the outcome (resolve), and runs that a provider paused for a person of its own.
    """
    session = open_session()
    page = session.client.list_inbox({"limit": limit, "cursor": cursor})
    now = session.surroundings.clock.now()
    session.screen.page(
        page, "id", lambda items: inbox_table(items, now), "Nothing waits for a person."
    )


@over_the_api
def approve(
    open_session: OpenSession,
    approval_id: ApprovalId,
    option: Annotated[
        str | None,
        typer.Option("--option", metavar="NAME", help="Which of the approval's options."),
    ] = None,
    note: Note = None,
) -> None:
    """Approve an approval or a review.

    \b
    agentruns approve wait_01M80GAFZR773JC21ZVMJD41QF_1 --note "Publish it on Monday"
    """  # noqa: D301  # \b keeps these lines apart in the help
    session = open_session()
    _decide(session, approval_id, {"decision": "approved", "option": option, "note": note})


@over_the_api
def reject(
    open_session: OpenSession,
    approval_id: ApprovalId,
    changes: Annotated[
        bool, typer.Option("--changes", help="Ask for changes instead of rejecting it.")
    ] = False,
    note: Note = None,
) -> None:
    """Reject an approval or a review, or ask for changes; --note says why, and the agent reads it.

    \b
    agentruns reject wait_01M80GAFZR773JC21ZVMJD41QF_1 --note "Too long" --changes
    """  # noqa: D301  # \b keeps these lines apart in the help
    if note is None:
        raise UsageFault("--note is missing", "say why: the agent reads it and tries again")
    session = open_session()
    decision = "changes_requested" if changes else "rejected"
    _decide(session, approval_id, {"decision": decision, "note": note})


@over_the_api
def comment(
    open_session: OpenSession,
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="An activity id, or the id of one of its runs.")
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to write; left out, the thread.")
    ] = None,
) -> None:
    """Write into an activity's thread, or read it. @agent:role and @human:id mention somebody.

    A mentioned agent is given an activity of its own, and answers in the thread.
    """
    session = open_session()
    activity_id = activity_id_of(identifier)
    if text is None:
        _show_thread(session, activity_id)
        return
    key = session.surroundings.new_idempotency_key()
    answer = session.client.add_comment(activity_id, {"text": text}, idempotency_key=key)
    session.screen.answer(answer, str(answer.get("comment_id", "")))
    for line in notification_lines(answer):
        session.screen.chatter(line)


def print_answered(session: Session, answer: JsonObject) -> None:
    """What became of a wait and of its activity."""
    activity_id = str(answer.get("activity_id", ""))
    wait = answer.get("wait") or {}
    shown = (activity_id, answer.get("status", ""), wait.get("wait_id"), wait.get("decision"))
    text = "  ".join(str(part) for part in shown if part)
    session.screen.answer(answer, activity_id, text)
    session.screen.chatter("Follow it: " + session.command_text("watch", activity_id))


def _decide(session: Session, approval_id: str, decision: JsonObject) -> None:
    body = {name: value for name, value in decision.items() if value is not None}
    print_answered(session, session.client.decide_approval(approval_id, body))


def _show_thread(session: Session, activity_id: str) -> None:
    comments = list(session.client.all_comments(activity_id))
    suggestion = session.command_text("comment", activity_id, "TEXT")
    session.screen.page(
        {"items": comments},
        "comment_id",
        lambda items: "\n".join(comment_lines(items)),
        f"No comments yet: {suggestion}",
    )
