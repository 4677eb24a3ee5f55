"""The URLs at which a provider tells us how a run ended: unguessable, one per run.

`<base>/leap/<run id>.<tenant>.<mac>`, with a mac of 256 bits over run and tenant under a secret of
the deployment. Whoever has the URL may speak for that run and for no other, so it is shown to the
provider alone and stands in no log. The secret can be changed: URLs of the version before the
current one (Secrets Manager's AWSPREVIOUS) go on being taken. Not here: what is made of a call
(`hooks`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentruns.errors import SecretMalformed
from agentruns.ids import TENANT_PATTERN
from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.ports import SecretStore

_PURPOSE = b"agentruns leap hook 1\n"
_PARTS = re.compile(r"(run_[0-9A-Z]{26}_[1-9][0-9]{0,3})\.([a-z0-9-]{1,32})\.([A-Za-z0-9_-]{43})\Z")
_TENANT = re.compile(TENANT_PATTERN)
SHORTEST_SECRET = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class HookedRun:
    """Which run a URL speaks for."""

    tenant: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HookUrls:
    """Makes and reads them. `secret_arn`: a secret `{"key": <at least 32 characters>}`.

    Nothing is remembered, so a changed secret counts at once.
    """

    secrets: SecretStore
    secret_arn: str
    base_url: str

    def url_of(self, tenant: str, run_id: str) -> Secret:
        """SecretMalformed where there is no usable secret."""
        mac = _mac(self._key(), HookedRun(tenant=tenant, run_id=run_id))
        return Secret(f"{self.base_url}/leap/{run_id}.{tenant}.{mac}")

    def read(self, name: str) -> HookedRun | None:
        """The run of the URL's last part; None unless it is one of ours, letter by letter.
        SecretMalformed as `url_of`; a version before it that is none is passed over."""
        parts = _PARTS.match(name)
        if parts is None or _TENANT.match(parts[2]) is None:
            return None
        hooked = HookedRun(tenant=parts[2], run_id=parts[1])
        if hmac.compare_digest(_mac(self._key(), hooked), parts[3]):
            return hooked
        before = self._key_before()
        if before is not None and hmac.compare_digest(_mac(before, hooked), parts[3]):
            return hooked
        return None

    def _key(self) -> str:
        return self._key_of(self.secrets.get(self.secret_arn))

    def _key_before(self) -> str | None:
        try:
            before = self.secrets.get_previous(self.secret_arn)
            return None if before is None else self._key_of(before)
        except SecretMalformed:
            return None

    def _key_of(self, document: Mapping[str, Any] | None) -> str:
        key = (document or {}).get("key")
        if not isinstance(key, str) or len(key) < SHORTEST_SECRET:
            raise SecretMalformed(self.secret_arn, "missing or too short: key")
        return key


def _mac(key: str, hooked: HookedRun) -> str:
    message = _PURPOSE + f"{hooked.tenant}\n{hooked.run_id}".encode()
    digest = hmac.new(key.encode(), message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
