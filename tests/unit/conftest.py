from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools.event_handler.openapi import dependant

from agentruns import telemetry


@pytest.fixture(scope="session", autouse=True)
def shared_route_models() -> Iterator[None]:
    """Powertools makes the validators of a route once, not once for each app a test builds: most
    of a first request. They depend on where the route is and on how its function is declared."""
    found: dict[Any, Any] = {}
    of_route, of_body = dependant.get_dependant, dependant.get_body_field

    def get_dependant(*, path: str, call: Any, **others: Any) -> Any:
        key = (path, call.__code__, str(call.__annotations__), *sorted(others))
        if key not in found:
            found[key] = of_route(path=path, call=call, **others)
        return found[key]

    def get_body_field(*, dependant: Any, name: str) -> Any:
        key = (id(dependant), name)
        if key not in found:
            found[key] = of_body(dependant=dependant, name=name)
        return found[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dependant, "get_dependant", get_dependant)
        patch.setattr(dependant, "get_body_field", get_body_field)
        yield


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
