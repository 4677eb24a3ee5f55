"""`/v1/skills`: stored, assigned to agents, and what is wrong with those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from agentruns.agent_errors import SkillNotFound
from agentruns.finding import agent_for
from agentruns.skills import SkillsOfAgent, skills_context
from tests.unit.api.driver import AGENT, SKILL, Api

PATH = "/v1/skills/seo"


def content_of(name: str, description: str = "Use when asked.", body: str = "") -> str:
    return f"---\nname: {name}\ndescription: {description}\n---\n{body}"


def stored(api: Api, *names: str) -> None:
    for name in names:
        body = {"content": content_of(name, f"Use for {name}.")}
        assert api.call("PUT", f"/v1/skills/{name}", body).status == 200


def test_a_skill_is_what_was_put(api: Api):
    first = api.call("PUT", PATH, SKILL)
    api.clock.advance(60)
    second = api.call("PUT", PATH, SKILL)

    assert first.status == 200
    assert second.json == {
        "name": "seo",
        "description": "Use when writing for the web.",
        "created_at": "2026-01-02T12:00:00Z",
        "updated_at": "2026-01-02T12:01:00Z",
        **SKILL,
    }
    assert api.call("GET", PATH).json == second.json


def test_a_list_has_descriptions_and_no_contents(api: Api):
    stored(api, "b", "a")

    items = api.call("GET", "/v1/skills").json["items"]

    assert [item["name"] for item in items] == ["a", "b"]
    assert items[0].keys() == {"name", "description", "created_at", "updated_at"}


def references(*names: str, content: str = "") -> list[dict[str, str]]:
    return [{"name": name, "content": content} for name in names]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"content": "# SEO"}, "content", "must begin with front matter"),
        ({"content": content_of("other")}, "content", "says name: other; it is stored as 'seo'"),
        ({"content": "---\nname: seo\n---\n"}, "content", "has no description"),
        ({"content": content_of("seo", "a: b")}, "content", "has a colon"),
        ({"content": content_of("seo", "x" * 2001)}, "content", "more than 2000 characters"),
        ({"content": content_of("seo", body="x" * 102_400)}, "content", "at most 102400"),
        ({"content": content_of("seo", body="\u00e4" * 51_200)}, "content", "at most 102400"),
        ({"content": ""}, "content", "at least 1"),
        ({"references": references(*(f"r{n}" for n in range(21)))}, "references", "at most 20"),
        ({"references": references("a", "b", "a")}, "references", "'a' is there twice"),
        ({"references": references("a", content="x" * 204_800)}, "references", "at most 204800"),
        ({"references": [{"name": "a"}]}, "references.0.content", "required"),
        ({"references": references("")}, "references.0.name", "at least 1"),
        ({"description": "mine"}, "description", ""),
    ],
)
def test_what_is_wrong_with_a_skill_is_said(api: Api, change: dict[str, Any], field, message):
    answer = api.call("PUT", PATH, SKILL | change)

    assert (answer.status, answer.fields) == (422, [field])
    assert message in answer.json["errors"][0]["message"]
    assert api.call("GET", PATH).status == 404


def test_the_largest_skill_is_taken(api: Api):
    content = content_of("seo")
    body = {
        "content": content + "x" * (102_400 - len(content)),
        "references": references(*(f"r{n}" for n in range(20)), content="y" * 10_000),
    }

    assert api.call("PUT", PATH, body).status == 200


@pytest.mark.parametrize("name", ["a b", "-a", "a" * 65])
def test_a_name_that_is_none_is_refused_when_given_and_missing_when_read(api: Api, name: str):
    assert api.call("PUT", f"/v1/skills/{name}", SKILL).status == 422
    assert api.call("GET", f"/v1/skills/{name}").status == 404


def test_another_tenant_has_its_own(api: Api):
    api.call("PUT", PATH, SKILL)
    foreign = api.key("admin", tenant="other")

    assert api.call("GET", PATH, key=foreign).status == 404
    assert api.call("DELETE", PATH, key=foreign).status == 404
    assert api.call("GET", "/v1/skills", key=foreign).json["items"] == []


def test_unknown_skills_are_not_assigned(ready: Api):
    stored(ready, "seo")

    answer = ready.call("PUT", "/v1/agents/hr", AGENT | {"skills": ["seo", "x", "y"]})

    assert (answer.status, answer.fields) == (422, ["skills.1", "skills.2"])
    assert "there is no skill 'x'" in answer.text


@pytest.mark.parametrize(
    ("skills", "field"), [(["seo", "seo"], "skills"), (["a/b"], "skills.0"), ("seo", "skills")]
)
def test_skills_are_a_list_of_names(ready: Api, skills: Any, field: str):
    stored(ready, "seo")
    answer = ready.call("PUT", "/v1/agents/hr", AGENT | {"skills": skills})

    assert (answer.status, answer.fields) == (422, [field])


def test_a_skill_that_is_assigned_stays(ready: Api):
    stored(ready, "seo")
    ready.call("PUT", "/v1/agents/hr", AGENT | {"skills": ["seo"]})

    refused = ready.call("DELETE", PATH)
    assert refused.status == 409
    assert refused.json["type"].endswith(":skill_in_use")
    assert "hr" in refused.json["detail"]

    ready.call("PUT", "/v1/agents/hr", AGENT)
    assert ready.call("DELETE", PATH).status == 204
    assert ready.call("DELETE", PATH).status == 404


def test_an_agent_reads_the_skills_that_are_assigned_to_it(ready: Api):
    stored(ready, "seo", "tone", "other")
    assert ready.call("PUT", "/v1/agents/seo-writer", AGENT | {"skills": ["tone", "seo"]}).json[
        "skills"
    ] == ["tone", "seo"]
    of_agent = SkillsOfAgent(skills=ready.skills)
    agent = agent_for(ready.agents, "default", "seo_writer")

    manifest = of_agent.manifest(agent)

    assert [each.name for each in manifest] == ["tone", "seo"]
    assert skills_context(manifest) == "- tone: Use for tone.\n- seo: Use for seo."
    assert of_agent.read(agent, "seo").content == content_of("seo", "Use for seo.")
    assert [each.summary.name for each in of_agent.contents(agent)] == ["tone", "seo"]
    for name in ("other", "missing"):
        with pytest.raises(SkillNotFound):
            of_agent.read(agent, name)


def test_a_skill_that_went_missing_is_left_out(ready: Api):
    stored(ready, "seo", "tone")
    ready.call("PUT", "/v1/agents/hr", AGENT | {"skills": ["tone", "seo"]})
    ready.skills.delete("default", "tone")
    of_agent = SkillsOfAgent(skills=ready.skills)
    agent = ready.agents.get("default", "hr")

    assert [each.name for each in of_agent.manifest(agent)] == ["seo"]
    assert [each.summary.name for each in of_agent.contents(agent)] == ["seo"]
    with pytest.raises(SkillNotFound):
        of_agent.read(agent, "tone")


def test_an_agent_without_skills_asks_no_store():
    agent = Api().with_agent().agents.get("default", "it_support")

    assert SkillsOfAgent(skills=None).manifest(agent) == ()  # type: ignore[arg-type]  # unused
