"""API keys of connections whose provider takes the key itself on every call.

Kept in the process for one version of the connection: storing it anew gives it a new `updated_at`,
so a changed key is used at once. Not here: minted tokens (`tokens`), the header (`adapters.leap`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentruns.errors import SecretMalformed
from agentruns.providers import LeapConnection, LeapCredentials
from agentruns.secret import Secret
from agentruns.tokens import credentials_secret_name

if TYPE_CHECKING:
    from agentruns.ports import SecretStore

MEMORY_ENTRIES = 256


class StoredApiKeys:
    """Safe to share by threads."""

    def __init__(self, *, secrets: SecretStore, secret_prefix: str) -> None:
        self._secrets = secrets
        self._secret_prefix = secret_prefix
        self._memory: OrderedDict[tuple[str, str, datetime], Secret] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: LeapConnection) -> Secret:
        """SecretMalformed where there is none, or what there is is no key."""
        version = connection.tenant, connection.name, connection.updated_at
        with self._lock:
            remembered = self._memory.get(version)
        if remembered is not None:
            return remembered
        name = credentials_secret_name(self._secret_prefix, connection.tenant, connection.name)
        api_key = parse_api_key(name, self._secrets.get(name)).api_key
        with self._lock:
            self._memory[version] = api_key
            while len(self._memory) > MEMORY_ENTRIES:
                self._memory.popitem(last=False)
        return api_key


def parse_api_key(secret_name: str, document: Mapping[str, Any] | None) -> LeapCredentials:
    """SecretMalformed without a text `api_key`; never a value."""
    api_key = (document or {}).get("api_key")
    if not isinstance(api_key, str) or not api_key:
        raise SecretMalformed(secret_name, "missing or not text: api_key")
    return LeapCredentials(api_key=Secret(api_key))
