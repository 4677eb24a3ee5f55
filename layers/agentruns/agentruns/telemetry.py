"""Logs and metrics: JSON lines on stdout, CloudWatch reads both.

Library modules log through `logging.getLogger(__name__)` with keys in `extra`; a handler calls
`begin_invocation` first, which makes the lines JSON and binds the ids. No payloads, no tokens.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentruns.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

METRICS_NAMESPACE = "agentruns"


_building = threading.Lock()


def _logger() -> Logger:
    """One for all threads: Powertools makes a logger known by its name before it is complete, and
    a second one of that name writes with the first one's handler but cannot bind ids."""
    with _building:
        return _build_logger()


@functools.cache
def _build_logger() -> Logger:
    from aws_lambda_powertools import Logger

    return Logger(service="agentruns")


def begin_invocation(context: Any, **ids: str | None) -> None:
    """Bind the invocation's ids to every line until the next invocation. None is left out."""
    log = _logger()
    log.clear_state()
    log.thread_safe_clear_keys()
    log.append_keys(
        function_request_id=getattr(context, "aws_request_id", None),
        function_name=getattr(context, "function_name", None),
        **{name: value for name, value in ids.items() if value is not None},
    )


def bind(**ids: str) -> None:
    """Bind further ids, over those of the same name: to the lines of this thread alone, until
    it ends or the next invocation begins in it."""
    _logger().thread_safe_append_keys(**ids)


def count(name: str, value: int = 1, **dimensions: str) -> None:
    """Add to a CloudWatch metric by a line in Embedded Metric Format (no API call).

    Counted for the service alone, which is what alarms look at, and once more by `dimensions`.
    CloudWatch takes (and bills) each value of a dimension as a metric of its own and refuses what
    is not ASCII: so names of ours, never a provider's words.
    """
    _write_metric(name, "Count", value, dimensions)


def measure(name: str, seconds: float) -> None:
    """Put one value, in seconds, of a CloudWatch metric of the service; written as `count` does."""
    _write_metric(name, "Seconds", seconds, {})


def _write_metric(name: str, unit: str, value: float, dimensions: Mapping[str, str]) -> None:
    from aws_lambda_powertools.metrics import EphemeralMetrics

    service = Settings.load().powertools_service_name or "agentruns"
    metrics = EphemeralMetrics(namespace=METRICS_NAMESPACE, service=service)
    metrics.add_metric(name=name, unit=unit, value=value)
    if dimensions:
        metrics.add_dimensions(service=service, **dimensions)
    line = json.dumps(metrics.serialize_metric_set(), separators=(",", ":"))
    # in one piece, newline included: other threads write lines too
    sys.stdout.write(f"{line}\n")


logging.getLogger("agentruns").addHandler(logging.NullHandler())
