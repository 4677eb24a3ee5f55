"""The template: in order, complete, and in the same words as the code.

Not here: permissions (test_permissions), metrics (test_metrics), what cfn-lint and
`sam validate --lint` find (make check).
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentruns.adapters.http import CONNECT_SECONDS, DEADLINE_SECONDS
from agentruns.tokens import PATIENCE_SECONDS
from agentruns.wiring_parts import CALL_DEADLINE_SECONDS, CHECK_DEADLINE_SECONDS
from tests.unit.structure.project import (
    FUNCTION_NAMES,
    FUNCTIONS,
    ROOT,
    WORKERS,
    function_properties,
    function_resource,
    logical_id,
    nodes,
    references,
    resources,
    states,
    template,
    template_text,
)

TOP_LEVEL = [
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Conditions",
    "Globals",
    "Resources",
    "Outputs",
]
SECTIONS = [
    "Parameters",
    "Globals",
    "Shared code",
    "Data",
    "Workflow functions",
    "Beside the workflow",
    "State machine",
    "APIs",
    "Events and schedules",
    "Logs and alarms",
    "Outputs",
]
FUNCTION_KEYS = [
    "Description",
    "FunctionName",
    "CodeUri",
    "Handler",
    "Timeout",
    "MemorySize",
    "Layers",
    "LoggingConfig",
    "Environment",
    "Policies",
    "EventInvokeConfig",
    "Events",
]
ALARM_KEYS = [
    "AlarmDescription",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "AlarmActions",
]
CALLS_A_PROVIDER = (
    *("check_run", "execute_aop", "mint_token", "start_leap_workflow", "sweep"),
    *("dispatch_agent", "hooks_api", "operator_api"),
)
INVOKED_ASYNCHRONOUSLY = ("accept_event", "sweep")
HEADING = re.compile(r"^ *# ---- ([^:,\n]+?)(?:[:,]| -)", re.MULTILINE)
SECRET_WORD = re.compile(r"password|secret|token|key", re.IGNORECASE)


def alarms() -> dict[str, dict[str, Any]]:
    found = resources("AWS::CloudWatch::Alarm")
    return {name: alarm["Properties"] for name, alarm in found.items()}


def alarms_on(namespace: str, metric: str) -> list[Any]:
    """What the alarms on a metric look at: the value of their one dimension."""
    return [
        alarm["Dimensions"][0]["Value"]
        for alarm in alarms().values()
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
    ]


def section_of(name: str) -> str:
    """The heading above a resource."""
    heading = ""
    for line in template_text().splitlines():
        found = HEADING.match(line)
        if found:
            heading = found[1]
        if line == f"  {name}:":
            return heading
    raise AssertionError(name)


def test_the_template_is_in_the_house_order():
    assert list(template()) == TOP_LEVEL
    assert HEADING.findall(template_text()) == SECTIONS


def test_resources_stand_in_their_section():
    for name in WORKERS:
        beside = name in {"sweep", "publish_events", "link_activities"}
        expected = "Beside the workflow" if beside else "Workflow functions"
        assert section_of(logical_id(name)) == expected
    assert section_of("AcceptEventFunction") == "Events and schedules"
    assert section_of("OperatorApiFunction") == "APIs"
    assert section_of("HooksApiFunction") == "APIs"
    assert section_of("AgentApiFunction") == "APIs"
    assert section_of("ActivityStateMachine") == "State machine"
    assert {section_of(name) for name in alarms()} == {"Logs and alarms"}
    assert {section_of(name) for name in resources("AWS::SQS::Queue")} == {"Data"}


def test_workflow_functions_stand_in_run_order():
    in_template = list(resources("AWS::Serverless::Function"))

    run_order = [f"{name}Function" for name in states("Task")]
    assert in_template[: len(run_order)] == run_order


def test_every_function_folder_is_a_function_and_the_other_way_round():
    functions = resources("AWS::Serverless::Function")

    assert set(functions) == {logical_id(name) for name in FUNCTION_NAMES}
    for name in FUNCTION_NAMES:
        properties = function_properties(name)
        assert properties["CodeUri"] == f"functions/{name}/"
        assert properties["Handler"] == "app.lambda_handler"
        hyphened = name.replace("_", "-")
        assert properties["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{hyphened}"}
        assert [path.name for path in (FUNCTIONS / name).iterdir() if path.is_file()] == ["app.py"]


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_a_function_has_all_keys_in_the_house_order(name):
    keys = list(function_properties(name))

    assert keys == [key for key in FUNCTION_KEYS if key in keys]
    assert set(FUNCTION_KEYS) - set(keys) <= {"EventInvokeConfig", "Events"}
    assert list(function_resource(name)) == ["Type", "Metadata", "Properties"]


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_a_function_logs_json_into_its_own_group_that_forgets(name):
    config = function_properties(name)["LoggingConfig"]
    group = resources()[config["LogGroup"]["Ref"]]

    assert config["LogFormat"] == "JSON"
    hyphened = name.replace("_", "-")
    assert group["Properties"]["LogGroupName"] == {
        "Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{hyphened}"
    }
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_every_log_group_forgets():
    groups = resources("AWS::Logs::LogGroup")

    assert [n for n, group in groups.items() if "RetentionInDays" not in group["Properties"]] == []


@pytest.mark.parametrize("name", FUNCTION_NAMES)
def test_a_function_has_an_errors_alarm_with_its_name(name):
    alarm = alarms()[logical_id(name).removesuffix("Function") + "ErrorsAlarm"]

    assert {"Ref": logical_id(name)} == alarm["Dimensions"][0]["Value"]
    assert ("AWS/Lambda", "Errors") == (alarm["Namespace"], alarm["MetricName"])
    assert alarm["AlarmDescription"].startswith(f"{name} ")


def test_every_function_is_traced():
    assert template()["Globals"]["Function"]["Tracing"] == "Active"
    assert [n for n in FUNCTION_NAMES if "Tracing" in function_properties(n)] == []
    machine = resources("AWS::Serverless::StateMachine")["ActivityStateMachine"]["Properties"]
    assert machine["Tracing"] == {"Enabled": True}


def test_the_gateway_writes_the_url_of_a_request_nowhere():
    """That of a hook is a credential (decision 0023)."""
    api = resources("AWS::Serverless::Api")["Api"]["Properties"]
    assert api["TracingEnabled"] is False
    for settings in api["MethodSettings"]:
        assert {"LoggingLevel", "DataTraceEnabled"}.isdisjoint(settings)

    _, with_access_logs, without = api["AccessLogSetting"]["Fn::If"]

    assert without == {"Ref": "AWS::NoValue"}
    assert set(re.findall(r"\$context\.([\w.]+)", with_access_logs["Format"])) == {
        "requestId",
        "httpMethod",
        "resourcePath",  # /hooks/leap/{name}, with the braces
        "status",
        "responseLatency",
        "identity.sourceIp",
    }


def test_execution_data_is_not_logged():
    machine = resources("AWS::Serverless::StateMachine")["ActivityStateMachine"]["Properties"]

    assert machine["Logging"]["IncludeExecutionData"] is False
    assert machine["Type"] == "STANDARD"


def test_only_what_validates_requests_has_pydantic():
    with_pydantic = [
        name
        for name in FUNCTION_NAMES
        if {"Ref": "ApiDependenciesLayer"} in function_properties(name)["Layers"]
    ]

    assert with_pydantic == ["accept_event", "agent_api", "operator_api"]
    first = [{"Ref": "AgentrunsLayer"}, {"Ref": "DependenciesLayer"}]
    assert [n for n in FUNCTION_NAMES if function_properties(n)["Layers"][:2] != first] == []


@pytest.mark.parametrize("name", CALLS_A_PROVIDER)
def test_a_function_outlives_a_call_of_the_provider(name):
    assert function_properties(name)["Timeout"] > DEADLINE_SECONDS


def test_workers_outlive_a_token_and_two_calls():
    """Waiting for another container's mint, then an own one; a call and its repeat after a 401."""
    token = PATIENCE_SECONDS + DEADLINE_SECONDS

    assert function_properties("mint_token")["Timeout"] > token
    for name in ("execute_aop", "check_run"):
        assert function_properties(name)["Timeout"] > token + 2 * DEADLINE_SECONDS


def test_the_api_answers_before_the_gateway_does():
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html: 29 s."""
    timeout = function_properties("operator_api")["Timeout"]

    assert timeout < 29
    assert timeout > 2 * (CONNECT_SECONDS + CHECK_DEADLINE_SECONDS)


def test_workers_call_with_the_adapter_s_own_deadline():
    assert DEADLINE_SECONDS == CALL_DEADLINE_SECONDS


@pytest.mark.parametrize("name", INVOKED_ASYNCHRONOUSLY)
def test_what_an_asynchronous_function_cannot_do_is_kept_and_told(name):
    config = function_properties(name)["EventInvokeConfig"]
    destination = config["DestinationConfig"]["OnFailure"]

    assert destination["Type"] == "SQS"
    assert "MaximumRetryAttempts" in config
    (queue,) = references(destination)
    assert {"Fn::GetAtt": [queue, "QueueName"]} in alarms_on(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible"
    )


def test_asynchronous_functions_are_those_with_a_rule_or_a_schedule():
    by_event = {
        name
        for name in FUNCTION_NAMES
        for event in function_properties(name).get("Events", {}).values()
        if event["Type"] in {"EventBridgeRule", "Schedule", "ScheduleV2", "SNS", "S3"}
    }

    assert by_event == set(INVOKED_ASYNCHRONOUSLY)


@pytest.mark.parametrize("function", ["publish_events", "link_activities"])
def test_the_stream_gives_up_on_a_poison_record_and_tells(function):
    (source,) = function_properties(function)["Events"].values()
    mapping = source["Properties"]

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] > 0
    (queue,) = references(mapping["DestinationConfig"])
    assert {"Fn::GetAtt": [queue, "QueueName"]} in alarms_on(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible"
    )


def test_every_rule_and_schedule_target_has_a_queue_and_a_limit():
    event = function_properties("accept_event")["Events"]["ActivityRequested"]["Properties"]
    (rule,) = resources("AWS::Events::Rule")["TicketRule"]["Properties"]["Targets"]
    schedule = resources("AWS::Scheduler::Schedule")["ActivitySchedule"]["Properties"]["Target"]

    for target in (event, rule, schedule):
        assert references(target["DeadLetterConfig"]) == {"FailedEventsQueue"}
        assert set(target["RetryPolicy"]) == {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"}


def test_every_queue_has_an_alarm_and_is_encrypted():
    watched = alarms_on("AWS/SQS", "ApproximateNumberOfMessagesVisible")

    for name, queue in resources("AWS::SQS::Queue").items():
        assert {"Fn::GetAtt": [name, "QueueName"]} in watched
        assert queue["Properties"]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("name", sorted(alarms()))
def test_an_alarm_has_all_keys_and_somebody_to_tell(name):
    alarm = alarms()[name]

    assert list(alarm) == ALARM_KEYS
    assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]


def test_outputs_are_encrypted_kept_and_closed_to_the_public_and_to_plain_http():
    bucket = resources("AWS::S3::Bucket")["OutputBucket"]
    policy = resources("AWS::S3::BucketPolicy")["OutputBucketPolicy"]
    (encryption,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (refusal,) = policy["Properties"]["PolicyDocument"]["Statement"]

    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert encryption == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
    }
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:*")
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert template()["Conditions"][policy["Condition"]] == {
        "Fn::Equals": [{"Ref": "ApiEndpoint"}, ""]
    }


def test_the_table_can_be_brought_back():
    table = resources("AWS::DynamoDB::Table")["Table"]

    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsProd", True, False]}


def test_every_parameter_is_described_and_used():
    parameters = template()["Parameters"]
    used = references({key: value for key, value in template().items() if key != "Parameters"})

    assert set(parameters) - used == set()
    for name, parameter in parameters.items():
        assert parameter["Description"], name
        assert "Default" in parameter, name
        if "AllowedPattern" in parameter:
            assert parameter["ConstraintDescription"], name
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"], name


def test_every_parameter_is_in_a_group_of_the_console():
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(template()["Parameters"])


def test_no_parameter_takes_a_secret():
    assert [name for name in template()["Parameters"] if SECRET_WORD.search(name)] == []


def test_every_output_is_described():
    outputs = template()["Outputs"]

    assert [name for name, output in outputs.items() if not output.get("Description")] == []


def test_every_condition_is_used():
    used = {
        node[key] if key == "Condition" else node[key][0]
        for node in nodes(template()["Resources"])
        if isinstance(node, dict)
        for key in ("Condition", "Fn::If")
        if isinstance(node.get(key), str | list)
    }

    assert set(template()["Conditions"]) == used


def test_every_reference_leads_somewhere():
    known = set(template()["Parameters"]) | set(resources())

    unknown = {name for name in references(template()) if not name.startswith("AWS::")} - known
    assert unknown - {"AWS"} == set()


def test_every_gateway_answer_is_a_problem_document():
    answers = resources("AWS::Serverless::Api")["Api"]["Properties"]["GatewayResponses"]

    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE"} <= set(answers)
    for name, answer in answers.items():
        header = answer["ResponseParameters"]["Headers"]["Content-Type"]
        body = answer["ResponseTemplates"]["application/json"]
        assert header == "'application/problem+json'", name
        for field in ("type", "title", "status", "detail", "instance", "request_id"):
            assert f'"{field}":' in body, name
        assert f'"status": {answer["StatusCode"]},' in body, name
        assert "$context.path" not in body, "a credential that was put into a URL stays unsaid"


def test_layers_have_their_makefile():
    for layer in resources("AWS::Serverless::LayerVersion").values():
        assert layer["Metadata"] == {"BuildMethod": "makefile"}
        assert (ROOT / layer["Properties"]["ContentUri"] / "Makefile").is_file()
