"""Which API a command talks to, and with which operator key.

Order: the flags `--api-url` or `--stack`; then AGENTRUNS_API_URL; then AGENTRUNS_STACK; then the
`stack.json` in AGENTRUNS_STATE_DIR; then the nearest `.local/stack.json` at or above the working
directory. A key is never a flag, since other
users of the machine can read command lines. Not here: any call to the API itself (client.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentruns_cli.errors import (
    ApiUnavailable,
    CliError,
    NotAuthorized,
    NotFound,
    Problem,
    UsageFault,
)
from agentruns_cli.surroundings import Surroundings

API_URL_VARIABLE = "AGENTRUNS_API_URL"
KEY_VARIABLE = "AGENTRUNS_OPERATOR_KEY"
STACK_VARIABLE = "AGENTRUNS_STACK"
STATE_DIRECTORY_VARIABLE = "AGENTRUNS_STATE_DIR"
STACK_FILE = Path(".local") / "stack.json"

_NO_TARGET = (
    "name it in one of these ways:\n"
    "  agentruns up                                   start the embedded stack here\n"
    f"  --stack NAME, or {STACK_VARIABLE}=NAME         a deployed stack (AWS credentials needed)\n"
    f"  --api-url URL, or {API_URL_VARIABLE}=URL       with the key in {KEY_VARIABLE}\n"
    f"or run the command at or below a directory that has {STACK_FILE}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An operator API and the key for it; `origin` and `key_origin` say where each came from."""

    api_url: str
    operator_key: str = field(repr=False)
    origin: str
    key_origin: str
    is_embedded: bool = False

    @property
    def is_loopback(self) -> bool:
        """True where the API runs on this machine."""
        return _is_loopback(urlsplit(self.api_url).hostname or "")


def resolve_target(surroundings: Surroundings, *, api_url: str | None, stack: str | None) -> Target:
    """The API that flags, environment and working directory name.

    Raises UsageFault where none or a wrong one is named, NotAuthorized without a key, NotFound
    without the stack, ApiUnavailable where AWS does not answer.
    """
    if api_url and stack:
        raise UsageFault(
            "Two targets", "--api-url and --stack name an API each", next_step="Drop one of them."
        )
    environment = surroundings.environment
    if api_url:
        return _from_url(api_url, surroundings, origin="--api-url")
    if stack:
        return _from_cloudformation(stack, environment)
    if url := environment.get(API_URL_VARIABLE):
        return _from_url(url, surroundings, origin=API_URL_VARIABLE)
    if name := environment.get(STACK_VARIABLE):
        return _from_cloudformation(name, environment)
    if state_directory := environment.get(STATE_DIRECTORY_VARIABLE):
        return _from_stack_file(Path(state_directory) / STACK_FILE.name)
    if path := find_stack_file(surroundings.directory):
        return _from_stack_file(path)
    raise UsageFault("No agentruns API is named", _NO_TARGET)


def find_stack_file(directory: Path) -> Path | None:
    """The nearest `.local/stack.json` at or above `directory`."""
    candidates = (place / STACK_FILE for place in (directory, *directory.parents))
    return next((path for path in candidates if path.is_file()), None)


def _from_url(url: str, surroundings: Surroundings, *, origin: str) -> Target:
    key = surroundings.environment.get(KEY_VARIABLE)
    if not key:
        problem = Problem(
            title="No operator key", detail=f"{origin} names the API, but {KEY_VARIABLE} is not set"
        )
        raise NotAuthorized(
            problem, next_step=f"Put the key into the environment variable {KEY_VARIABLE}."
        )
    return Target(
        api_url=_base_url(url, origin),
        operator_key=_key(key, KEY_VARIABLE),
        origin=origin,
        key_origin=KEY_VARIABLE,
    )


def _from_stack_file(path: Path) -> Target:
    next_step = "Write it anew with `agentruns up`."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        url, key = content["api_url"], content["operator_key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageFault(
            f"{path} is not usable", type(error).__name__, next_step=next_step
        ) from error
    return Target(
        api_url=_base_url(str(url), str(path)),
        operator_key=_key(str(key), str(path)),
        origin=str(path),
        key_origin=str(path),
        is_embedded=True,
    )


def _from_cloudformation(stack: str, environment: Mapping[str, str]) -> Target:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    origin = f"stack {stack}"
    try:
        # the AWS CLI reads AWS_REGION, boto3 does not
        region = environment.get("AWS_REGION")
        cloudformation = boto3.client("cloudformation", region_name=region)
        outputs = _stack_outputs(cloudformation.describe_stacks(StackName=stack))
        url = _output(outputs, "ApiUrl", stack)
        secret_id = _output(outputs, "OperatorKeySecretArn", stack)
        secrets = boto3.client("secretsmanager", region_name=region)
        secret = secrets.get_secret_value(SecretId=secret_id)
    except ClientError as error:
        raise _aws_refusal(error.response.get("Error", {}), stack) from error
    except BotoCoreError as error:
        raise _aws_failure(error, stack) from error
    return Target(
        api_url=_base_url(url, origin),
        operator_key=_key_of_secret(secret.get("SecretString"), stack),
        origin=origin,
        key_origin=f"the secret of {origin}",
    )


def _stack_outputs(answer: Mapping[str, Any]) -> dict[str, str]:
    return {
        output["OutputKey"]: output["OutputValue"]
        for output in answer["Stacks"][0].get("Outputs", [])
    }


def _output(outputs: Mapping[str, str], key: str, stack: str) -> str:
    if key not in outputs:
        detail = (
            f"stack {stack} has no output {key}; it has: {', '.join(sorted(outputs)) or 'none'}"
        )
        raise UsageFault(
            "Not an agentruns stack", detail, next_step="Check the stack's name and region."
        )
    return outputs[key]


def _key_of_secret(secret: str | None, stack: str) -> str:
    try:
        return _key(
            str(json.loads(secret or "")["key"]), f"the operator key secret of stack {stack}"
        )
    except (ValueError, KeyError, TypeError) as error:
        detail = f'the secret of stack {stack} is not JSON of the form {{"tenant", "key"}}'
        raise UsageFault("The operator key is unreadable", detail) from error


def _aws_refusal(error: Mapping[str, Any], stack: str) -> CliError:
    code, message = error.get("Code", ""), error.get("Message", "")
    if code in ("ValidationError", "ResourceNotFoundException"):
        problem = Problem(title=f"No stack {stack}", detail=message)
        return NotFound(problem, next_step="Check the name, AWS_PROFILE and AWS_REGION.")
    problem = Problem(title=f"AWS refused to show stack {stack}", detail=f"{code}: {message}")
    if code in ("Throttling", "ThrottlingException", "InternalFailure", "ServiceUnavailable"):
        return ApiUnavailable(problem, next_step="Try again in a moment.")
    return NotAuthorized(
        problem,
        next_step="Needed: cloudformation:DescribeStacks, and secretsmanager:GetSecretValue.",
    )


def _aws_failure(error: Exception, stack: str) -> CliError:
    from botocore import exceptions as botocore

    problem = Problem(title=f"Stack {stack} cannot be looked up", detail=str(error))
    if isinstance(error, botocore.NoRegionError):
        return UsageFault(problem.title, problem.detail, next_step="Set AWS_REGION.")
    if isinstance(error, botocore.HTTPClientError):
        return ApiUnavailable(problem, next_step="Check the network and AWS_ENDPOINT_URL.")
    return NotAuthorized(
        problem, next_step="Sign in to AWS (`aws sso login`, AWS_PROFILE) and try again."
    )


def _base_url(url: str, origin: str) -> str:
    """`url` without a trailing slash or `/v1`; http, which shows the key, is for loopback only."""
    base = url.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parts = urlsplit(base)
        host = parts.hostname or ""
    except ValueError:
        parts, host = None, ""
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not host
        or parts.username is not None
    ):
        raise UsageFault("Not an API address", f"{origin} must be a URL like https://host/path")
    if parts.scheme == "http" and not _is_loopback(host):
        raise UsageFault(
            "Refusing to send the operator key in clear",
            f"{origin} says http:// for {host}, which is not this machine",
            next_step="Use https://.",
        )
    return base


def _key(key: str, origin: str) -> str:
    stripped = key.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise UsageFault(
            "Not an operator key", f"{origin} holds something that cannot be sent in a header"
        )
    return stripped


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
