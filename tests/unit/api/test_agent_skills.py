"""`/agent/v1/skills` and `/agent/v1/sessions`: whose they are, in the names of the document."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.skills import StoreSkill
from agentruns.steps import RunTask
from tests.fakes.world import ROLE, SECRET_PREFIX, TENANT, WRITER, WRITER_ADAPTER
from tests.unit.api.agent_driver import AgentApi

BLOGGER = "blog-writer"


def content_of(name: str, body: str = "") -> str:
    return f"---\nname: {name}\ndescription: Use for {name}.\n---\n{body}"


@pytest.fixture
def api() -> AgentApi:
    """With the skills `seo` and `tone` assigned to the writer, and `other` to nobody."""
    api = AgentApi()
    store = StoreSkill(skills=api.world.skills, clock=api.world.clock)
    for name in ("other", "seo", "tone"):
        store(TENANT, name, content_of(name), [])
    for role in (WRITER, BLOGGER):
        api.world.put_agent(role=role, adapter=WRITER_ADAPTER, skills=("tone", "seo"))
        secret = api.world.secrets.get(f"{SECRET_PREFIX}/agents/{TENANT}/{WRITER}")
        api.world.secrets.put(f"{SECRET_PREFIX}/agents/{TENANT}/{role}", secret or {}, "")
    return api


@pytest.fixture
def task(api: AgentApi) -> RunTask:
    return api.at_work()


def test_a_dispatch_says_which_skills_there_are(api: AgentApi, task: RunTask):
    assert api.world.agent.sent[-1].document["skillsContext"] == (
        "- tone: Use for tone.\n- seo: Use for seo."
    )


def test_the_context_has_them_in_full(api: AgentApi, task: RunTask):
    context = api.call("GET", f"/agent/v1/runs/{task.run_id}/context").json

    assert context["skills"] == [
        {"name": "tone", "content": content_of("tone")},
        {"name": "seo", "content": content_of("seo")},
    ]


def test_a_context_has_the_skills_that_fit(api: AgentApi):
    names = [f"s{number}" for number in range(7)]
    store = StoreSkill(skills=api.world.skills, clock=api.world.clock)
    for name in names:
        store(TENANT, name, content_of(name, "x" * 100_000), [])
    api.world.put_agent(role=WRITER, adapter=WRITER_ADAPTER, skills=(*names, "seo"))
    task = api.at_work()

    context = api.call("GET", f"/agent/v1/runs/{task.run_id}/context").json

    assert [each["name"] for each in context["skills"]] == [*names[:5], "seo"]


@pytest.mark.parametrize("role", ["blog-writer", "blog_writer"])
def test_the_manifest_names_them_and_the_content_is_read_on_demand(api: AgentApi, role: str):
    api.at_work("blog_writer")
    manifest = api.call("GET", f"/agent/v1/skills/{role}")
    assert (manifest.status, manifest.json) == (
        200,
        {
            "manifest": [
                {"name": "tone", "description": "Use for tone."},
                {"name": "seo", "description": "Use for seo."},
            ]
        },
    )

    skill = api.call("GET", f"/agent/v1/skills/{role}/seo")
    assert (skill.status, skill.json) == (
        200,
        {"name": "seo", "content": content_of("seo"), "references": []},
    )


@pytest.mark.parametrize("name", ["other", "missing", "a b", "..", "a%2Fb"])
def test_a_skill_that_is_not_assigned_is_not_there(api: AgentApi, task: RunTask, name: str):
    answer = api.call("GET", f"/agent/v1/skills/{WRITER}/{name}")

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("role", [ROLE, "nobody", "x" * 300])
@pytest.mark.parametrize("rest", ["", "/seo"])
def test_another_role_has_no_skills_for_this_run(
    api: AgentApi, task: RunTask, role: str, rest: str
):
    answer = api.call("GET", f"/agent/v1/skills/{role}{rest}")

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("rest", ["", "/seo"])
def test_after_the_runs_end_its_token_reads_nothing(api: AgentApi, task: RunTask, rest: str):
    api.call("POST", f"/agent/v1/runs/{task.run_id}/result", {"status": "success", "text": "done"})

    answer = api.call("GET", f"/agent/v1/skills/{WRITER}{rest}")

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")


# Sessions, with the agent's key.

PATH = f"/agent/v1/sessions/{WRITER}"


def body_of(task: RunTask, **change: Any) -> dict[str, Any]:
    return {
        "sessionId": "4f1c2b9e-0d0a",
        "activityRunId": task.run_id,
        "inputTokensSoFar": 1200,
        "outputTokensSoFar": 340,
    } | change


@pytest.mark.parametrize("role", ["blog-writer", "blog_writer"])
def test_a_session_is_stored_and_is_then_the_latest(api: AgentApi, role: str):
    task, key = api.at_work("blog_writer"), api.issued_key("blog_writer")
    stored = api.call("PUT", f"/agent/v1/sessions/{role}", body_of(task), key=key)
    assert (stored.status, stored.json) == (200, {"sessionId": "4f1c2b9e-0d0a", "upserted": True})

    api.world.clock.advance(60)
    again = body_of(task, inputTokensSoFar=1300)
    assert api.call("PUT", f"/agent/v1/sessions/{role}", again, key=key).status == 200

    latest = api.call("GET", f"/agent/v1/sessions/{role}/latest", key=key)
    assert (latest.status, latest.json) == (
        200,
        {
            "sessionId": "4f1c2b9e-0d0a",
            "inputTokens": 1300,
            "outputTokens": 340,
            "createdAt": "2026-01-02T12:00:00Z",
        },
    )


def test_the_next_dispatch_goes_on_from_the_latest_session(api: AgentApi, task: RunTask):
    assert api.world.agent.sent[-1].document["sessionId"] is None
    api.call("PUT", PATH, body_of(task), key=api.issued_key())

    api.at_work()

    assert api.world.agent.sent[-1].document["sessionId"] == "4f1c2b9e-0d0a"


def test_without_a_session_there_is_null(api: AgentApi):
    latest = api.call("GET", f"{PATH}/latest", key=api.issued_key()).json

    assert latest == {
        "sessionId": None,
        "inputTokens": 0,
        "outputTokens": 0,
        "createdAt": "2026-01-02T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "a\nb"}, "sessionId"),
        ({"sessionId": "x" * 257}, "sessionId"),
        ({"activityRunId": None}, "activityRunId"),
        ({"inputTokensSoFar": -1}, "inputTokensSoFar"),
        ({"outputTokensSoFar": "1"}, "outputTokensSoFar"),
        ({"outputTokensSoFar": 1.5}, "outputTokensSoFar"),
    ],
)
def test_a_wrong_session_names_the_field(api: AgentApi, task: RunTask, change, field: str):
    answer = api.call("PUT", PATH, body_of(task, **change), key=api.issued_key())

    assert (answer.status, answer.json["code"], answer.fields) == (422, "UNPROCESSABLE", [field])


@pytest.mark.parametrize("run_id", ["", "x", "run_01M80GFP03H6B59AJ2NHV0531H_1"])
def test_a_run_that_is_not_the_roles_is_not_there(api: AgentApi, task: RunTask, run_id: str):
    answer = api.call("PUT", PATH, body_of(task, activityRunId=run_id), key=api.issued_key())

    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


def test_a_key_of_another_role_finds_nothing_here(api: AgentApi, task: RunTask):
    key = api.issued_key(ROLE)

    for method, path, body in (("PUT", PATH, body_of(task)), ("GET", f"{PATH}/latest", None)):
        answer = api.call(method, path, body, key=key)
        assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")
    own = api.call("PUT", f"/agent/v1/sessions/{ROLE}", body_of(task), key=key)
    assert own.status == 404  # the run is the writer's


# Each route takes its own kind of credential.


@pytest.mark.parametrize(("method", "path"), [("PUT", PATH), ("GET", f"{PATH}/latest")])
def test_a_task_token_opens_no_session(api: AgentApi, task: RunTask, method: str, path: str):
    body = body_of(task) if method == "PUT" else None
    answer = api.call(method, path, body)

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert "ApiKey <agent key>" in answer.json["detail"]


@pytest.mark.parametrize(
    "path", [f"/agent/v1/skills/{WRITER}", f"/agent/v1/skills/{WRITER}/seo", "status", "context"]
)
def test_an_agent_key_opens_no_run_and_no_skill(api: AgentApi, task: RunTask, path: str):
    path = path if path.startswith("/") else f"/agent/v1/runs/{task.run_id}/{path}"
    answer = api.call("GET", path, key=api.issued_key())

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert "Bearer <task token>" in answer.json["detail"]


@pytest.mark.parametrize("key", ["", "x", "ark_0123456789abcdef_" + "x" * 43, "ak_0_x"])
def test_an_unknown_key_is_told_nothing(api: AgentApi, key: str):
    answer = api.call("GET", f"{PATH}/latest", key=key)

    assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")


def test_a_revoked_key_is_told_nothing(api: AgentApi):
    key = api.issued_key()
    api.world.agent_keys.delete(TENANT, WRITER, key.split("_")[1])

    assert api.call("GET", f"{PATH}/latest", key=key).status == 401
