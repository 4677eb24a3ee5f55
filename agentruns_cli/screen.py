"""Where text goes: data to standard output, everything else to standard error.

Text that came from outside is stripped of control characters, so that a title cannot drive the
terminal. Not here: what the text says (describe.py).
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from agentruns_cli.errors import CliError, Interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """How one command prints. `as_json` and `ids_only` are the flags `--json` and `--quiet`."""

    as_json: bool
    ids_only: bool

    @property
    def is_for_people(self) -> bool:
        """True where neither --json nor --quiet asks for output a program reads."""
        return not self.as_json and not self.ids_only

    def document(self, document: Any) -> None:
        """One JSON document, indented."""
        typer.echo(json.dumps(document, indent=2, ensure_ascii=not _writes_unicode()))

    def document_line(self, document: Any) -> None:
        """One JSON document on one line (NDJSON)."""
        typer.echo(json.dumps(document, ensure_ascii=not _writes_unicode()))
        sys.stdout.flush()

    def data(self, text: str) -> None:
        """A line, or lines, of data."""
        typer.echo(printable(text))
        sys.stdout.flush()

    def append(self, text: str) -> None:
        """A part of a line, or lines, of data."""
        typer.echo(printable(text), nl=False)
        sys.stdout.flush()

    def chatter(self, text: str) -> None:
        """A hint to a person; silent under --quiet and --json."""
        if self.is_for_people:
            typer.echo(printable(text), err=True)

    def answer(self, document: Any, identifier: str, text: str | None = None) -> None:
        """What the API answered: `document` under --json, else `text`, or the id alone."""
        if self.as_json:
            self.document(document)
        else:
            self.data(identifier if self.ids_only or text is None else text)

    def page(
        self,
        page: Mapping[str, Any],
        id_field: str,
        draw: Callable[[Sequence[Mapping[str, Any]]], str],
        if_empty: str,
    ) -> None:
        """A page of the API's `items`: the page itself, their ids, or what `draw` makes of them."""
        if self.as_json:
            self.document(page)
            return
        items, following = page.get("items", []), page.get("next_cursor")
        if self.ids_only:
            for item in items:
                self.data(str(item.get(id_field, "")))
        elif items:
            self.data(draw(items))
        elif not following:
            self.chatter(if_empty)
        if following:
            self.chatter(f"There are more: add --cursor {following}")


def print_error(error: CliError) -> None:
    """Title, detail, refused fields, request id and the next step, to standard error."""
    problem = error.problem
    kind = "" if isinstance(error, Interrupted) else "error: "
    lines = [f"{kind}{problem.title}" + (f" (HTTP {problem.status})" if problem.status else "")]
    refused = [f"{field.field}: {field.message}" for field in problem.errors]
    # The API's detail of a refused body is its field errors in one line.
    if problem.detail and not (refused and all(text in problem.detail for text in refused)):
        lines.append(_indented(problem.detail))
    lines += [f"  {text}" for text in refused]
    if problem.request_id:
        lines.append(f"  request id: {problem.request_id}")
    if error.next_step:
        lines.append(f"  next: {error.next_step}")
    typer.echo(printable("\n".join(lines)), err=True)


def printable(text: str) -> str:
    """`text` without control and bidirectional formatting characters, line ends excepted."""
    return "".join(
        character
        for character in text
        if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
    )


def one_line(text: str) -> str:
    """`text` on one line, every run of white space one blank."""
    return " ".join(text.split())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two blanks apart; a heading and one line per row."""
    lines = [tuple(heads), *(tuple(printable(one_line(cell)) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
