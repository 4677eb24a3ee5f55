"""A program that runs the vendor's Python client in its own environment; `clients` starts it.

Reads `{url, api_key, calls: [{name, arguments}]}` on standard input, writes what each call gave.
It imports nothing of this project, since that environment has nothing of it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

from leap_workflows import ApiException, Leap


def main() -> None:
    job = json.load(sys.stdin)
    leap = Leap(api_key=job["api_key"], host=job["url"])
    answers = [carry_out(leap, **call) for call in job["calls"]]
    json.dump({"answers": answers, "calls_it_has": calls_it_has(leap)}, sys.stdout)


def carry_out(leap: Leap, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call: Any = leap
    for part in name.split("."):
        call = getattr(call, part)
    try:
        answer = call(**arguments)
        if inspect.isawaitable(answer):
            answer = asyncio.run(_await(answer))
    except ApiException as refused:
        return {"name": name, "status": refused.status, "body": refused.body}
    except ValueError as refused:  # what it refuses to take for a run: pydantic's, its schema's
        return {"name": name, "refused": type(refused).__name__}
    if hasattr(answer, "model_dump"):
        return {"name": name, "model": type(answer).__name__, "body": answer.model_dump()}
    return {"name": name, "status": answer.status, "body": answer.body}


async def _await(answer: Any) -> Any:
    return await answer


def calls_it_has(leap: Leap) -> list[str]:
    """Every public method of every resource, and of its raw form."""
    found = []
    for resource in ("bulk_workflow_runs", "workflow_runs"):
        for path in (resource, f"{resource}.raw"):
            api: Any = leap
            for part in path.split("."):
                api = getattr(api, part)
            methods = inspect.getmembers(api, inspect.ismethod)
            found += [f"{path}.{name}" for name, _ in methods if not name.startswith("_")]
    return found


if __name__ == "__main__":
    main()
