"""Permissions: each role may do what its function does, on what it does it to, and nothing else.

The matrix is exact, so an action too many fails as an action too few does; what AWS asks for each
call is in docs/decisions/0002-least-privilege.md. Enforcement is the embedded stack's (AUTH=true).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.structure.project import (
    FUNCTION_NAMES,
    PACKAGE,
    function_properties,
    resources,
    template_text,
)

TABLE = "Table"
CONNECTIONS = "secret:agentruns/<stack>/connections/*"
TOKENS = "secret:agentruns/<stack>/tokens/*"
AGENTS = "secret:agentruns/<stack>/agents/*"
HOOK_KEY = "HookSecret"
TASK_TOKEN_KEY = "TaskTokenSecret"
OUTPUTS = "OutputBucket/outputs/*"
MACHINE = "stateMachine:<stack>-activity"
EXECUTIONS = "execution:<stack>-activity:*"

READ = {"dynamodb:GetItem", "dynamodb:Query"}
WRITE = READ | {"dynamodb:PutItem"}
LEASE = WRITE | {"dynamodb:DeleteItem"}
READ_SECRET = {"secretsmanager:GetSecretValue"}
STORE_SECRET = READ_SECRET | {"secretsmanager:PutSecretValue", "secretsmanager:CreateSecret"}

KEEP_OUTPUTS = {OUTPUTS: {"s3:PutObject"}}

WITH_TOKEN = {TABLE: LEASE, CONNECTIONS: READ_SECRET, TOKENS: STORE_SECRET}
GRANTS: dict[str, dict[str, set[str]]] = {
    "open_run": {TABLE: LEASE, MACHINE: {"states:SendTaskSuccess"}},
    "mint_token": WITH_TOKEN,
    "execute_aop": WITH_TOKEN,
    "start_leap_workflow": {TABLE: WRITE, CONNECTIONS: READ_SECRET, HOOK_KEY: READ_SECRET}
    | KEEP_OUTPUTS,
    "dispatch_agent": {TABLE: WRITE, AGENTS: READ_SECRET, TASK_TOKEN_KEY: READ_SECRET},
    "check_run": WITH_TOKEN | KEEP_OUTPUTS,
    "agent_api": {
        TABLE: LEASE,
        f"{TABLE}/index/listing": {"dynamodb:Query"},
        CONNECTIONS: READ_SECRET,
        AGENTS: READ_SECRET,
        TASK_TOKEN_KEY: READ_SECRET,
        MACHINE: {"states:SendTaskSuccess", "states:StartExecution"},
        EXECUTIONS: {"states:StopExecution"},
        OUTPUTS: {"s3:GetObject", "s3:PutObject"},
    },
    "hooks_api": {
        TABLE: WRITE,
        CONNECTIONS: READ_SECRET,
        HOOK_KEY: READ_SECRET,
        MACHINE: {"states:SendTaskSuccess"},
    }
    | KEEP_OUTPUTS,
    "park_run": {TABLE: WRITE, MACHINE: {"states:SendTaskSuccess"}},
    "settle_run": {TABLE: LEASE, MACHINE: {"states:SendTaskSuccess"}},
    "sweep": WITH_TOKEN
    | {
        OUTPUTS: {"s3:GetObject", "s3:PutObject"},
        f"{TABLE}/index/due": {"dynamodb:Query"},
        MACHINE: {"states:SendTaskSuccess", "states:StartExecution"},
        EXECUTIONS: {"states:DescribeExecution", "states:StopExecution"},
        "FailedSweepsQueue": {"sqs:SendMessage"},
    },
    "publish_events": {
        "EventBus": {"events:PutEvents"},
        "FailedPublishesQueue": {"sqs:SendMessage"},
    },
    "link_activities": {
        TABLE: WRITE,
        OUTPUTS: {"s3:GetObject"},
        MACHINE: {"states:SendTaskSuccess", "states:StartExecution"},
        "FailedLinksQueue": {"sqs:SendMessage"},
    },
    "accept_event": {
        TABLE: WRITE,
        MACHINE: {"states:StartExecution"},
        "FailedEventsQueue": {"sqs:SendMessage"},
    },
    "operator_api": {
        TABLE: LEASE,
        f"{TABLE}/index/listing": {"dynamodb:Query"},
        f"{TABLE}/index/inbox": {"dynamodb:Query"},
        CONNECTIONS: STORE_SECRET | {"secretsmanager:DeleteSecret"},
        AGENTS: STORE_SECRET | {"secretsmanager:DeleteSecret"},
        TOKENS: {"secretsmanager:DeleteSecret"},
        "OperatorKeySecret": READ_SECRET,
        OUTPUTS: {"s3:GetObject"},
        MACHINE: {"states:StartExecution", "states:SendTaskSuccess"},
        EXECUTIONS: {"states:StopExecution"},
    },
}
"""Per function: what it touches and what it does to it."""

ACTIONS_OF_CALLS = {
    "get_item": "dynamodb:GetItem",
    "query": "dynamodb:Query",
    "put_item": "dynamodb:PutItem",
    "delete_item": "dynamodb:DeleteItem",
    "transact_write_items": "dynamodb:PutItem",  # of Puts only: each is governed by its own action
    "get_secret_value": "secretsmanager:GetSecretValue",
    "put_secret_value": "secretsmanager:PutSecretValue",
    "create_secret": "secretsmanager:CreateSecret",
    "delete_secret": "secretsmanager:DeleteSecret",
    "start_execution": "states:StartExecution",
    "stop_execution": "states:StopExecution",
    "describe_execution": "states:DescribeExecution",
    "send_task_success": "states:SendTaskSuccess",
    "put_events": "events:PutEvents",
    "put_object": "s3:PutObject",
    "get_object": "s3:GetObject",
}
BY_LAMBDA_ITSELF = {"sqs:SendMessage"}  # with the function's role, to its failure destination
NEVER = (
    "iam:",
    "sts:",
    "kms:",
    "lambda:",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteTable",
    "secretsmanager:ListSecrets",
    "states:UpdateStateMachine",
    "states:SendTaskFailure",
)


def name_of(resource: Any) -> str:
    """`!GetAtt Table.Arn` is `Table`; of an ARN in a Sub what follows the account."""
    if isinstance(resource, str):
        return resource
    if "Ref" in resource:
        return str(resource["Ref"])
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    text = str(resource["Fn::Sub"]).replace("${AWS::StackName}", "<stack>")
    text = re.sub(
        r"^arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", text
    )
    return text.replace("${Table.Arn}", TABLE).replace("${OutputBucket.Arn}", "OutputBucket")


def statements(properties: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in properties["Policies"]:
        yield from policy.get("PolicyDocument", policy)["Statement"]


def all_statements() -> Iterator[tuple[str, dict[str, Any]]]:
    types = ("AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::IAM::Role")
    for name, resource in resources(*types).items():
        for statement in statements(resource["Properties"]):
            yield name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def grants(function: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for statement in statements(function_properties(function)):
        for resource in as_list(statement["Resource"]):
            found.setdefault(name_of(resource), set()).update(statement["Action"])
    return found


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_may_do_exactly_what_it_does(function):
    assert GRANTS[function] == grants(function)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
def test_a_function_may_not_do_what_is_foreign_to_it(function):
    allowed = {action for actions in grants(function).values() for action in actions}

    assert [action for action in sorted(allowed) if action.startswith(NEVER)] == []


def test_what_is_granted_is_what_the_code_calls():
    calls = {
        node.func.attr
        for folder in ("store", "aws")
        for path in (PACKAGE / folder).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    granted = {
        action for name in FUNCTION_NAMES for actions in grants(name).values() for action in actions
    }

    called = {action for call, action in ACTIONS_OF_CALLS.items() if call in calls}
    assert called | BY_LAMBDA_ITSELF == granted


def test_a_transaction_is_made_of_puts_and_deletions():
    """A ConditionCheck or an Update in it would need its own action."""
    text = (PACKAGE / "store" / "table.py").read_text()

    assert '"Put": {' in text
    assert '"Delete": {' in text
    assert [word for word in ("ConditionCheck", "Update") if f'"{word}": {{' in text] == []


def test_every_statement_has_a_name_and_named_actions():
    for name, statement in all_statements():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", statement["Sid"]), name
        assert statement["Effect"] == "Allow"
        assert "NotAction" not in statement
        assert [action for action in as_list(statement["Action"]) if "*" in action] == []


def test_no_two_statements_of_a_role_have_the_same_name():
    named = [(name, statement["Sid"]) for name, statement in all_statements()]

    assert sorted(named) == sorted(set(named))


def test_a_bare_star_carries_its_reason_on_the_line():
    stars = [line for line in template_text().splitlines() if re.search(r"Resource: ?\"?\*", line)]

    assert stars
    assert [line for line in stars if re.search(r"# \w+", line) is None] == []


def test_a_star_in_a_resource_ends_a_name_of_this_stack():
    """Behind a slash or a colon, so that it fits no other stack's name."""
    for name, statement in all_statements():
        for resource in map(name_of, as_list(statement["Resource"])):
            if "*" in resource and resource != "*":
                assert re.search(
                    r"(<stack>(-activity)?[/:]|^OutputBucket/).*(?<=[/:])\*$", resource
                ), name


def test_no_function_uses_a_policy_it_did_not_write():
    for name in FUNCTION_NAMES:
        properties = function_properties(name)
        assert "Role" not in properties
        assert all(
            isinstance(policy, dict) and "Statement" in policy for policy in properties["Policies"]
        )


def test_no_role_is_shared():
    """SAM makes one role per function; the only other one is the schedule's."""
    assert list(resources("AWS::IAM::Role")) == ["ActivityScheduleRole"]


def test_the_scheduler_may_start_the_state_machine_and_report_what_did_not_start():
    properties = resources("AWS::IAM::Role")["ActivityScheduleRole"]["Properties"]
    found = {
        name_of(statement["Resource"][0]): statement["Action"]
        for statement in statements(properties)
    }
    (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]

    assert found == {
        "ActivityStateMachine": ["states:StartExecution"],
        "FailedEventsQueue": ["sqs:SendMessage"],
    }
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_rules_may_use_the_queue_only_as_rules_of_this_bus():
    (statement,) = resources("AWS::SQS::QueuePolicy")["FailedEventsQueuePolicy"]["Properties"][
        "PolicyDocument"
    ]["Statement"]

    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    (source,) = statement["Condition"]["ArnLike"].values()
    assert source["Fn::Sub"].endswith(":rule/${AWS::StackName}/*")
