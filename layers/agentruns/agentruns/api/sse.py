"""Events as one finished text/event-stream answer: everything there is, then the end.

API Gateway's REST APIs buffer answers, so nothing can be streamed; the client comes back after
`retry` milliseconds with `Last-Event-ID` and gets what is new
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.api.schemas.run_log import EventAnswer

EVENT_STREAM = "text/event-stream"
RETRY_MILLISECONDS = 2000


def accepts_event_stream(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() == EVENT_STREAM for part in accept.split(","))


def render(events: Iterable[EventAnswer]) -> str:
    """`id` is the position behind the entry. The JSON of `data` has no line break, ever."""
    blocks = [f"retry: {RETRY_MILLISECONDS}\n\n"]
    blocks += [
        f"id: {event.cursor}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
        for event in events
    ]
    return "".join(blocks)
