"""The environment of a function, read once and checked as a whole. The only reader of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from agentruns.errors import SettingsMissing
from agentruns.polling import PollPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Each field is the environment variable of its name in capitals; "" where it is not set."""

    powertools_service_name: str = ""
    table_name: str = ""
    output_bucket_name: str = ""
    event_bus_name: str = ""
    secret_prefix: str = ""
    state_machine_arn: str = ""
    operator_key_secret_arn: str = ""
    hook_secret_arn: str = ""
    hook_base_url: str = ""
    task_token_secret_arn: str = ""
    agent_api_url: str = ""
    event_tenant: str = ""
    allow_private_networks: str = ""
    allowed_ports: str = ""
    poll_floor_seconds: str = ""
    poll_cap_seconds: str = ""
    paused_poll_floor_seconds: str = ""
    paused_poll_cap_seconds: str = ""

    @classmethod
    def load(cls, *required: str, environment: Mapping[str, str] | None = None) -> Settings:
        """SettingsMissing names every required variable that is not set."""
        source = os.environ if environment is None else environment
        values = {field.name: source.get(field.name.upper(), "") for field in fields(cls)}
        missing = [name.upper() for name in required if not values[name]]
        if missing:
            raise SettingsMissing(missing)
        return cls(**values)

    @property
    def poll_policy(self) -> PollPolicy:
        return PollPolicy(
            floor_seconds=float(self.poll_floor_seconds),
            cap_seconds=float(self.poll_cap_seconds),
            paused_floor_seconds=float(self.paused_poll_floor_seconds),
            paused_cap_seconds=float(self.paused_poll_cap_seconds),
        )

    @property
    def allows_private_networks(self) -> bool:
        return self.allow_private_networks == "true"

    @property
    def ports(self) -> frozenset[int]:
        """Of public hosts that are called: `443`, or several with commas between."""
        return frozenset(int(port) for port in self.allowed_ports.split(","))


POLL_SETTINGS = (
    "poll_floor_seconds",
    "poll_cap_seconds",
    "paused_poll_floor_seconds",
    "paused_poll_cap_seconds",
)
