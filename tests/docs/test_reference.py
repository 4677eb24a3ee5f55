"""What the reference pages list is what the code has: routes, errors, events, parameters, commands.

The JSON examples are sent through the API's front door, or held to the models they show.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from typing import Any, cast

import pytest
import typer.main
import yaml

from agentruns import errors
from agentruns.api.app import build_resolver
from agentruns.api.events import ActivityRequestedEvent
from agentruns.api.problems import STATUSES, describe
from agentruns.api.schemas.activities import AcceptedAnswer
from agentruns.api.schemas.agent_health import AgentHealthAnswer, ProbeAnswer
from agentruns.api.schemas.agent_keys import IssuedAgentKeyAnswer
from agentruns.api.schemas.connections import ChecksAnswer, LeenaConnectionAnswer
from agentruns.aws.event_bus import SOURCE, EventBridgeBus
from agentruns.event_types import EventType
from agentruns.model import Event
from agentruns.schedules import scheduler_input
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns_cli.exit_codes import ExitCode
from agentruns_cli.main import app
from tests.docs.pages import (
    CHECKOUT,
    code_blocks,
    labelled,
    read_page,
    section,
    table,
    tables,
)
from tests.unit.api.driver import Api

README = read_page("README.md")
API = read_page("docs/api.md")
EVENTS = read_page("docs/events.md")
TRIGGERS = read_page("docs/triggers.md")
DEPLOY = read_page("docs/deploy.md")


def code_words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


class TemplateLoader(yaml.SafeLoader):
    """CloudFormation's short forms as their bare arguments."""


def _bare(loader: Any, _suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


TemplateLoader.add_multi_constructor("!", _bare)
TEMPLATE = yaml.load(read_page("template.yaml"), TemplateLoader)


# ---- routes and errors


def routes_of_the_resolver() -> set[tuple[str, str]]:
    resolver = build_resolver(cast(Any, None))
    routes = [*resolver._static_routes, *resolver._dynamic_routes]
    return {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path)) for route in routes}


def test_the_api_page_has_every_route_and_no_other():
    rows = tables(API, "route")
    documented = {tuple(code_words(row[0])[0].split(" ", 1)) for row in rows}

    assert documented == routes_of_the_resolver()
    assert len(rows) == len(documented)


def test_every_route_that_a_page_names_exists():
    paths = {path for _, path in routes_of_the_resolver()}
    patterns = [re.compile(re.sub(r"\{\w+\}", r"[^/`\\s]+", path) + r"\Z") for path in paths]
    for name in ("README.md", "docs/api.md", "docs/events.md", "docs/triggers.md"):
        for method, path in re.findall(r"`(GET|PUT|POST|DELETE) (/v1/[^`?\s]+)`", read_page(name)):
            assert any(p.match(path) for p in patterns), f"{name}: {method} {path}"


def test_the_scope_that_each_route_names_is_the_one_it_asks_for():
    api = Api().with_agent()
    activity = api.started()
    known = {
        "name": "acme",
        "agent_role": "it_support",
        "activity_id": activity["activity_id"],
        "run_id": activity["run_id"],
        "key_id": "0" * 16,
        "approval_id": "wait_x",
        "task_id": "wait_x",
    }
    includes = {"read": {"read", "admin"}, "operate": {"operate", "admin"}, "admin": {"admin"}}
    keys = {scope: api.key(scope) for scope in includes}
    for route, scope, *_ in tables(API, "route"):
        method, template = code_words(route)[0].split(" ", 1)
        for held, key in keys.items():
            body = {"reason": ""} if template.endswith("/cancel") else _any_body(template, method)
            answer = api.call(method, template.format(**known), body, key=key)
            assert (answer.status != 403) is (held in includes[scope]), f"{route} with {held}"


def _any_body(template: str, method: str) -> Any:
    bodies = {
        "/v1/connections/{name}": labelled(API, "request=connection"),
        "/v1/connections/{name}/limits": labelled(API, "request=limits"),
        "/v1/agents/{agent_role}": labelled(API, "request=agent").replace("leena", "acme"),
        "/v1/activities": labelled(API, "request=activity"),
        "/v1/skills/{name}": labelled(API, "request=skill"),
        "/v1/schedules/{name}": labelled(API, "request=schedule"),
        "/v1/operator-keys": labelled(API, "request=operator_key"),
        "/v1/activities/{activity_id}/redrive": labelled(API, "request=redrive"),
        "/v1/activities/redrive": labelled(API, "request=bulk_redrive"),
        "/v1/runs/{run_id}/resolve": labelled(API, "request=resolve"),
        "/v1/approvals/{approval_id}/decision": labelled(API, "request=decision"),
        "/v1/human-tasks/{task_id}/resolve": labelled(API, "request=task"),
        "/v1/activities/{activity_id}/comments": labelled(API, "request=comment"),
    }
    if method not in {"PUT", "POST"} or template not in bodies:
        return None
    document = json.loads(bodies[template])
    if template == "/v1/agents/{agent_role}":
        document["adapter"]["type"] = "leena_aop"
    return document


def test_the_error_table_has_every_code_that_the_api_can_answer():
    documented = {
        (int(status), code) for status, codes in table(API, "status") for code in code_words(codes)
    }
    # What the API's own use cases raise; the provider's errors end runs, not requests.
    answered = {
        (status.value, error.code)
        for error, status in STATUSES.items()
        if status.value < 500 and error not in {errors.NotFound, errors.Conflict}
    }
    others = {(404, "route_not_found"), (405, "method_not_allowed")}
    failures = {(500, "internal_error"), (503, "busy"), (503, "store_contention")}

    assert documented == answered | others | failures
    assert describe(RuntimeError()).code == "internal_error"
    assert STATUSES[errors.StoreContention].value == 503


def test_the_statuses_are_all_there():
    activities = re.search(r"^Activity statuses: (.+?)\. ", API, re.MULTILINE)
    runs = re.search(r"^Run statuses: (.+?)\.$", API, re.MULTILINE)
    assert activities
    assert runs

    assert code_words(activities[1]) == [status.value for status in ActivityStatus]
    assert set(code_words(runs[1])) == {status.value for status in RunStatus}


def test_without_a_key_nothing_is_told_before_401():
    api = Api()
    for method, path, body in (
        ("GET", "/v1/nowhere", None),
        ("DELETE", "/v1/agents", None),
        ("POST", "/v1/activities", {"wrong": 1}),
    ):
        assert api.call(method, path, body).status in {404, 405, 422}
        assert api.call(method, path, body, key=None).status == 401


# ---- examples


def test_the_requests_of_the_api_page_are_taken():
    api = Api()
    assert api.call("PUT", "/v1/connections/leena", example("connection")).status == 200
    assert api.call("PUT", "/v1/agents/it_support", example("agent")).status == 200
    assert api.call("PUT", "/v1/skills/seo", example("skill")).status == 200
    assert api.call("PUT", "/v1/schedules/nightly", example("schedule")).status == 200
    assert api.call("POST", "/v1/operator-keys", example("operator_key")).status == 201

    answer = api.call("POST", "/v1/activities", example("activity"))

    assert answer.status == 202
    assert answer.json.keys() == json.loads(labelled(API, "answer=accepted")).keys()
    leap = {"provider": "leap", "api_key": "key-1", "dialect": "runs"}
    assert api.call("PUT", "/v1/connections/leap", leap).status == 200
    assert api.call("POST", "/v1/activities", example("bulk_activity")).status == 202


def example(name: str) -> Any:
    return json.loads(labelled(API, f"request={name}"))


def test_all_ways_to_resolve_have_their_form():
    api = Api().with_agent()
    api.call("PUT", "/v1/connections/flows", {"provider": "leap", "api_key": "key-1"})
    workflow = {"type": "leap_workflow", "connection": "flows", "workflow_id": "wkf_1"}
    of_aop, of_workflow = api.started(), api.started({"adapter": workflow})
    blocks = [b.text for b in code_blocks(API) if b.label == "request=resolve"]
    assert len(blocks) == 3
    for text in blocks:
        started = of_workflow if "workflow_run_id" in text else of_aop
        answer = api.call("POST", f"/v1/runs/{started['run_id']}/resolve", json.loads(text))
        assert answer.json["type"].rpartition(":")[2] == "run_not_unknown"


def test_the_answers_of_the_api_page_are_of_their_form():
    LeenaConnectionAnswer.model_validate_json(labelled(API, "answer=connection"))
    IssuedAgentKeyAnswer.model_validate_json(labelled(API, "answer=agent_key"))
    AgentHealthAnswer.model_validate_json(labelled(API, "answer=health"))
    ProbeAnswer.model_validate_json(labelled(API, "answer=probe"))
    ChecksAnswer.model_validate_json(labelled(API, "answer=checks"))
    AcceptedAnswer.model_validate_json(labelled(API, "answer=accepted"))


def test_the_problem_of_the_api_page_is_what_is_answered():
    api = Api()
    answer = api.call("POST", "/v1/activities", {"agent_role": "nobody"})

    assert answer.json == json.loads(labelled(API, "answer=problem"))


# ---- events


def test_the_events_page_has_every_detail_type_and_no_other():
    documented = [code_words(row[0])[0] for row in table(EVENTS, "detail-type")]

    assert sorted(documented) == sorted(event.value for event in EventType)


def test_the_published_event_has_the_form_of_the_bus():
    shown = json.loads(labelled(EVENTS, "event=RunStarted"))
    detail = dict(shown["detail"])
    ids = ("tenant", "activity_id", "run_id", "sequence")
    event = Event(
        **{name: detail.pop(name) for name in ids},
        type=EventType(shown["detail-type"]),
        at=_moment(detail.pop("at")),
        detail=detail,
    )
    entry = EventBridgeBus(cast(Any, None), "bus")._entry(event)

    assert (entry["Source"], entry["DetailType"]) == (shown["source"], shown["detail-type"])
    assert json.loads(entry["Detail"]) == shown["detail"]


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_the_requested_event_is_taken():
    shown = json.loads(labelled(EVENTS, "event=ActivityRequested"))

    parsed = ActivityRequestedEvent.model_validate({"id": "event-1", **shown})

    assert parsed.detail.agent_role == "it_support"


def test_the_rule_of_the_events_page_matches_events_of_ours():
    pattern = json.loads(labelled(EVENTS, "pattern=failures"))

    assert pattern["source"] == [SOURCE]
    assert set(pattern["detail-type"]) <= {event.value for event in EventType}


def test_the_ticket_becomes_an_activity_by_the_rule_of_the_template():
    ticket = json.loads(labelled(TRIGGERS, "event=ticket"))
    rule = TEMPLATE["Resources"]["TicketRule"]["Properties"]
    [target] = rule["Targets"]
    text = target["InputTransformer"]["InputTemplate"]
    for placeholder, value in (
        ("<event_id>", "event-1"),
        ("<number>", ticket["detail"]["ticket_number"]),
        ("<ticket>", json.dumps(ticket["detail"])),
        ("${TicketAgentRole}", TEMPLATE["Parameters"]["TicketAgentRole"]["Default"]),
    ):
        assert placeholder in text
        text = text.replace(placeholder, value)

    requested = ActivityRequestedEvent.model_validate_json(text)

    assert ticket["source"] == TEMPLATE["Parameters"]["TicketEventSource"]["Default"]
    assert [ticket["detail-type"]] == rule["EventPattern"]["detail-type"]
    assert requested.detail.context == ticket["detail"]
    assert requested.detail.title == ticket["detail"]["ticket_number"]
    assert f'message "{requested.detail.message}"' in TRIGGERS
    assert f"`{requested.detail.agent_role}`" in TRIGGERS


def test_the_input_of_a_schedule_is_the_exact_one():
    shown = json.loads(labelled(TRIGGERS, "scheduler_input=nightly"))

    assert shown == json.loads(scheduler_input("default", "nightly"))


def test_event_files_that_pages_name_exist():
    for name in ("README.md", "docs/api.md", "docs/events.md", "docs/triggers.md"):
        for pattern in re.findall(r"events/[\w*.-]+\.json", read_page(name)):
            assert list(CHECKOUT.glob(pattern)), f"{name}: {pattern}"


# ---- template


def test_the_parameter_table_is_the_template():
    documented = {row[0].strip("`"): row[1:] for row in table(DEPLOY, "parameter")}
    parameters = TEMPLATE["Parameters"]

    assert list(documented) == list(parameters)
    for name, parameter in parameters.items():
        default, allowed, meaning = documented[name]
        shown_default = f"`{parameter['Default']}`" if str(parameter["Default"]) else "empty"
        assert (name, default) == (name, shown_default)
        assert (name, allowed) == (name, allowed_values(parameter))
        assert (name, meaning) == (name, parameter["Description"])


def allowed_values(parameter: dict[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(f"`{value}`" for value in parameter["AllowedValues"])
    if "MinValue" in parameter:
        return f"{parameter['MinValue']} to {parameter['MaxValue']}"
    return str(parameter.get("ConstraintDescription", "any")).removeprefix("must be ")


def test_parameters_in_commands_exist():
    for name in ("README.md", "docs/deploy.md", "docs/triggers.md"):
        for block in code_blocks(read_page(name)):
            if "--parameter-overrides" not in block.text:
                continue
            overrides = block.text.split("--parameter-overrides", 1)[1].splitlines()[0]
            names = {word.partition("=")[0] for word in shlex.split(overrides)}
            assert names
            assert names <= TEMPLATE["Parameters"].keys(), f"{name}: {names}"


def test_only_production_asks_before_it_changes_anything():
    config = tomllib.loads(read_page("samconfig.toml"))
    asks = {
        name: config[name]["deploy"]["parameters"]["confirm_changeset"]
        for name in config
        if name not in {"version", "local"}
    }

    assert asks == {"default": False, "prod": True}
    assert "The second shows the change set and asks" in DEPLOY


def test_the_functions_and_queues_that_pages_name_exist():
    functions = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    line = next(line for line in README.splitlines() if line.startswith("Functions: "))
    queues = {code_words(row[0])[0] for row in table(DEPLOY, "queue")}
    types = {name: resource["Type"] for name, resource in TEMPLATE["Resources"].items()}

    assert set(code_words(line)) == functions
    assert queues == {name for name, kind in types.items() if kind == "AWS::SQS::Queue"}
    for name in re.findall(r"`(\w+(?:Alarm|Function|Rule|Permission|Queue))`", TRIGGERS + EVENTS):
        assert name in types


def test_what_is_kept_on_delete_is_what_the_template_retains():
    retained = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    }
    kept = [row[0] for row in table(DEPLOY, "kept")]

    assert retained == {"Table", "OutputBucket"}
    assert kept[:2] == ["the table", "the bucket of outputs"]
    assert all(name.startswith("`agentruns/<stack>/") for name in kept[2:])


# ---- command line


def command_tree() -> Any:
    return typer.main.get_command(app)


def leaf_commands(command: Any, words: tuple[str, ...]) -> list[str]:
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        return [" ".join(words)]
    return [
        leaf for name, sub in subcommands.items() for leaf in leaf_commands(sub, (*words, name))
    ]


def test_the_command_table_has_every_command_and_no_other():
    documented = [word for row in table(README, "command") for word in code_words(row[0])]

    assert sorted(documented) == sorted(leaf_commands(command_tree(), ("agentruns",)))


def test_the_exit_code_table_has_every_code_and_no_other():
    documented = [int(row[0]) for row in table(README, "exit code")]

    assert documented == sorted(code.value for code in ExitCode)


def typed_commands() -> list[tuple[str, str]]:
    found = []
    for name in ("README.md", "docs/deploy.md", "docs/triggers.md", "CONTRIBUTING.md"):
        for block in code_blocks(read_page(name)):
            if block.language in {"sh", "bash", "console"}:
                text = block.text.replace("\\\n", " ")
                lines = [line.removeprefix("$ ") for line in text.splitlines()]
                found += [(name, line) for line in lines if line.startswith("agentruns ")]
    return found


@pytest.mark.parametrize(("page", "line"), typed_commands())
def test_options_in_examples_exist(page, line):
    words = shlex.split(re.split(r" <|\|", line)[0])
    command, options = command_tree(), set[str]()
    for word in words[1:]:
        subcommands = getattr(command, "commands", {})
        if word in subcommands:
            command = subcommands[word]
        elif word.startswith("-"):
            options.add(word)
    known = {name for parameter in command.params for name in parameter.opts}

    assert not getattr(command, "commands", {}), f"{page}: no such command: {line}"
    assert options <= known


def test_environment_variables_that_the_readme_names_are_read_somewhere():
    named = set(re.findall(r"AGENTRUNS_[A-Z_]+", README + DEPLOY))
    sources = [*(CHECKOUT / "agentruns_cli").rglob("*.py"), *(CHECKOUT / "local").rglob("*.py")]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)

    assert named
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_make_targets_in_examples_exist():
    targets = set(re.findall(r"^([a-z]+):", read_page("Makefile"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "docs/deploy.md"):
        page = read_page(name)
        commands = [line for block in code_blocks(page) for line in block.text.splitlines()]
        commands += re.findall(r"`(make[^`]*)`", page)
        named = {line.split()[1] for line in commands if re.match(r"make \w", line)}
        assert named <= targets, name


def shell_blocks() -> list[tuple[str, str]]:
    pages = ("README.md", "CONTRIBUTING.md", "docs/deploy.md", "docs/triggers.md")
    blocks = [(name, block) for name in pages for block in code_blocks(read_page(name))]
    return [(name, block.text) for name, block in blocks if block.language in {"sh", "bash"}]


@pytest.mark.parametrize(("page", "text"), shell_blocks())
def test_shell_blocks_are_shell(page, text):
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)

    assert (parsed.returncode, parsed.stderr) == (0, "")


def sam_commands() -> dict[str, set[str]]:
    """The options that pages use, by subcommand."""
    lines = [line for _, text in shell_blocks() for line in text.replace("&&", "\n").splitlines()]
    lines += re.findall(r"`(sam [^`]+)`", README + DEPLOY)
    found: dict[str, set[str]] = {}
    for line in lines:
        command = re.sub(r"^\s*([A-Z_]+=\S+\s+)*", "", line)
        if not command.startswith("sam "):
            continue
        words = shlex.split(command)
        names = words[1:3] if words[1] in {"remote", "list"} else words[1:2]
        options = {word for word in words[2:] if word.startswith("--")}
        found.setdefault(" ".join(names), set()).update(options)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(sam_commands()))
def test_sam_has_the_options_that_pages_use(command):
    sam = CHECKOUT / ".venvs" / "sam" / "bin" / "sam"
    shown = subprocess.run(
        [str(sam), *command.split(), "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert {option for option in sam_commands()[command] if option not in shown} == set()


def test_the_order_of_the_readme():
    headings = [line for line in README.splitlines() if re.match(r"#{1,2} [A-Z]", line)]

    assert headings == [
        "## What you see",
        "## Promises",
        "## Quickstart",
        "## Deploy to AWS",
        "## The three triggers",
        "## Commands",
        "## How it works",
        "## What it costs",
        "## Troubleshooting",
        "## More",
    ]
    assert section(README, "## Deploy to AWS").count("sam build && sam deploy --guided") == 1


def test_the_decisions_are_listed_by_their_titles():
    listed = {
        number: title
        for link, title in table(read_page("docs/decisions/README.md"), "page")
        for number in re.findall(r"\[(\d{4})\]", link)
    }
    pages = sorted((CHECKOUT / "docs" / "decisions").glob("0*.md"))
    titles = {page.name[:4]: page.read_text().splitlines()[0][len("# 0000: ") :] for page in pages}

    assert listed == titles


def test_every_correction_of_the_emulator_has_its_row():
    launcher = read_page("local/ministack_launcher.py").split('"""')[1]
    numbered = re.findall(r"^\d+\. ", launcher, re.MULTILINE)
    rows = table(
        read_page("docs/decisions/0011-ministack-corrected-at-start.md"), "MiniStack 1.5.33"
    )

    assert len(rows) == len(numbered)


def test_every_function_has_its_row_in_the_architecture():
    documented = {
        code_words(row[0])[0] for row in table(read_page("docs/architecture.md"), "function")
    }

    assert documented == {path.parent.name for path in CHECKOUT.glob("functions/*/app.py")}
