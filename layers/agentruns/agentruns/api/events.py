"""EventBridge events that ask for an activity: the second way in, with the API's own body.

Not here: the API (`app`), the rule's pattern and an InputTransformer's mapping (`template.yaml`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentruns.activities import AcceptActivity, Accepted
from agentruns.api.schemas.activities import ActivityBody
from agentruns.api.validation import field_problems
from agentruns.errors import InvalidRequest
from agentruns.model import Trigger

logger = logging.getLogger(__name__)


class ActivityRequestedEvent(BaseModel):
    """The parts of the envelope that matter; EventBridge adds others."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)

    id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]*$")]
    source: Literal["agentruns.request"]
    detail_type: Annotated[Literal["ActivityRequested"], Field(alias="detail-type")]
    detail: ActivityBody


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptEvent:
    """Opens an activity for an event; the event's id is its idempotency key.

    EventBridge delivers at least once, so the same event gives the same activity for 24 hours.
    """

    accept_activity: AcceptActivity
    tenant: str

    def __call__(self, event: Mapping[str, Any]) -> Accepted:
        """InvalidRequest names the wrong fields (`detail.adapter.connection`), never a value;
        otherwise as AcceptActivity."""
        requested = _parse(event)
        accepted = self.accept_activity(
            self.tenant,
            requested.detail.request("detail."),
            trigger=Trigger.EVENT,
            idempotency_key=requested.id,
        )
        logger.info(
            "event_accepted",
            extra={
                "tenant": self.tenant,
                "event_id": requested.id,
                "activity_id": accepted.activity_id,
                "repeated": accepted.repeated,
            },
        )
        return accepted


def _parse(event: Mapping[str, Any]) -> ActivityRequestedEvent:
    try:
        return ActivityRequestedEvent.model_validate(event)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = field_problems(found, whole="event")
        # Not `from error`: its text shows the values, and Lambda logs what is raised here.
        raise InvalidRequest([(each.field, each.message) for each in problems]) from None
