from __future__ import annotations

import pytest

from tests.unit.api.driver import Api


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def ready(api: Api) -> Api:
    """With the connection `acme` and the agent `it_support`."""
    return api.with_agent()
