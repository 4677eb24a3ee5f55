"""The front matter of a Markdown document: its `name` and `description`, read from strict YAML.

A subset of YAML on purpose: text, in any way YAML writes text (plain, quoted, folded `>`, literal
`|`). What is read of the two keys is what any YAML parser reads of them, less the blanks around it;
a test holds it to one. Other keys may be there and are not read. No anchors, tags or aliases, so
there is nothing to expand. Why no library: docs/decisions/0027-agent-keys-and-skills.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

FENCE = "---"
MAX_LINES = 200
WANTED = ("name", "description")

_KEY = re.compile(r"(?P<key>[A-Za-z0-9_][A-Za-z0-9_-]*) *:(?: +(?P<value>.*))?\Z")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BLOCK = re.compile(r"(?P<style>[|>])[-+]?(?: +#.*)?\Z")
_NOT_TEXT = re.compile(
    r"(?:~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(?:inf|nan)"
    r"|[-+]?\.?[0-9][-+0-9_.,:xob a-f]*|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)\Z",
    re.IGNORECASE,
)
_INDICATORS = tuple("&*!%@`[]{}|>#,?\"'")
_SIGN_ALONE = re.compile(r"[-:](?:\s|\Z)")
_COLON = re.compile(r":(?:\s|\Z)")
_COMMENT = re.compile(r"\s#")
_DOUBLE_QUOTED = re.compile(r'"(?P<inside>(?:[^"\\]|\\.)*)"\Z')
_SINGLE_QUOTED = re.compile(r"'(?P<inside>(?:[^']|'')*)'\Z")
_ESCAPE = re.compile(r"\\(u[dD][89a-fA-F]|.)")
_JSON_ESCAPES = frozenset('"\\/bfnrtu')


class FrontMatterFault(ValueError):
    """What is wrong with it, for the person who wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    name: str
    description: str


def read_front_matter(document: str) -> FrontMatter:
    """FrontMatterFault where there is none, or one of the two keys is missing or not text."""
    entries = _entries(_lines_between_fences(document))
    found = {}
    for key in WANTED:
        if key not in entries:
            raise FrontMatterFault(f"the front matter has no {key}")
        found[key] = _text(key, entries[key]).strip()
        if not found[key]:
            raise FrontMatterFault(f"{key} in the front matter is empty")
    return FrontMatter(name=found["name"], description=found["description"])


def _lines_between_fences(document: str) -> list[str]:
    lines = document.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip(" ") != FENCE:
        raise FrontMatterFault("must begin with front matter: a line with --- and nothing else")
    for number, line in enumerate(lines[1 : MAX_LINES + 2], start=1):
        if line.rstrip(" ") == FENCE:
            return lines[1:number]
        if _CONTROL.search(line):
            raise FrontMatterFault(
                f"line {number + 1} has a tab or another control character; use spaces"
            )
    raise FrontMatterFault(f"the front matter does not end with --- within {MAX_LINES} lines")


def _entries(lines: Sequence[str]) -> dict[str, list[str]]:
    """Each key of the first level: what follows it on its line, then the lines below it."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        if not line.strip() or line[0] == " ":
            if key:
                found[key].append(line)
            elif line.strip():
                raise FrontMatterFault(f"nothing is above this indented line: {line.strip()[:80]}")
        elif line[0] == "#":
            key = "" if key in WANTED else key  # it ends a text, not what is nested below a key
        elif line.startswith("- ") and key and key not in WANTED:
            found[key].append(line)
        else:
            match = _KEY.match(line)
            if match is None:
                raise FrontMatterFault(f"this line is no `key: value`: {line[:80]}")
            key = match["key"]
            if key in found:
                raise FrontMatterFault(f"{key} is there twice")
            found[key] = [(match["value"] or "").strip()]
    return found


def _text(key: str, entry: Sequence[str]) -> str:
    first, below = entry[0], list(entry[1:])
    while below and not below[-1].strip():
        below.pop()
    block = _BLOCK.match(first)
    if block is not None:
        return _block_text(key, below, folds=block["style"] == ">")
    if not below:
        first = _without_comment(first)
    value = _folded([first, *(line.strip() for line in below)])
    if value.startswith('"'):
        return _double_quoted_text(key, value)
    if value.startswith("'"):
        match = _SINGLE_QUOTED.match(value)
        if match is None:
            raise _unreadable(key)
        return match["inside"].replace("''", "'")
    return _plain_text(key, value)


def _without_comment(value: str) -> str:
    """Of a text in quotes what stands behind it, of any other from ` #` on."""
    if not value.startswith(("'", '"')):
        return re.sub(r"(?:^| )#.*\Z", "", value).rstrip(" ")
    return re.sub(r"(?P<end>['\"]) +#[^'\"]*\Z", r"\g<end>", value)


def _plain_text(key: str, value: str) -> str:
    if value.startswith(_INDICATORS) or _SIGN_ALONE.match(value):
        raise FrontMatterFault(f"{key} begins with a sign that YAML reads otherwise; put it in '…'")
    if _COLON.search(value):
        raise FrontMatterFault(f"{key} has a colon, which YAML reads otherwise; put it in '…'")
    if _COMMENT.search(value):
        raise FrontMatterFault(f"{key} has a comment between its lines; put it in '…'")
    if _NOT_TEXT.match(value):
        raise FrontMatterFault(f"{key} is not text to YAML; put it in '…'")
    return value


def _double_quoted_text(key: str, value: str) -> str:
    """With the escapes that JSON has too; YAML has more, which nobody needs here."""
    match = _DOUBLE_QUOTED.match(value)
    if match is None:
        raise _unreadable(key)
    if any(escape[1] not in _JSON_ESCAPES for escape in _ESCAPE.finditer(match["inside"])):
        raise _unreadable(key)
    try:
        return str(json.loads(value))
    except ValueError as error:
        raise _unreadable(key) from error


def _block_text(key: str, lines: Sequence[str], *, folds: bool) -> str:
    """Literal, or with its lines folded."""
    first = next((line for line in lines if line.strip()), "")
    indent = _indent_of(first)
    texts = []
    for line in lines:
        deeper = _indent_of(line) > indent
        is_blank = not line.strip()
        if (is_blank and deeper) or (not is_blank and _indent_of(line) < indent):
            raise FrontMatterFault(f"the lines of {key} are indented unevenly")
        if folds and deeper:
            raise FrontMatterFault(f"the lines of {key} are indented unevenly")
        texts.append(line[indent:])
    return _folded(texts) if folds else "\n".join(texts)


def _folded(lines: Sequence[str]) -> str:
    """Line ends become blanks; blank lines are line ends."""
    text, blank_lines = "", 0
    for line in lines:
        if not line:
            blank_lines += 1
            continue
        if text:
            text += "\n" * blank_lines or " "
        text, blank_lines = text + line, 0
    return text


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _unreadable(key: str) -> FrontMatterFault:
    return FrontMatterFault(f"{key} is not one text in quotes; write it in '…', with '' for a '")
