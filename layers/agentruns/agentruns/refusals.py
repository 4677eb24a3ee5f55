"""The providers' refusals: what each says no with. The leaves of `errors.UpstreamRejected`.

Step Functions knows them by their class names. Not here: what a refusal means for a run.
"""

from __future__ import annotations

from agentruns.errors import UpstreamRejected


class CredentialsRejected(UpstreamRejected):
    code = "credentials_rejected"

    def __init__(self, connection: str, status: int, detail: str) -> None:
        super().__init__(
            f"connection {connection!r}: the token endpoint answered {status} ({detail}). "
            "Check client_id, client_secret, username, password and the region, "
            f"then store them again with: agentruns connect leena {connection}"
        )
        self.connection = connection
        self.status = status
        self.detail = detail


class TokenRejected(UpstreamRejected):
    code = "token_rejected"

    def __init__(self, connection: str) -> None:
        super().__init__(
            f"connection {connection!r}: a freshly minted token was answered 401. "
            "Check that the region of the connection is the one of the OAuth app"
        )
        self.connection = connection


class ScopeMissing(UpstreamRejected):
    code = "scope_missing"

    def __init__(self, connection: str, detail: str) -> None:
        super().__init__(
            f"connection {connection!r}: answered 403 ({detail}). "
            "Ask Leena AI to give the OAuth app the scope aic.aop_execute"
        )
        self.connection = connection


class AopRejected(UpstreamRejected):
    code = "aop_rejected"

    def __init__(self, aop_id: str, detail: str, status: int = 400) -> None:
        super().__init__(f"AOP {aop_id!r}: answered {status} ({detail})")
        self.aop_id = aop_id
        self.status = status


class AopNotFound(UpstreamRejected):
    code = "aop_not_found"

    def __init__(self, aop_id: str, detail: str) -> None:
        super().__init__(
            f"AOP {aop_id!r}: answered 404 ({detail}). Copy the Identifier from the AOP's details "
            "in the Leena AI dashboard"
        )
        self.aop_id = aop_id


class AopItemNotFound(UpstreamRejected):
    code = "aop_item_not_found"

    def __init__(self, aop_item_id: str, status: int, detail: str) -> None:
        super().__init__(f"AOP item {aop_item_id!r}: answered {status} ({detail})")
        self.aop_item_id = aop_item_id
        self.status = status


class ApiKeyRejected(UpstreamRejected):
    code = "api_key_rejected"

    def __init__(self, connection: str, status: int, detail: str) -> None:
        super().__init__(
            f"connection {connection!r}: Leap answered {status} ({detail}). Check the API key, "
            f"then store it again with: agentruns connect leap {connection}"
        )
        self.connection = connection
        self.status = status


class WorkflowRejected(UpstreamRejected):
    code = "workflow_rejected"

    def __init__(self, workflow_id: str, status: int, detail: str) -> None:
        super().__init__(f"workflow {workflow_id!r}: answered {status} ({detail})")
        self.workflow_id = workflow_id
        self.status = status


class WorkflowNotFound(UpstreamRejected):
    code = "workflow_not_found"

    def __init__(self, workflow_id: str, detail: str) -> None:
        super().__init__(
            f"workflow {workflow_id!r}: answered 404 ({detail}). Copy the workflow's id from Leap, "
            "and see that the connection's dialect is the one its API speaks"
        )
        self.workflow_id = workflow_id


class WorkflowRunNotFound(UpstreamRejected):
    code = "workflow_run_not_found"

    def __init__(self, workflow_run_id: str, status: int, detail: str) -> None:
        super().__init__(f"workflow run {workflow_run_id!r}: answered {status} ({detail})")
        self.workflow_run_id = workflow_run_id
        self.status = status


class AgentRefused(UpstreamRejected):
    code = "agent_refused"

    def __init__(self, host: str, status: int, detail: str) -> None:
        super().__init__(
            f"the agent at {host} answered {status} to its dispatch ({detail}); it takes one with "
            "any 2xx"
        )
        self.status = status
