"""`skill set|list|show|delete`: what agents can read up on, in Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agentruns.front_matter import FrontMatterFault, read_front_matter
from agentruns_cli.errors import UsageFault
from agentruns_cli.screen import table
from agentruns_cli.session import OpenSession, over_the_api
from agentruns_cli.views import JsonObject

skill_app = typer.Typer(
    no_args_is_help=True, help="Store, list, show or delete what agents can read up on."
)

SkillName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the skill.")]


@skill_app.command("set")
@over_the_api
def set_skill(
    open_session: OpenSession,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Markdown with front matter that says name and description."
        ),
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option("--reference", metavar="FILE", help="A further text of it; repeatable."),
    ] = None,
) -> None:
    """Create or replace the skill that FILE's front matter names."""
    content = _text_of(file)
    try:
        name = read_front_matter(content).name
    except FrontMatterFault as error:
        raise UsageFault(f"{file} is no skill", str(error)) from error
    document: JsonObject = {"content": content}
    if reference:
        document["references"] = [
            {"name": each.name, "content": _text_of(each)} for each in reference
        ]
    session = open_session()
    stored = session.client.put_skill(name, document)
    session.screen.answer(stored, name)
    session.screen.chatter(
        f"Assign it with --skill {name}: " + session.command_text("agent", "set", "ROLE", "...")
    )


@skill_app.command("list")
@over_the_api
def list_skills(open_session: OpenSession) -> None:
    """List the skills with their descriptions."""
    session = open_session()
    page = session.client.list_skills()
    suggestion = session.command_text("skill", "set", "FILE")
    session.screen.page(page, "name", _skill_table, f"No skills yet: {suggestion}")


@skill_app.command("show")
@over_the_api
def show_skill(open_session: OpenSession, name: SkillName) -> None:
    """Print a skill as it was stored; with --json, its references too."""
    session = open_session()
    skill = session.client.get_skill(name)
    session.screen.answer(skill, name, str(skill.get("content", "")))
    references = ", ".join(str(each.get("name", "")) for each in skill.get("references", []))
    if references:
        session.screen.chatter(f"References: {references}")


@skill_app.command("delete")
@over_the_api
def delete_skill(open_session: OpenSession, name: SkillName) -> None:
    """Delete a skill that no agent is assigned."""
    session = open_session()
    answer = session.client.delete_skill(name)
    session.screen.answer(answer, name)
    session.screen.chatter(f"Skill {name} is deleted.")


def _skill_table(skills: Sequence[Mapping[str, Any]]) -> str:
    rows = ((str(each.get("name", "")), str(each.get("description", ""))) for each in skills)
    return table(("NAME", "DESCRIPTION"), rows)


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageFault(f"{file} cannot be read", reason) from error
