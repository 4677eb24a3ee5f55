"""The OpenAPI documents of both APIs: `python -m local.openapi` writes docs/openapi/*.json.

The same text as the deployed APIs serve; a test holds the files to it. Not here: how a document is
made of routes and models (`agentruns.api.openapi`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from agentruns.api.agent_app import build_agent_resolver
from agentruns.api.agent_description import AGENT_API
from agentruns.api.app import build_resolver
from agentruns.api.openapi import describe_api, render
from agentruns.api.operator_description import OPERATOR_API

FOLDER = Path(__file__).parents[1] / "docs" / "openapi"


class NoServices:
    """In place of an API's services: whatever is asked of it is nothing either."""

    def __getattr__(self, name: str) -> NoServices:
        return self


@cache
def documents() -> Mapping[str, dict[str, Any]]:
    """By file name, to be read only. No route is called, so none needs its services."""
    nothing = cast("Any", NoServices())
    return {
        "operator.json": describe_api(build_resolver(nothing), OPERATOR_API),
        "agent.json": describe_api(build_agent_resolver(nothing), AGENT_API),
    }


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for name, document in documents().items():
        (FOLDER / name).write_text(render(document), encoding="utf-8")
        print(f"docs/openapi/{name}: {len(document['paths'])} paths")
    return 0


if __name__ == "__main__":
    sys.exit(main())
