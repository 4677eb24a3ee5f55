"""What the operator API's routes do not say of it: for its OpenAPI document alone."""

from __future__ import annotations

from agentruns.api.openapi import Description, header_key
from agentruns.api.problems import nothing_more

OPERATOR_API = Description(
    title="agentruns: operator API",
    text="Start work, see how it goes, decide, configure. Conventions and examples: docs/api.md.",
    schemes={
        "operatorKey": header_key(
            "`ApiKey ` and an operator key. Which scope a route takes: docs/api.md."
        )
    },
    security="operatorKey",
    more=nothing_more,
)
