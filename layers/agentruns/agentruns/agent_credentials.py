"""What an agent's dispatches are signed and let in with: one secret per agent.

`{"signing_secrets": [newest, before it], "auth_header", "auth_value"}`. Signatures are those of
Standard Webhooks (https://www.standardwebhooks.com); while two secrets are there each dispatch is
signed by both, so an agent changes over when it likes. Not here: the keys with which an agent calls
us, sending (`adapters.agent_webhook`).
"""

from __future__ import annotations

import base64
import logging
import secrets as random_source
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentruns.agent_ports import AgentCredentials
from agentruns.errors import SecretMalformed
from agentruns.secret import Secret

if TYPE_CHECKING:
    from agentruns.ports import SecretStore

SIGNING_PREFIX = "whsec_"
OWN_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "host"),
        *("transfer-encoding", "user-agent"),
        *("webhook-id", "webhook-signature", "webhook-timestamp"),
    }
)
"""Which a dispatch sets itself."""

_SIGNING_BYTES = 32
SIGNING_SECRETS_KEPT = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthHeader:
    """What the agent's own front door asks for, e.g. `Authorization: Bearer ...`."""

    name: str
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAgentCredentials:
    """Reads and writes them. Nothing is remembered: a dispatch reads its secret once."""

    secrets: SecretStore
    secret_prefix: str

    def get(self, tenant: str, role: str) -> AgentCredentials:
        """SecretMalformed where there is none, or what there is has not this shape."""
        name = self._name(tenant, role)
        return _parse(name, self.secrets.get(name))

    def ensure(
        self, tenant: str, role: str, auth: AuthHeader | None, *, keep: bool
    ) -> Secret | None:
        """Store the header; with `keep` the one that is there stays. The signing secret where
        this made one."""
        name = self._name(tenant, role)
        document = dict(self.secrets.get(name) or {})
        made = None
        if not document.get("signing_secrets"):
            made = _new_signing_secret()
            document["signing_secrets"] = [made.reveal()]
        if not keep:
            document.pop("auth_header", None)
            document.pop("auth_value", None)
            if auth is not None:
                document |= {"auth_header": auth.name, "auth_value": auth.value.reveal()}
        self._put(name, document, role)
        return made

    def rotate(self, tenant: str, role: str) -> Secret:
        """A new signing secret; the one before it goes on being used beside it."""
        name = self._name(tenant, role)
        document = dict(self.secrets.get(name) or {})
        made = _new_signing_secret()
        kept = [made.reveal(), *document.get("signing_secrets", ())][:SIGNING_SECRETS_KEPT]
        self._put(name, document | {"signing_secrets": kept}, role)
        logger.info("signing_secret_rotated", extra={"tenant": tenant, "agent_role": role})
        return made

    def delete(self, tenant: str, role: str) -> None:
        self.secrets.delete(self._name(tenant, role))

    def _put(self, name: str, document: Mapping[str, Any], role: str) -> None:
        self.secrets.put(name, document, f"agentruns: dispatches to agent {role}")

    def _name(self, tenant: str, role: str) -> str:
        return f"{self.secret_prefix}/agents/{tenant}/{role}"


def _new_signing_secret() -> Secret:
    raw = base64.b64encode(random_source.token_bytes(_SIGNING_BYTES)).decode("ascii")
    return Secret(SIGNING_PREFIX + raw)


def _parse(name: str, document: Mapping[str, Any] | None) -> AgentCredentials:
    found = document or {}
    signing = found.get("signing_secrets")
    if not isinstance(signing, list) or not signing:
        raise SecretMalformed(name, "missing: signing_secrets; store the agent again")
    header, value = found.get("auth_header"), found.get("auth_value")
    texts = [*signing, *(each for each in (header, value) if each is not None)]
    if not all(isinstance(each, str) for each in texts) or (header is None) is not (value is None):
        raise SecretMalformed(name, "signing_secrets and the auth header must be text")
    return AgentCredentials(
        signing_secrets=tuple(Secret(each) for each in signing),
        auth_headers={str(header): Secret(str(value))} if header is not None else {},
    )
