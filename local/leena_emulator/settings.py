"""What the emulator accepts as credentials, and what its tokens are like. Not the CLI's options."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from local.emulation.errors import InvalidField
from local.emulation.fields import Fields, require_list
from local.leena_emulator.errors import CredentialsFileUnusable

EXECUTE_SCOPE = "aic.aop_execute"
MAXIMUM_EXPIRES_IN_SECONDS = 10 * 365 * 24 * 3600
_CREDENTIAL_NAMES = ("client_id", "client_secret", "username", "password")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The one OAuth app and system user that the emulator knows. The repr shows no secret."""

    client_id: str = "demo-client"
    client_secret: str = field(default="demo-secret", repr=False)
    username: str = "demo-user"
    password: str = field(default="demo-password", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """`expires_in` in seconds; `scopes` of the tokens minted from now on."""

    credentials: Credentials = Credentials()
    expires_in: int = 3600
    scopes: tuple[str, ...] = (EXECUTE_SCOPE,)

    def as_document(self) -> dict[str, Any]:
        """Everything but the secrets."""
        return {
            "expires_in": self.expires_in,
            "scopes": list(self.scopes),
            "credentials": {
                "client_id": self.credentials.client_id,
                "username": self.credentials.username,
            },
        }


def change_settings(settings: EmulatorSettings, document: Any) -> EmulatorSettings:
    """`settings` with the fields of `document`; what it leaves out stays. Raises InvalidField."""
    fields = Fields(document)
    fields.refuse_unknown(("expires_in", "scopes", "credentials"))
    expires_in = fields.integer(
        "expires_in", settings.expires_in, low=1, high=MAXIMUM_EXPIRES_IN_SECONDS
    )
    scopes = settings.scopes
    if "scopes" in fields:
        scopes = _parse_scopes(fields.value("scopes"))
    credentials = settings.credentials
    if "credentials" in fields:
        credentials = _change_credentials(credentials, fields.value("credentials"))
    return EmulatorSettings(credentials=credentials, expires_in=expires_in, scopes=scopes)


def read_credentials(path: Path) -> Credentials:
    """A JSON file with client_id, client_secret, username and password.

    Raises CredentialsFileUnusable, with the names but never the values.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise CredentialsFileUnusable(f"{path} cannot be read as JSON") from exc
    missing = [
        name for name in _CREDENTIAL_NAMES if not isinstance(document, dict) or name not in document
    ]
    if missing:
        raise CredentialsFileUnusable(f"{path} lacks {', '.join(missing)}")
    try:
        return _change_credentials(Credentials(), document)
    except InvalidField as exc:
        raise CredentialsFileUnusable(f"{path}: {exc.message}") from exc


def _parse_scopes(value: Any) -> tuple[str, ...]:
    scopes = require_list(value, "scopes")
    for index, scope in enumerate(scopes):
        if not isinstance(scope, str) or not scope or " " in scope:
            raise InvalidField(f"scopes[{index}]", "must be a string without blanks")
    return tuple(scopes)


def _change_credentials(credentials: Credentials, value: Any) -> Credentials:
    fields = Fields(value, "credentials")
    fields.refuse_unknown(_CREDENTIAL_NAMES)
    if "client_id" in fields and ":" in fields.text("client_id"):
        raise InvalidField("credentials.client_id", "must not have a colon (Basic authentication)")
    changes = {name: fields.text(name) for name in _CREDENTIAL_NAMES if name in fields}
    return replace(credentials, **changes)
