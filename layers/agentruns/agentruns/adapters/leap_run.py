"""Leap's run object as a value, in each of its published forms, and its bulk run object. Source:
the first API document, the later ones, and the schemas of the published clients.

Both casings of a name are read (`workflowId`, `workflow_id`); where both stand there and differ,
the object is not believed. Not here: what a status means for a run of ours (`workflows`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agentruns.adapters.json_reply import UnreadableJson, parse_json
from agentruns.adapters.reply_fields import encodings, one_line, text, timestamp
from agentruns.provider_ports import WorkflowRun

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
ERROR_LENGTH = 500
LONGEST_URL = 8192


def parse_hook(body: bytes, is_bulk: bool) -> WorkflowRun:
    """The run object of a webhook's body, or the bulk run object. ValueError says what is wrong."""
    try:
        document = parse_json(body)
    except UnreadableJson as exc:
        raise ValueError(str(exc)) from None
    return parse_bulk_run(document) if is_bulk else parse_run(document)


def parse_bulk_run(document: object) -> WorkflowRun:
    """Its output is where the CSV is and how many rows it has. ValueError as `parse_run`.

    The URLs may be signed; the error is kept without them.
    """
    document = _require_object(document)
    run = parse_run(document)
    input_url, output_url = (
        _url(_either(document, *names))
        for names in (("input_csv_url", "inputCsvUrl"), ("output_csv_url", "outputCsvUrl"))
    )
    row_count = _count(_either(document, "row_count", "rowCount"))
    secrets = [form for url in (input_url, output_url) if url for form in encodings(url)]
    return replace(
        run,
        error=_error(document.get("error"), secrets),
        output={"output_csv_url": output_url, "row_count": row_count},
        row_count=row_count,
    )


def parse_run(document: object) -> WorkflowRun:
    """ValueError where it is no run object: no usable id or status, or two names that differ."""
    document = _require_object(document)
    workflow_run_id, status = document.get("id"), text(document.get("status"))
    if not isinstance(workflow_run_id, str) or RUN_ID.match(workflow_run_id) is None:
        raise ValueError("it has no usable id")
    if status is None:
        raise ValueError("it has no usable status")
    return WorkflowRun(
        workflow_run_id=workflow_run_id,
        workflow_id=text(_either(document, "workflow_id", "workflowId")),
        version_id=text(_either(document, "version_id", "versionId")),
        status=status,
        started_at=timestamp(_either(document, "started_at", "startedAt")),
        ended_at=timestamp(_either(document, "ended_at", "endedAt")),
        error=_error(document.get("error")),
        output=document.get("output"),
    )


def _require_object(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # a stranger's, not a caller's
    return document


def _either(document: Mapping[str, Any], snake: str, camel: str) -> Any:
    found = [document[name] for name in (snake, camel) if name in document]
    if len(found) > 1 and found[0] != found[1]:
        raise ValueError(f"{snake} and {camel} differ")
    return found[0] if found else None


def _error(value: Any, secrets: Iterable[str] = ()) -> str | None:
    if value is None or value == "":
        return None
    message = value if isinstance(value, str) else json.dumps(value)
    return one_line(message, iter(secrets), ERROR_LENGTH) or None


def _url(value: Any) -> str | None:
    is_one = isinstance(value, str) and 0 < len(value) <= LONGEST_URL and value.isprintable()
    return value if is_one else None


def _count(value: Any) -> int | None:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if is_one else None
