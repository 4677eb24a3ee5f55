"""What a user of the stack has: an operator key, connections to the stack's own emulators."""

import pytest
import requests

from tests.deployment import Deployment


@pytest.fixture(scope="session")
def connected(deployment: Deployment) -> Deployment:
    """With the connections `acme` and `acme-leap`, checked, and agents: `it_support` on the demo's
    AOP, `content_writer` on a workflow."""
    deployment.connect("acme", deployment.info.leena_emulator_url)
    deployment.connect_leap("acme-leap", deployment.info.leap_emulator_url, "workflows")
    for name in ("acme", "acme-leap"):
        checked = deployment.call("POST", f"/v1/connections/{name}/check", {})
        assert checked["ok"] is True, checked
    agents = {
        "it_support": {"type": "leena_aop", "connection": "acme", "aop_id": "completes_at_once"},
        "content_writer": {
            "type": "leap_workflow",
            "connection": "acme-leap",
            "workflow_id": "wkf_completes",
        },
    }
    for role, adapter in agents.items():
        deployment.call("PUT", f"/v1/agents/{role}", {"adapter": adapter})
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
        """How often the providers took the start of this run."""
        leena = f"{deployment.info.leena_emulator_url}/_emulator/ledger"
        query = {"operation": "execute", "run_id": run_id}
        items = requests.get(leena, params=query, timeout=10).json()["entries"]
        leap = f"{deployment.info.leap_emulator_url}/_emulator/ledger"
        workflow_runs = requests.get(leap, params={"webhook": run_id}, timeout=10).json()["starts"]
        return len(items) + len(workflow_runs)

    return emulator_starts
