"""Which API a command talks to: flags, environment, a deployed stack, the embedded stack."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import requests
from botocore.stub import Stubber

from agentruns_cli import target as target_module
from agentruns_cli.errors import NotAuthorized, UsageFault
from agentruns_cli.surroundings import Surroundings
from agentruns_cli.target import resolve_target
from tests.unit.cli.operator_api import API_URL, OPERATOR_KEY

PAGE: dict[str, Any] = {"items": [], "next_cursor": None}
OUTPUTS = {
    "ApiUrl": "https://abc.execute-api.eu-west-1.amazonaws.com/prod/",
    "OperatorKeySecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-x",
}
SECRET = '{"tenant": "default", "key": "k-CANARY"}'


class Aws:
    """CloudFormation and Secrets Manager, checked by botocore against their API models."""

    def __init__(self) -> None:
        names = ("cloudformation", "secretsmanager")
        self.clients = {name: a_client(name) for name in names}
        self.regions_asked_for: list[str | None] = []
        self._stubbers = {name: Stubber(client) for name, client in self.clients.items()}
        for stubber in self._stubbers.values():
            stubber.activate()

    def client(self, name: str, region_name: str | None = None) -> Any:
        self.regions_asked_for.append(region_name)
        return self.clients[name]

    def holds_stack(self, outputs: dict[str, str], secret: str = SECRET) -> None:
        stack = {
            "StackName": "prod",
            "CreationTime": datetime(2026, 11, 22, tzinfo=UTC),
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()],
        }
        self._stubbers["cloudformation"].add_response(
            "describe_stacks", {"Stacks": [stack]}, {"StackName": "prod"}
        )
        self._stubbers["secretsmanager"].add_response(
            "get_secret_value",
            {"SecretString": secret},
            {"SecretId": OUTPUTS["OperatorKeySecretArn"]},
        )

    def refuses(self, code: str) -> None:
        self._stubbers["cloudformation"].add_client_error(
            "describe_stacks", service_error_code=code, service_message="because"
        )


def a_client(name: str) -> Any:
    return botocore.session.get_session().create_client(
        name, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def surroundings_at(directory: Path, **environment: str) -> Surroundings:
    return Surroundings(directory=directory, environment=environment)


def write_stack_file(directory: Path, content: object) -> Path:
    path = directory / ".local" / "stack.json"
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def aws(monkeypatch):
    aws = Aws()
    monkeypatch.setattr(boto3, "client", aws.client)
    return aws


def test_nothing_named_lists_every_way_to_name_it(cli, api):
    cli.environment = {}

    outcome = cli.run("list")

    assert outcome.exit_code == 2
    for way in (
        "agentruns up",
        "--stack",
        "AGENTRUNS_STACK",
        "--api-url",
        "AGENTRUNS_API_URL",
        "AGENTRUNS_OPERATOR_KEY",
        ".local/stack.json",
    ):
        assert way in outcome.stderr


def test_the_key_travels_in_the_authorization_header_only(cli, api):
    api.answers("GET", "/v1/activities", PAGE)

    outcome = cli.run("list")

    (request,) = api.requests
    assert request.headers["Authorization"] == f"ApiKey {OPERATOR_KEY}"
    assert OPERATOR_KEY not in request.url
    assert OPERATOR_KEY not in outcome.text


def test_a_netrc_does_not_replace_the_key(cli, api, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.answers("GET", "/v1/activities", PAGE)

    cli.run("list")

    assert api.requests[0].headers["Authorization"] == f"ApiKey {OPERATOR_KEY}"


def test_the_flag_wins_over_the_environment(tmp_path):
    surroundings = surroundings_at(
        tmp_path, AGENTRUNS_API_URL="https://env.example", AGENTRUNS_OPERATOR_KEY="k"
    )

    target = resolve_target(surroundings, api_url="https://flag.example/x/v1/", stack=None)

    assert (target.api_url, target.origin) == ("https://flag.example/x", "--api-url")


def test_the_environment_wins_over_the_embedded_stack(tmp_path):
    write_stack_file(tmp_path, {"api_url": API_URL, "operator_key": "local"})
    surroundings = surroundings_at(
        tmp_path, AGENTRUNS_API_URL="https://env.example", AGENTRUNS_OPERATOR_KEY="env"
    )

    assert resolve_target(surroundings, api_url=None, stack=None).operator_key == "env"


def test_the_embedded_stack_is_found_from_below_and_its_key_is_not_shown(tmp_path):
    path = write_stack_file(tmp_path, {"api_url": API_URL, "operator_key": "local-CANARY"})
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    target = resolve_target(surroundings_at(below), api_url=None, stack=None)

    assert (target.api_url, target.operator_key) == (API_URL, "local-CANARY")
    assert (target.origin, target.is_embedded) == (str(path), True)
    assert "CANARY" not in repr(target)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"api_url": "https://x"}', "null"])
def test_a_broken_stack_file_says_which_and_how_to_renew_it(tmp_path, content):
    path = write_stack_file(tmp_path, content)

    with pytest.raises(UsageFault) as caught:
        resolve_target(surroundings_at(tmp_path), api_url=None, stack=None)

    assert str(path) in str(caught.value)
    assert "agentruns up" in caught.value.next_step


def test_an_address_without_a_key_is_an_auth_error(cli, api):
    del cli.environment["AGENTRUNS_OPERATOR_KEY"]

    outcome = cli.run("list")

    assert outcome.exit_code == 4
    assert "AGENTRUNS_OPERATOR_KEY is not set" in outcome.stderr


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://agentruns.example", "in clear"),
        ("ftp://agentruns.example", "Not an API address"),
        ("agentruns.example", "Not an API address"),
        ("https://", "Not an API address"),
        ("https://user@host", "Not an API address"),
        ("https://[bad", "Not an API address"),
    ],
)
def test_an_unusable_address_is_refused_before_the_key_is_sent(cli, api, url, complaint):
    outcome = cli.run("list", "--api-url", url)

    assert outcome.exit_code == 2
    assert complaint in outcome.stderr
    assert api.requests == []


def test_a_key_that_breaks_the_header_is_refused_without_showing_it(cli, api):
    cli.environment["AGENTRUNS_OPERATOR_KEY"] = "key-CANARY\r\nX-Other: 1"

    outcome = cli.run("list")

    assert outcome.exit_code == 2
    assert "CANARY" not in outcome.text


def test_two_targets_are_refused(cli, api):
    assert cli.run("list", "--api-url", API_URL, "--stack", "prod").exit_code == 2


@pytest.mark.parametrize(
    ("environment", "flag"),
    [({"AGENTRUNS_STACK": "prod"}, None), ({"AGENTRUNS_API_URL": "https://env.example"}, "prod")],
)
def test_a_stack_is_read_from_its_outputs_and_its_secret(aws, tmp_path, environment, flag):
    aws.holds_stack(OUTPUTS)

    target = resolve_target(surroundings_at(tmp_path, **environment), api_url=None, stack=flag)

    assert target.api_url == "https://abc.execute-api.eu-west-1.amazonaws.com/prod"
    assert target.operator_key == "k-CANARY"


def test_a_stack_of_something_else_names_the_missing_output(aws, tmp_path):
    aws.holds_stack({"Other": "x"})

    with pytest.raises(UsageFault, match="has no output ApiUrl; it has: Other"):
        resolve_target(surroundings_at(tmp_path), api_url=None, stack="prod")


@pytest.mark.parametrize("secret", ["bare-CANARY", '{"token": "CANARY"}', '["CANARY"]', "{}"])
def test_a_malformed_secret_is_refused_without_showing_it(aws, tmp_path, secret):
    aws.holds_stack(OUTPUTS, secret)

    with pytest.raises(UsageFault) as caught:
        resolve_target(surroundings_at(tmp_path), api_url=None, stack="prod")

    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        ("ValidationError", 5, "No stack prod"),
        ("AccessDenied", 4, "cloudformation:DescribeStacks"),
        ("ExpiredToken", 4, "AWS refused to show stack prod"),
        ("Throttling", 8, "Try again"),
    ],
)
def test_a_refusal_of_aws_is_told_apart(aws, cli, code, exit_code, words):
    aws.refuses(code)

    outcome = cli.run("list", "--stack", "prod")

    assert outcome.exit_code == exit_code
    assert words in outcome.stderr


def test_a_missing_region_and_missing_credentials_say_what_to_set(monkeypatch, tmp_path):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    with pytest.raises(UsageFault) as region:
        resolve_target(surroundings_at(tmp_path), api_url=None, stack="prod")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(NotAuthorized):
        resolve_target(surroundings_at(tmp_path), api_url=None, stack="prod")

    assert "AWS_REGION" in region.value.next_step


def test_a_proxy_of_the_environment_gets_no_loopback_request(cli, api, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    trusting: list[bool] = []

    def unreachable(session: requests.Session, *_: object, **__: object) -> None:
        trusting.append(session.trust_env)
        raise requests.ConnectionError("down")

    monkeypatch.setattr(requests.Session, "request", unreachable)

    cli.run("cancel", "act_1")

    assert trusting == [False]


def test_the_module_reads_no_environment_of_its_own():
    assert "os.environ" not in Path(target_module.__file__).read_text()


def test_a_state_directory_of_its_own_comes_before_the_nearest_one(tmp_path):
    write_stack_file(tmp_path, {"api_url": "http://127.0.0.1:1", "operator_key": "near"})
    other = tmp_path / "other"
    other.mkdir()
    content = {"api_url": "http://127.0.0.1:2", "operator_key": "named"}
    (other / "stack.json").write_text(json.dumps(content))

    surroundings = surroundings_at(tmp_path, AGENTRUNS_STATE_DIR=str(other))
    found = resolve_target(surroundings, api_url=None, stack=None)

    assert (found.api_url, found.operator_key) == ("http://127.0.0.1:2", "named")


def test_the_region_of_the_aws_command_is_ours_too(aws, tmp_path):
    aws.holds_stack(OUTPUTS)

    surroundings = surroundings_at(tmp_path, AWS_REGION="eu-west-1")
    resolve_target(surroundings, api_url=None, stack="prod")

    assert aws.regions_asked_for == ["eu-west-1", "eu-west-1"]
