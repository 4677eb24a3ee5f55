"""In-memory implementations of the ports in `agentruns.ports`, held to them by `tests.contracts`.

Not mocks: they keep state as the real ones do. What a test scripts or looks at is a method or an
attribute beyond the port.
"""

from tests.fakes.agents import FakeAgentCaller, SentDispatch
from tests.fakes.clock import FakeClock
from tests.fakes.event_bus import RecordingEventBus
from tests.fakes.executions import FakeExecutions, StartedExecution
from tests.fakes.leap import FakeLeapApi
from tests.fakes.leena import FakeLeenaApi, FakeTokenSource, LeenaCall
from tests.fakes.secrets import InMemorySecretStore
from tests.fakes.stores import (
    InMemoryActivityStore,
    InMemoryAgentStore,
    InMemoryConnectionStore,
    InMemoryDurationStore,
    InMemoryLeaseStore,
    InMemoryOperatorKeyStore,
    InMemoryScheduleStore,
)

__all__ = [
    "FakeAgentCaller",
    "FakeClock",
    "FakeExecutions",
    "FakeLeapApi",
    "FakeLeenaApi",
    "FakeTokenSource",
    "InMemoryActivityStore",
    "InMemoryAgentStore",
    "InMemoryConnectionStore",
    "InMemoryDurationStore",
    "InMemoryLeaseStore",
    "InMemoryOperatorKeyStore",
    "InMemoryScheduleStore",
    "InMemorySecretStore",
    "LeenaCall",
    "RecordingEventBus",
    "SentDispatch",
    "StartedExecution",
]
