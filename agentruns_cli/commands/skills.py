"""`skill set|list|show|delete`: what agents can read up on, in Markdown."""

from pathlib import Path
from typing import Annotated

import typer

from agentruns.front_matter import FrontMatterFault, read_front_matter
from agentruns_cli.errors import UsageFault
from agentruns_cli.options import ApiUrl, AsJson, IdsOnly, Stack
from agentruns_cli.screen import one_line, table
from agentruns_cli.session import open_session
from agentruns_cli.views import JsonObject

skill_app = typer.Typer(
    no_args_is_help=True, help="Store, list, show or delete what agents can read up on."
)

SkillName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the skill.")]


@skill_app.command("set")
def set_skill(
    context: typer.Context,
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
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
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
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    stored = session.client.put_skill(name, document)
    if as_json:
        session.screen.document(stored)
        return
    session.screen.data(name)
    session.screen.chatter(
        f"Assign it with --skill {name}: " + session.command_text("agent", "set", "ROLE", "...")
    )


@skill_app.command("list")
def list_skills(
    context: typer.Context,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """List the skills with their descriptions."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    page = session.client.list_skills()
    if as_json:
        session.screen.document(page)
        return
    skills = page.get("items", [])
    if ids_only:
        for skill in skills:
            session.screen.data(str(skill.get("name", "")))
    elif skills:
        rows = (
            (str(skill.get("name", "")), one_line(str(skill.get("description", ""))))
            for skill in skills
        )
        session.screen.data(table(("NAME", "DESCRIPTION"), rows))
    else:
        session.screen.chatter("No skills yet: " + session.command_text("skill", "set", "FILE"))


@skill_app.command("show")
def show_skill(
    context: typer.Context,
    name: SkillName,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """Print a skill as it was stored; with --json, its references too."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    skill = session.client.get_skill(name)
    if as_json:
        session.screen.document(skill)
        return
    session.screen.data(name if ids_only else str(skill.get("content", "")))
    references = ", ".join(str(each.get("name", "")) for each in skill.get("references", []))
    if references:
        session.screen.chatter(f"References: {references}")


@skill_app.command("delete")
def delete_skill(
    context: typer.Context,
    name: SkillName,
    api_url: ApiUrl = None,
    stack: Stack = None,
    as_json: AsJson = False,
    ids_only: IdsOnly = False,
) -> None:
    """Delete a skill that no agent is assigned."""
    session = open_session(
        context, api_url=api_url, stack=stack, as_json=as_json, ids_only=ids_only
    )
    answer = session.client.delete_skill(name)
    if as_json:
        session.screen.document(answer)
        return
    session.screen.data(name)
    session.screen.chatter(f"Skill {name} is deleted.")


def _text_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageFault(f"{file} cannot be read", reason) from error
