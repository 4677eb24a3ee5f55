"""Every relative link of every page leads somewhere, and every anchor to a heading."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import CHECKOUT, all_pages, anchors, links


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_relative_links_resolve(page):
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_missing = not target.exists() or not target.is_relative_to(CHECKOUT)
        if is_missing or (
            anchor
            and target.suffix == ".md"
            and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            broken.append(link)

    assert broken == []


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [CHECKOUT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        names = (link.partition("#")[0] for link in links(page.read_text(encoding="utf-8")))
        waiting += [(page.parent / name).resolve() for name in names if name and ":" not in name]

    missing = {str(page.relative_to(CHECKOUT)) for page in all_pages() if page not in reached}

    assert missing == set()


PATH = re.compile(r"(?<![\w/.])(?:tests|local|docs|layers|functions|events|requirements)/[\w./*-]+")


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_paths_in_code_words_exist(page):
    words = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    paths = [path for word in words for path in PATH.findall(word)]

    assert [path for path in paths if not list(CHECKOUT.glob(path.rstrip("/.")))] == []
