"""Mentions: whom a text names, and telling the agents among them.

A mentioned agent is told by an activity of its own, a notification. Which one that is, the comment
and the role decide, so telling it again changes nothing. Not here: writing the comment, and what
comes back (`commenting`).
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace

from agentruns import lifecycle
from agentruns.activities import AcceptActivity, start_execution
from agentruns.comment import Comment, Mention, Mentions, Notification, WhyNotNotified
from agentruns.definitions import ActivityRequest
from agentruns.errors import (
    ActivityNotFound,
    AgentDisabled,
    AgentNotFound,
    ConnectionNotFound,
    ConnectionOfOtherProvider,
    InvalidRequest,
    StoreConflict,
)
from agentruns.finding import agent_for, connection_for, is_same_role, one_spelling
from agentruns.ids import notification_id_for
from agentruns.model import Activity, ActivityInput, Trigger

MENTIONED_AGENTS_LIMIT = 5
TITLE_LIMIT_CHARACTERS = 200

AGENT_AUTHOR = "agent:"

_AGENT_MENTION = re.compile(r"(?<![\w@])@agent:([A-Za-z0-9][A-Za-z0-9_-]{0,63})(?![A-Za-z0-9_-])")
_HUMAN_MENTION = re.compile(r"(?<![\w@])@human:([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?)")

logger = logging.getLogger(__name__)


def mentions_in(text: str) -> Mentions:
    """`@agent:role` and `@human:userId`, each once; the two spellings of a role are one."""
    roles: dict[str, str] = {}
    for role in _AGENT_MENTION.findall(text):
        roles.setdefault(one_spelling(role), role)
    return Mentions(
        agents=tuple(roles.values()),
        humans=tuple(dict.fromkeys(_HUMAN_MENTION.findall(text))),
    )


def require_few_agents(mentions: Mentions) -> Mentions:
    """The mentions themselves. InvalidRequest for more agents than one comment may notify."""
    count = len(mentions.agents)
    if count > MENTIONED_AGENTS_LIMIT:
        fault = f"mentions {count} agents; at most {MENTIONED_AGENTS_LIMIT} are taken"
        raise InvalidRequest([("text", fault)])
    return mentions


def is_author(author: str, role: str) -> bool:
    """Whether a comment's author is the agent of that role."""
    is_agent = author.startswith(AGENT_AUTHOR)
    return is_agent and is_same_role(author.removeprefix(AGENT_AUTHOR), role)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyAgents:
    """Decides whom a comment notifies, and opens what it decided."""

    accept_activity: AcceptActivity

    def decide(
        self, thread: Activity, comment_id: str, author: str, mentions: Mentions, *, is_of_run: bool
    ) -> tuple[Notification, ...]:
        """`thread`: the activity that is commented on; `is_of_run`: by its own run, which notifies
        nobody where a mention had opened it."""
        if not mentions.agents:
            return ()
        is_silent = is_of_run and self._is_of_mention(thread)
        return tuple(
            self._decide_one(thread.tenant, comment_id, author, role, is_silent=is_silent)
            for role in mentions.agents
        )

    def __call__(self, thread: Activity, comment: Comment) -> None:
        """Open the notifications of a stored comment that are not there yet."""
        for notification in comment.notified:
            if notification.activity_id is not None:
                self._open(thread, comment, notification.agent_role, notification.activity_id)

    def _decide_one(
        self, tenant: str, comment_id: str, author: str, role: str, *, is_silent: bool
    ) -> Notification:
        if is_author(author, role):
            return Notification(agent_role=role, why_not=WhyNotNotified.IS_AUTHOR)
        if is_silent:
            return Notification(agent_role=role, why_not=WhyNotNotified.OPENED_BY_MENTION)
        try:
            agent = agent_for(self.accept_activity.agents, tenant, role)
        except AgentNotFound:
            return Notification(agent_role=role, why_not=WhyNotNotified.UNKNOWN_AGENT)
        if not agent.enabled:
            return Notification(agent_role=agent.role, why_not=WhyNotNotified.AGENT_DISABLED)
        try:
            connection_for(self.accept_activity.connections, tenant, agent.adapter)
        except (ConnectionNotFound, ConnectionOfOtherProvider):
            return Notification(agent_role=agent.role, why_not=WhyNotNotified.CONNECTION_MISSING)
        activity_id = notification_id_for(comment_id, one_spelling(agent.role))
        return Notification(agent_role=agent.role, activity_id=activity_id)

    def _is_of_mention(self, thread: Activity) -> bool:
        """Opened by a mention, or a subtask of what was."""
        if thread.mentioned_in is not None or thread.parent_activity_id is None:
            return thread.mentioned_in is not None
        activities = self.accept_activity.activities
        parent = activities.read(thread.tenant, thread.parent_activity_id).activity
        return parent.mentioned_in is not None

    def _open(self, thread: Activity, comment: Comment, role: str, activity_id: str) -> None:
        accept, tenant = self.accept_activity, thread.tenant
        if self._is_open(tenant, activity_id):
            return
        request = ActivityRequest(
            agent_role=role,
            message=_message(thread, comment),
            title=f"Mentioned in {thread.title or thread.activity_id}"[:TITLE_LIMIT_CHARACTERS],
            priority=thread.priority,
            tags=thread.tags,
        )
        about = {"activity_id": thread.activity_id, "agent_role": role}
        try:
            prepared = accept.prepare(tenant, request, Trigger.MENTION, None, accept.clock())
        except (AgentDisabled, InvalidRequest):  # since it was decided
            logger.warning("agent_not_notified", extra=about)
            return
        mention = Mention(activity_id=thread.activity_id, comment_id=comment.comment_id)
        activity = replace(prepared, activity_id=activity_id, mentioned_in=mention)
        run = lifecycle.first_run(activity)
        try:
            accept.activities.create(
                activity,
                ActivityInput(message=request.message),
                run,
                (lifecycle.opened(activity, run),),
                None,
            )
        except StoreConflict:  # somebody else was faster
            return
        logger.info("agent_notified", extra=about)
        start_execution(accept.executions, activity)

    def _is_open(self, tenant: str, activity_id: str) -> bool:
        try:
            self.accept_activity.activities.read(tenant, activity_id)
        except ActivityNotFound:
            return False
        return True


def _message(thread: Activity, comment: Comment) -> str:
    title = f" ({thread.title})" if thread.title else ""
    return (
        f"{comment.author} mentioned you in the thread of activity {thread.activity_id}{title}:\n\n"
        f"{comment.text}\n\n"
        "What you answer is written into that thread."
    )
