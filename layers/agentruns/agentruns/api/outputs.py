"""A run's output as an HTTP answer: the JSON value itself, whole or a range of it.

RFC 9110: `Range` with one range of bytes, `If-Range`, `If-None-Match`; what is asked for in any
other way is answered as if it had not been. An answer of Lambda's has 6 MB, and the text stands in
it as a JSON string, which can double it: so one answer has no more than `ANSWER_LIMIT_BYTES`. A
range that is larger is answered with its first part, as section 15.3.7 allows; the whole, where it
is larger, is refused. Not here: where an output stands (`run_outputs`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from agentruns.request_errors import OutputTooLarge, RangeNotSatisfiable

if TYPE_CHECKING:
    from agentruns.run_outputs import ReadableOutput

ANSWER_LIMIT_BYTES = 2_500_000

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConditions:
    """The headers of a request that say what of the output is wanted; empty where not sent."""

    range: str = ""
    if_range: str = ""
    if_none_match: str = ""


def answer_output(output: ReadableOutput, wanted: OutputConditions) -> Response[str]:
    """OutputTooLarge; RangeNotSatisfiable; OutputNotFound."""
    size_bytes = output.ref.size_bytes
    etag = f'"{output.ref.sha256}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag}
    if _is_listed(etag, wanted.if_none_match):
        return _answer(HTTPStatus.NOT_MODIFIED, "", headers)
    is_range_valid = not wanted.if_range or wanted.if_range.strip() == etag
    found = _range_of(wanted.range, size_bytes) if is_range_valid else None
    if found is None:
        if size_bytes > ANSWER_LIMIT_BYTES:
            raise OutputTooLarge(size_bytes, ANSWER_LIMIT_BYTES)
        return _answer(HTTPStatus.OK, output.read_all(), headers)
    first, last = found
    last = min(last, first + ANSWER_LIMIT_BYTES - 1)
    headers["Content-Range"] = f"bytes {first}-{last}/{size_bytes}"
    return _answer(HTTPStatus.PARTIAL_CONTENT, output.read(first, last), headers)


def _range_of(header: str, size_bytes: int) -> tuple[int, int] | None:
    """The first and the last byte. None where the header is none that is understood here, which
    means: all of it. RangeNotSatisfiable."""
    parts = _ONE_RANGE.match(header.strip().replace(" ", "").lower())
    if parts is None or parts[1] == parts[2] == "":
        return None
    if parts[1] == "":
        suffix = int(parts[2])
        if suffix == 0:
            raise RangeNotSatisfiable(size_bytes)
        return max(0, size_bytes - suffix), size_bytes - 1
    first = int(parts[1])
    last = int(parts[2]) if parts[2] else size_bytes - 1
    if parts[2] and last < first:
        return None
    if first >= size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    return first, min(last, size_bytes - 1)


def _is_listed(etag: str, header: str) -> bool:
    listed = {each.strip().removeprefix("W/") for each in header.split(",")}
    return bool(listed & {etag, "*"})


def _answer(status: HTTPStatus, body: str, headers: dict[str, str]) -> Response[str]:
    return Response(
        status_code=status.value, content_type="application/json", body=body, headers=headers
    )
