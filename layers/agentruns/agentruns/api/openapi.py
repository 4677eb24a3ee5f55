"""The OpenAPI 3.1 document of an API, made of its routes and their models.

Powertools writes what the routes and models say; here it is made to say what the front does too:
credentials, problem documents, empty answers, examples. Committed as docs/openapi by
`python -m local.openapi`, and served. Not here: where it is served (`front`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import (
    APIKey,
    SecurityScheme,
    Server,
    ServerVariable,
)

from agentruns.api.openapi_examples import Examples
from agentruns.api.problems import PROBLEM_CONTENT_TYPE, ProblemDocument

Document = dict[str, Any]

_EXECUTE_API = "https://{api_id}.execute-api.{region}.amazonaws.com/live"
_SERVERS = [
    Server(
        url=_EXECUTE_API,
        description="A deployed stack: its output ApiUrl.",
        variables={
            "api_id": ServerVariable(default="a1b2c3d4e5"),
            "region": ServerVariable(default="us-east-1"),
        },
    )
]
_OF_POWERTOOLS = ("HTTPValidationError", "ResponseValidationError", "ValidationError")
_IGNORED_HEADERS = frozenset({"accept", "authorization", "content-type"})
"""What OpenAPI describes elsewhere, and asks not to list as a parameter."""

_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_PATH_PARAMETERS = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_OF_WRITES = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.BAD_GATEWAY)
_WITH_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
PROBLEMS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The body is not JSON.",
    HTTPStatus.UNAUTHORIZED: "No credential, or one that is not known here or no longer valid.",
    HTTPStatus.FORBIDDEN: "The credential does not allow this.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or it is somebody else's.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The path is there, the method is not.",
    HTTPStatus.CONFLICT: "As things stand this cannot be done.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has more than 1 MiB.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not application/json.",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "There is nothing in this range.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Fields are wrong; `errors` names them.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The fault is ours.",
    HTTPStatus.BAD_GATEWAY: "A provider, or an agent, refused or was not understood.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Send it again, after `Retry-After`.",
}
"""What a route may answer instead of success, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What of an API its routes do not say.

    `security` is that of a route which says none itself; `more` is what the API adds to a problem
    document, as its front does; `rename` gives a path parameter's name to be shown.
    """

    title: str
    text: str
    schemes: Mapping[str, SecurityScheme]
    security: str
    more: Callable[[ProblemDocument], Mapping[str, Any]]
    rename: Callable[[str], str] = str


def header_key(description: str) -> APIKey:
    """A credential in the header Authorization that is not OAuth's Bearer."""
    fields = {"in": "header", "name": "Authorization", "description": description}
    return APIKey.model_validate(fields)


def describe_api(resolver: APIGatewayRestResolver, about: Description) -> Document:
    """The document as JSON values, in a stable order."""
    said = resolver.get_openapi_json_schema(
        title=about.title,
        version="1",
        openapi_version="3.1.0",
        description=about.text,
        servers=_SERVERS,
        security_schemes=dict(about.schemes),
    )
    document: Document = json.loads(said)
    components = document["components"]
    for name in _OF_POWERTOOLS:
        components["schemas"].pop(name, None)
    names = {
        (route.method.lower(), route.openapi_path): route.func.__name__
        for route in [*resolver._static_routes, *resolver._dynamic_routes]  # noqa: SLF001  # no public list
    }
    examples = Examples(components["schemas"])
    for path, method, operation in operations(document):
        operation["operationId"] = names[method, path]
        operation.setdefault("security", [{about.security: []}])
        _finish_parameters(operation, about, examples)
        _finish_answers(method, operation)
        _give_examples(operation, examples)
    answered = {
        status
        for status in PROBLEMS
        for _, _, operation in operations(document)
        if str(status.value) in operation["responses"]
    }
    components["schemas"]["Problem"] = _problem_schema(about, answered)
    components["responses"] = {
        _response_name(status): _problem_response(status, about) for status in sorted(answered)
    }
    document["paths"] = {
        _renamed(path, about): document["paths"][path] for path in sorted(document["paths"])
    }
    tidied: Document = _tidied(document)
    return tidied


def render(document: Document) -> str:
    """As it is committed and served."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Path, method in lower case, and the operation itself."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _finish_parameters(operation: Document, about: Description, examples: Examples) -> None:
    parameters = [
        each
        for each in operation.get("parameters", ())
        if not (each["in"] == "header" and each["name"].lower() in _IGNORED_HEADERS)
    ]
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
        if parameter["in"] == "path":
            parameter["name"] = about.rename(parameter["name"])
            parameter["example"] = examples.of_path_parameter(parameter)
    operation.pop("parameters", None)
    if parameters:
        operation["parameters"] = parameters


def _without_null(schema: Document) -> Document:
    """A parameter is absent, never null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    kind: Document = kinds[0]
    return {name: value for name, value in schema.items() if name != "anyOf"} | kind


def _finish_answers(method: str, operation: Document) -> None:
    said = operation["responses"]
    answers = {status: answer for status, answer in said.items() if status[0] == "2"}
    for status in (each for each in said if each[0] == "3"):
        answers[status] = {"description": said[status]["description"]}
    if method != "get" and _is_plain_text(answers.get("200", {})):
        answers = {"204": {"description": "Done; there is nothing to say."}}
    refusals = {*_ALWAYS, *(HTTPStatus(int(each)) for each in said if each[0] == "4")}
    if any(each["in"] == "path" for each in operation.get("parameters", ())):
        refusals |= {*_WITH_PATH_PARAMETERS}
    if method != "get":
        refusals |= {*_OF_WRITES}
    if "requestBody" in operation:
        refusals |= {*_WITH_BODY}
    for status in sorted(refusals):
        answers[str(status.value)] = {"$ref": f"#/components/responses/{_response_name(status)}"}
    operation["responses"] = answers


def _is_plain_text(answer: Document) -> bool:
    """As Powertools describes a `Response[str]`, which is what a route without an answer gives."""
    content = answer.get("content", {}).get("application/json", {})
    return bool(content.get("schema", {}).get("type") == "string")


def _give_examples(operation: Document, examples: Examples) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = examples.of_body(content["schema"])
    for status, answer in operation["responses"].items():
        if not status.startswith("2"):
            continue
        for content in answer.get("content", {}).values():
            content["example"] = examples.of_answer(content["schema"])


def _problem_schema(about: Description, answered: Set[HTTPStatus]) -> Document:
    added = about.more(_problem(HTTPStatus.NOT_FOUND))
    own: Document = {
        "type": {"type": "string", "description": "A URN per kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people: what is wrong, with numbers."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "request_id": {"type": "string", "description": "Under which the logs have it."},
    }
    for name in added:
        words = {about.more(_problem(status))[name] for status in answered}
        own[name] = {"type": "string", "enum": sorted(words)}
    errors = {
        "type": "array",
        "description": "Which fields are wrong, and why.",
        "items": {
            "type": "object",
            "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            "required": ["field", "message"],
            "additionalProperties": False,
        },
    }
    return {
        "type": "object",
        "title": "Problem",
        "description": "RFC 9457.",
        "properties": own | {"errors": errors},
        "required": [*own],
        "additionalProperties": False,
    }


def _problem_response(status: HTTPStatus, about: Description) -> Document:
    problem = _problem(status)
    example = problem.to_json("/v1/...", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
    return {
        "description": PROBLEMS[status],
        "content": {
            PROBLEM_CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": example | dict(about.more(problem)),
            }
        },
    }


def _problem(status: HTTPStatus) -> ProblemDocument:
    return ProblemDocument(status=status, code=status.name.lower(), detail=PROBLEMS[status])


def _response_name(status: HTTPStatus) -> str:
    return "".join(word.capitalize() for word in status.name.split("_"))


def _renamed(path: str, about: Description) -> str:
    parts = path.split("/")
    return "/".join(
        f"{{{about.rename(part[1:-1])}}}" if part.startswith("{") else part for part in parts
    )


def _tidied(value: Any) -> Any:
    """Whole numbers as such: Powertools has every limit as a float."""
    if isinstance(value, dict):
        return {name: _tidied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_tidied(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
