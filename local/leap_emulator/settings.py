"""What the emulator accepts as key, and where the provider's documents leave a choice open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local.emulation.errors import InvalidField
from local.emulation.fields import Fields, require_list
from local.leap_emulator.dialects import Casing, Dialect

_NAMES = (
    "api_key",
    "casing",
    "input_name",
    "start_status",
    "readable",
    "webhook_attempts",
    "webhook_retry_seconds",
    "webhook_timeout_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """The repr shows no key.

    `casing`, `input_name`: of run objects, in answers and webhooks. `start_status`: of a start's
    answer. `readable`: the dialects whose runs `GET /v1/runs/{id}` finds. A webhook is sent
    `webhook_attempts` times at most, until it is answered 2xx; each waits
    `webhook_timeout_seconds` for an answer.
    """

    api_key: str = field(default="demo-key", repr=False)
    casing: Casing = Casing.AS_STARTED
    input_name: str = "input"
    start_status: int = 200
    readable: tuple[Dialect, ...] = (Dialect.RUNS,)
    webhook_attempts: int = 1
    webhook_retry_seconds: float = 1.0
    webhook_timeout_seconds: float = 10.0

    def as_document(self) -> dict[str, Any]:
        """Everything but the key."""
        return {
            "casing": self.casing.value,
            "input_name": self.input_name,
            "start_status": self.start_status,
            "readable": [dialect.value for dialect in self.readable],
            "webhook_attempts": self.webhook_attempts,
            "webhook_retry_seconds": self.webhook_retry_seconds,
            "webhook_timeout_seconds": self.webhook_timeout_seconds,
        }


def change_settings(settings: EmulatorSettings, document: Any) -> EmulatorSettings:
    """`settings` with the fields of `document`; what it leaves out stays. Raises InvalidField."""
    fields = Fields(document)
    fields.refuse_unknown(_NAMES)
    start_status = fields.integer("start_status", settings.start_status, low=200, high=299)
    if start_status == 204:
        raise InvalidField("start_status", "204 has no body; take another")
    return EmulatorSettings(
        api_key=_parse_key(fields, settings.api_key),
        casing=Casing(fields.one_of("casing", list(Casing), settings.casing)),
        input_name=fields.one_of("input_name", ("input", "inputs"), settings.input_name),
        start_status=start_status,
        readable=_parse_dialects(fields) if "readable" in fields else settings.readable,
        webhook_attempts=fields.integer(
            "webhook_attempts", settings.webhook_attempts, low=1, high=20
        ),
        webhook_retry_seconds=fields.number(
            "webhook_retry_seconds", settings.webhook_retry_seconds, low=0, high=3600
        ),
        webhook_timeout_seconds=fields.number(
            "webhook_timeout_seconds", settings.webhook_timeout_seconds, low=0.05, high=300
        ),
    )


def _parse_key(fields: Fields, default: str) -> str:
    key = fields.text("api_key", default)
    if not key.isascii() or not key.isprintable():
        raise InvalidField("api_key", "must be one line of ASCII")
    return key


def _parse_dialects(fields: Fields) -> tuple[Dialect, ...]:
    names = require_list(fields.value("readable"), "readable")
    for index, name in enumerate(names):
        if name not in list(Dialect):
            raise InvalidField(f"readable[{index}]", f"must be one of {', '.join(Dialect)}")
    return tuple(Dialect(name) for name in names)
