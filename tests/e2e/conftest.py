"""What a user of the stack has: an operator key, a connection to the stack's own Leena emulator."""

import pytest
import requests

from tests.deployment import Deployment


@pytest.fixture(scope="session")
def connected(deployment: Deployment) -> Deployment:
    """With the connection `acme`, checked, and the agent `it_support` on the demo's AOP."""
    deployment.connect("acme", deployment.info.leena_emulator_url)
    checked = deployment.call("POST", "/v1/connections/acme/check", {})
    assert checked["ok"] is True, checked
    agent = {"adapter": {"type": "leena_aop", "connection": "acme", "aop_id": "completes_at_once"}}
    deployment.call("PUT", "/v1/agents/it_support", agent)
    return deployment


@pytest.fixture(scope="session")
def foreign_key(deployment: Deployment) -> str:
    """An operator key of another tenant, good for everything there."""
    body = {"name": "foreign", "scopes": ["read", "operate", "admin"], "tenant": "rival"}
    issued = deployment.call("POST", "/v1/operator-keys", body)
    assert issued["tenant"] == "rival"
    return str(issued["key"])


@pytest.fixture
def emulator_starts(deployment: Deployment):
    def emulator_starts(run_id: str) -> int:
        """How often the provider took the start of this run."""
        url = f"{deployment.info.leena_emulator_url}/_emulator/ledger"
        ledger = requests.get(url, params={"operation": "execute", "run_id": run_id}, timeout=10)
        return len(ledger.json()["entries"])

    return emulator_starts
