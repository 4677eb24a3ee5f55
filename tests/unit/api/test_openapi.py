"""The OpenAPI documents: current, valid, of every route, with examples that hold."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from agentruns.api.agent_app import build_agent_resolver
from agentruns.api.app import build_resolver
from agentruns.api.openapi import Document, operations, render
from agentruns.api.openapi_examples import Examples, NoExample
from local import openapi
from tests.unit.api.both import APIS, ROUTES, ApiUnderTest, BothApis, body_of, scheme_of
from tests.unit.api.driver import proxy_event

PATHS = {"operator": "/v1/openapi.json", "agent": "/agent/v1/openapi.json"}
NAMES = [f"{method} {path}" for _, method, path, _ in ROUTES]
each_api = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
each_route = pytest.mark.parametrize(("api", "method", "path", "operation"), ROUTES, ids=NAMES)


@pytest.mark.parametrize("name", openapi.documents())
def test_the_committed_document_is_that_of_the_routes(name: str):
    committed = (openapi.FOLDER / name).read_text(encoding="utf-8")

    assert render(openapi.documents()[name]) == committed, "run: python -m local.openapi"


@each_api
def test_the_document_is_valid_openapi_3_1(api: ApiUnderTest):
    assert api.document["openapi"].startswith("3.1.")
    assert [] == [str(error) for error in OpenAPIV31SpecValidator(api.document).iter_errors()]


@pytest.mark.parametrize(
    ("name", "build"),
    [("operator.json", build_resolver), ("agent.json", build_agent_resolver)],
)
def test_every_route_is_in_the_document(name: str, build: Any):
    resolver = build(openapi.NoServices())
    routes = [*resolver._static_routes, *resolver._dynamic_routes]
    described = [operation for _, _, operation in operations(openapi.documents()[name])]

    assert sorted(route.func.__name__ for route in routes) == sorted(
        operation["operationId"] for operation in described
    )
    assert len({operation["operationId"] for operation in described}) == len(routes)


@each_route
def test_a_route_says_what_it_does_and_whom_it_takes(
    api: ApiUnderTest, method: str, path: str, operation: Document
):
    assert operation["summary"]
    assert operation["tags"]
    assert scheme_of(operation) in api.document["components"]["securitySchemes"]
    assert {"401", "500"} <= set(operation["responses"])
    assert {"200", "201", "202", "204"} & set(operation["responses"])


@each_route
def test_every_body_and_answer_has_an_example_that_its_schema_takes(
    api: ApiUnderTest, method: str, path: str, operation: Document
):
    told = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in (each for one in told for each in one.get("content", {}).values()):
        schema = content["schema"] | {"components": api.document["components"]}
        jsonschema.validate(content["example"], schema, jsonschema.Draft202012Validator)


@each_route
def test_the_example_of_a_body_is_taken(
    api: ApiUnderTest, method: str, path: str, operation: Document
):
    both = BothApis()
    names = {name: first for name, (first, *_) in api.path_names(both, path).items()}
    headers = {"Authorization": api.credentials(both)[scheme_of(operation)]}
    body = body_of(operation)
    text = None if body is None else json.dumps(body)
    answer = api.app(both)(
        proxy_event(method, path.format(**names), body=text, headers=headers), None
    )

    assert str(answer["statusCode"]) in operation["responses"]
    if answer["statusCode"] == 422:  # what a body names may not be there; how it is said is right
        messages = [each["message"] for each in json.loads(answer["body"])["errors"]]
        assert [] == [each for each in messages if "there is no" not in each]


def test_every_problem_says_its_code_where_the_protocol_has_one():
    agent = openapi.documents()["agent.json"]
    problem = agent["components"]["schemas"]["Problem"]

    assert {"UNAUTHORIZED", "NOT_FOUND", "CONFLICT", "UNPROCESSABLE"} <= set(
        problem["properties"]["code"]["enum"]
    )
    assert "code" in problem["required"]
    for name, answer in agent["components"]["responses"].items():
        example = answer["content"]["application/problem+json"]["example"]
        jsonschema.validate(example, problem, jsonschema.Draft202012Validator)
        assert example["code"], name


@each_api
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody"}])
def test_anybody_may_read_the_document(api: ApiUnderTest, headers: dict[str, str]):
    answer = api.app(BothApis())(proxy_event("GET", PATHS[api.name], headers=headers), None)

    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    assert answer["body"] == (openapi.FOLDER / f"{api.name}.json").read_text(encoding="utf-8")


@each_api
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nobody_may_do_anything_else_to_it_without_a_credential(api: ApiUnderTest, method: str):
    assert api.app(BothApis())(proxy_event(method, PATHS[api.name]), None)["statusCode"] == 401


def test_a_field_that_no_example_can_be_made_for_says_so():
    schema = {
        "type": "object",
        "properties": {"code": {"type": "string", "pattern": "^[a-z]+$"}},
        "required": ["code"],
    }
    with pytest.raises(NoExample, match="'code' examples="):
        Examples({}).of_body(schema)
