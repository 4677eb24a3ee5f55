"""The documentation as data: its code blocks, tables, links and anchors.

Reads the Markdown that these pages use, not all of Markdown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class CodeBlock:
    """`label` is what follows the language in the opening line, e.g. `request=agent`."""

    language: str
    label: str
    text: str


def all_pages() -> list[Path]:
    """Every page of the checkout that is the project's own."""
    return [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]


def read_page(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """From a heading line to the next one of its level or above; KeyError without it."""
    lines = text.splitlines()
    if heading not in lines:
        raise KeyError(heading)
    level = len(heading) - len(heading.lstrip("#"))
    start = lines.index(heading)
    end = start + 1
    in_code = False
    while end < len(lines):
        line = lines[end]
        in_code ^= line.startswith("```")
        if not in_code and re.match(rf"#{{1,{level}}} ", line):
            break
        end += 1
    return "\n".join(lines[start:end])


def code_blocks(text: str) -> list[CodeBlock]:
    found = re.findall(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [CodeBlock(language, label, body) for language, label, body in found]


def labelled(text: str, label: str) -> str:
    """The text of the first block with this label; KeyError without one."""
    for block in code_blocks(text):
        if block.label == label:
            return block.text
    raise KeyError(label)


def tables(text: str, first_header: str) -> list[list[str]]:
    """The rows of every table whose first column has this header, cells stripped."""
    rows: list[list[str]] = []
    is_reading = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_reading = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not is_reading:
            is_reading = cells[0] == first_header
        elif not set(cells[0]) <= set("-: "):
            rows.append(cells)
    if not rows:
        raise KeyError(first_header)
    return rows


def table(text: str, first_header: str) -> list[list[str]]:
    """The rows of the first such table."""
    start = f"\n{text}".index(f"\n| {first_header} |")
    return tables(text[start:].split("\n\n", 1)[0], first_header)


def links(text: str) -> list[str]:
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code_blocks(text))


def without_code_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(text: str) -> set[str]:
    """As GitHub names headings: lower case, punctuation gone, blanks to hyphens, -1 for a twin."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", without_code_blocks(text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        unique, number = slug, 0
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    found.update(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    return found
