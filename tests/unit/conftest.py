from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from agentruns import telemetry


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The first invocation makes the package's log lines JSON, on the stream of that moment; the
    next test has the logger as it was."""
    logger = logging.getLogger("agentruns")
    before = {**vars(logger), "handlers": logger.handlers[:], "filters": logger.filters[:]}
    yield
    vars(logger).clear()
    vars(logger).update(before)
    logger.setLevel(before["level"])  # also forgets which levels it had found enabled
    telemetry._build_logger.cache_clear()
