"""Front matter: what is read is what YAML says, and what is refused says why."""

from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns.front_matter import MAX_LINES, FrontMatter, FrontMatterFault, read_front_matter
from tests.properties import tried


def document(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", "", "# Body", ""])


@pytest.mark.parametrize(
    ("lines", "description"),
    [
        (["name: seo", "description: Use when writing."], "Use when writing."),
        (["description: Use when writing.", "name: seo"], "Use when writing."),
        (["name: seo", "description: 'Use when: writing, don''t else'"], None),
        (["name: seo", r'description: "Say \"hi\" \u00e4 \\ \n next"'], None),
        (["name: seo", "description: >", "  Use when", "  writing.", "", "  Else not."], None),
        (["name: seo", "description: >-", "  Use when writing."], "Use when writing."),
        (["name: seo", "description: |", "  one", "    two", "  three"], "one\n  two\nthree"),
        (["name: seo", "description: Use when", "  writing", "", "  a text"], None),
        (["name: seo", "description:", "  Use when writing."], "Use when writing."),
        (["name: seo # short", "description: Use it # or not"], "Use it"),
        (["name: seo", "description: 'Use it' # or not"], "Use it"),
        (["name: seo", "description: C# and a#b"], "C# and a#b"),
        (["# a comment", "name: seo", "", "description: text"], "text"),
        (["name: seo", "license: MIT", "description: text", "tags:", "- a", "- b"], "text"),
        (["metadata:", "  a: 1", "# between", "  b: [x, y]", "name: seo", "description: t"], "t"),
        (["name: 'seo'", 'description: "über — 日本語 🎉"'], "über — 日本語 🎉"),
    ],
)
def test_text_is_read_in_every_way_that_yaml_writes_it(lines, description):
    read = read_front_matter(document(*lines))
    parsed = yaml.safe_load("\n".join(lines))

    assert (read.name, read.description) == (parsed["name"], parsed["description"].strip())
    assert description in (None, read.description)


def test_line_ends_and_a_byte_order_mark_of_another_system_are_taken():
    text = "\ufeff---\r\nname: seo\r\ndescription: >\r\n  a\r\n  b\r\n---\r\nBody"

    assert read_front_matter(text) == FrontMatter(name="seo", description="a b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with front matter"),
        ("# A skill\n", "must begin with front matter"),
        ("\n---\nname: a\ndescription: b\n---\n", "must begin with front matter"),
        ("---\nname: a\ndescription: b\n", "does not end with ---"),
        ("---\n" + "a: b\n" * (MAX_LINES + 1) + "---\n", "does not end with ---"),
        (document("name: a"), "has no description"),
        (document("description: a"), "has no name"),
        (document(), "has no name"),
        (document("name:", "description: b"), "name in the front matter is empty"),
        (document("name: ''", "description: b"), "name in the front matter is empty"),
        (document("name: a", "description: >"), "description in the front matter is empty"),
        (document("name: a", "name: b", "description: c"), "name is there twice"),
        (document("name: a", "description: Use when: writing"), "description has a colon"),
        (document("name: a", "description: Use when", "  it is: so"), "description has a colon"),
        (document("name: a", "description: one:", "", "  two"), "description has a colon"),
        (document("name: a", "description: one # two", "  three"), "has a comment"),
        (document("name: a", "description: one", "", "  # two"), "has a comment"),
        (document("name: 12", "description: b"), "name is not text"),
        (document("name: true", "description: b"), "name is not text"),
        (document("name: ~", "description: b"), "name is not text"),
        (document("name: 2026-01-02", "description: b"), "name is not text"),
        (document("name: [a]", "description: b"), "name begins with a sign"),
        (document("name: &a b", "description: *a"), "name begins with a sign"),
        (document("name: !!python/object a", "description: b"), "name begins with a sign"),
        (document("name: a", "description:", "  - b"), "description begins with a sign"),
        (document("name: a", 'description: "b'), "description is not one text in quotes"),
        (document("name: a", 'description: "b" c'), "description is not one text in quotes"),
        (document("name: a", r'description: "\x41"'), "description is not one text in quotes"),
        (document("name: a", r'description: "\ud83d\ude00"'), "not one text in quotes"),
        (document("name: a", "description: 'b"), "description is not one text in quotes"),
        (document("name: a", "description: |", "    b", "  c"), "indented unevenly"),
        (document("name: a", "description: >", "  b", "    c"), "indented unevenly"),
        (document("\tname: a", "description: b"), "line 2 has a tab"),
        (document("name: a", "description: b\x00"), "control character"),
        (document("name: a", "description: b\u2028c"), "control character"),
        (document("  name: a", "description: b"), "nothing is above this indented line"),
        (document("name=a", "description: b"), "this line is no `key: value`: name=a"),
        (document("name:a", "description: b"), "this line is no `key: value`"),
        (document("name: a", "# x", "  b", "description: c"), "nothing is above"),
    ],
)
def test_what_is_refused_says_why(text, message):
    with pytest.raises(FrontMatterFault) as caught:
        read_front_matter(text)

    assert message in str(caught.value)


TEXT = st.text(alphabet="ab1 -:#'\"\\|>&*!?,[]{}%@~.=<\néü\t", max_size=25)
STYLES = st.sampled_from(["{0}", "'{0}'", '"{0}"', "\n  {0}", "|\n  {0}", ">\n  {0}", ">-\n  {0}"])


def what_is_taken_is_what_yaml_reads(style, text, indent):
    """Whatever is typed: it is refused, or a YAML parser reads the same text of it."""
    value = style.format(text.replace("\n", f"\n{indent}"))
    lines = ["name: seo", f"description: {value}"]
    try:
        read = read_front_matter(document(*lines))
    except FrontMatterFault:
        return
    fences = [index for index, line in enumerate("\n".join(lines).split("\n")) if line == "---"]
    shown = "\n".join("\n".join(lines).split("\n")[: fences[0] if fences else None])
    parsed = yaml.safe_load(shown)

    assert isinstance(parsed["description"], str)
    assert read.description == parsed["description"].strip()
    assert read.name == parsed["name"]


@pytest.mark.parametrize("times", [200, pytest.param(2_000, marks=pytest.mark.slow)])
def test_what_is_taken_is_what_yaml_reads(times):
    indents = st.sampled_from(["", "  ", "    "])
    tried(times, what_is_taken_is_what_yaml_reads, style=STYLES, text=TEXT, indent=indents)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_nothing_breaks_it(text):
    for each in (text, f"---\n{text}\n---\n", f"---\nname: a\ndescription: {text}\n---\n"):
        with suppress(FrontMatterFault):
            assert read_front_matter(each).name


def test_a_hostile_document_takes_no_time():
    for part in ("a" * 100_000, "'" * 100_000, '"' + '\\"' * 50_000, " " * 100_000 + "#"):
        with pytest.raises(FrontMatterFault):
            read_front_matter(f"---\nname: a\ndescription: {part}: b\n---\n")
