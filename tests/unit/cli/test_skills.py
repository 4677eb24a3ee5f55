"""`skill`: files go in as they are, and come out as they are."""

import pytest

from tests.unit.cli.operator_api import a_problem

CONTENT = "---\nname: seo\ndescription: Use when writing.\n---\n\n# SEO — ä\n"
SUMMARY = {
    "name": "seo",
    "description": "Use when\nwriting.",
    "created_at": "2026-11-22T01:00:00Z",
    "updated_at": "2026-11-22T01:00:00Z",
}
STORED = SUMMARY | {"content": CONTENT, "references": [{"name": "tone.md", "content": "Speak."}]}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "SKILL.md"
    path.write_text(CONTENT, encoding="utf-8")
    return path


def test_a_skill_is_named_by_its_front_matter(cli, api, file, tmp_path):
    api.answers("PUT", "/v1/skills/seo", STORED)
    (tmp_path / "tone.md").write_text("Speak.")

    outcome = cli.run("skill", "set", str(file), "--reference", str(tmp_path / "tone.md"))

    assert (outcome.exit_code, outcome.stdout) == (0, "seo\n")
    assert api.last_body == {"content": CONTENT, "references": STORED["references"]}
    assert cli.run("skill", "set", str(file), "--json").document == STORED
    assert api.last_body == {"content": CONTENT}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"# SEO", "must begin with front matter"), (b"\xff", "not UTF-8"), (None, "No such file")],
)
def test_a_file_that_is_no_skill_is_a_usage_error(cli, api, tmp_path, content, reason):
    path = tmp_path / "x.md"
    if content is not None:
        path.write_bytes(content)

    outcome = cli.run("skill", "set", str(path))

    assert outcome.exit_code == 2
    assert reason in outcome.stderr


def test_skills_are_listed_in_every_form(cli, api):
    page = {"items": [SUMMARY], "next_cursor": None}
    api.answers("GET", "/v1/skills", page)

    assert cli.run("skill", "list").stdout.splitlines()[1].split() == [
        "seo",
        "Use",
        "when",
        "writing.",
    ]
    assert cli.run("skill", "list", "--json").document == page
    assert cli.run("skill", "list", "-q").stdout == "seo\n"


def test_no_skills_say_how_to_store_one(cli, api):
    api.answers("GET", "/v1/skills", {"items": []})

    assert "agentruns skill set FILE" in cli.run("skill", "list").stderr


def test_a_skill_is_shown_as_it_was_stored(cli, api):
    api.answers("GET", "/v1/skills/seo", STORED)

    outcome = cli.run("skill", "show", "seo")

    assert outcome.stdout.rstrip("\n") == CONTENT.rstrip("\n")
    assert "tone.md" in outcome.stderr
    assert cli.run("skill", "show", "seo", "--json").document == STORED


def test_a_skill_is_deleted_or_it_is_said_why_not(cli, api):
    api.answers_nothing("DELETE", "/v1/skills/seo")
    api.refuses("DELETE", "/v1/skills/used", a_problem(409, "Skill in use", "assigned to hr"))
    api.refuses("DELETE", "/v1/skills/nope", a_problem(404, "Skill not found"))

    assert cli.run("skill", "delete", "seo").stdout == "seo\n"
    assert cli.run("skill", "delete", "used").exit_code == 6
    outcome = cli.run("skill", "delete", "nope")
    assert outcome.exit_code == 5
    assert "agentruns skill list" in outcome.stderr


def test_skills_are_assigned_with_the_agent(cli, api):
    api.answers("PUT", "/v1/agents/it", {"agent_role": "it"})

    cli.run(
        "agent", "set", "it", "--aop", "a", "--connection", "c", "--skill", "seo", "--skill", "b"
    )

    assert api.last_body["skills"] == ["seo", "b"]
