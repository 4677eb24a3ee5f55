"""Docs that operators and readers rely on: a runbook for each alarm, a word for each value."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from agentruns.event_types import EventType
from agentruns.model import EvidenceSource, Trigger, WakeReason
from agentruns.statuses import ActivityStatus, RunStatus
from agentruns.steps import NextStep
from tests.unit.structure.project import ROOT, resources

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
PARTS_OF_A_RUNBOOK = ["Meaning", "Impact", "Look at", "Fix", "Verify"]
WORDS: dict[str, type[StrEnum]] = {
    "Run statuses": RunStatus,
    "Activity statuses": ActivityStatus,
    "Next steps": NextStep,
    "Event types": EventType,
    "Evidence sources": EvidenceSource,
    "Wake reasons": WakeReason,
}
DOCUMENTS = (
    "operations.md",
    "glossary.md",
    "state-machine.md",
    "decisions/0002-least-privilege.md",
)


def sections(text: str) -> dict[str, str]:
    """The text of each second-level heading."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def anchor(heading: str) -> str:
    """As GitHub makes it: lower case, spaces to hyphens, punctuation dropped."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors_of_alarms() -> dict[str, str]:
    found = {}
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        description = alarm["Properties"]["AlarmDescription"]
        match = re.fullmatch(r".+\. Runbook: docs/operations\.md#([\w-]+)", description)
        assert match, f"{name}: {description}"
        found[name] = match[1]
    return found


@pytest.mark.parametrize("alarm", sorted(anchors_of_alarms()))
def test_an_alarm_leads_to_its_runbook(alarm):
    runbooks = {anchor(heading) for heading in sections(OPERATIONS)}

    assert anchors_of_alarms()[alarm] in runbooks


def test_the_table_of_alarms_is_the_template_s():
    rows = re.findall(r"^\| (`\w+`.*) \| \[.+\]\(#([\w-]+)\) \|$", OPERATIONS, re.MULTILINE)
    listed = {name: target for names, target in rows for name in re.findall(r"`(\w+)`", names)}

    assert anchors_of_alarms() == listed


def test_every_runbook_is_complete():
    runbooks = {
        heading: text
        for heading, text in sections(OPERATIONS).items()
        if anchor(heading) in anchors_of_alarms().values()
    }

    assert len(runbooks) == len(set(anchors_of_alarms().values()))
    for heading, text in runbooks.items():
        assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.MULTILINE) == PARTS_OF_A_RUNBOOK, heading


@pytest.mark.parametrize("heading", WORDS)
def test_the_glossary_has_every_word_and_no_other(heading):
    first_cells = re.findall(r"^\| (`.+?) \|", sections(GLOSSARY)[heading], re.MULTILINE)
    listed = [word for cell in first_cells for word in re.findall(r"`(\w+)`", cell)]

    assert [word.value for word in WORDS[heading]] == sorted(
        listed, key=[word.value for word in WORDS[heading]].index
    )


def test_the_glossary_names_every_trigger():
    assert [word.value for word in Trigger if f"`{word.value}`" not in GLOSSARY] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document):
    path = ROOT / "docs" / document
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith("https://"):
            continue
        name, _, fragment = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.is_file(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, target
