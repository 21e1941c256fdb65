"""The Chinese pages are in step with the English ones: the same headings, blocks of code, rows and words in code."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT

ZH = ROOT / "docs" / "zh"
PAIRS = {ZH / "README.md": ROOT / "README.md", ZH / "language.md": ROOT / "docs" / "language.md"}
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)


def sections(text: str) -> list[str]:
    """The text below each heading, without blocks of code."""
    return HEADING.split(BLOCK.sub("", text))[2::2]


def words(section: str) -> list[str]:
    """What stands in code, however often; a line break is a space."""
    return sorted({" ".join(word.split()) for word in re.findall(r"`([^`]+)`", section)})


def rows(text: str) -> list[list[str]]:
    """The numbers of every row of a table."""
    plain = (BLOCK.sub("", text)).splitlines()
    return [re.findall(r"\d(?:[\d,]*\d)?", line) for line in plain if line.startswith("|")]


def test_every_page_has_its_pair():
    assert sorted(ZH.glob("*.md")) == sorted(PAIRS)


@pytest.mark.parametrize("page", PAIRS, ids=lambda p: p.name)
def test_a_page_is_in_step(page):
    ours, theirs = page.read_text("utf-8"), PAIRS[page].read_text("utf-8")
    assert HEADING.findall(BLOCK.sub("", ours)) == HEADING.findall(BLOCK.sub("", theirs))
    assert BLOCK.findall(ours) == BLOCK.findall(theirs)
    assert [words(s) for s in sections(ours)] == [words(s) for s in sections(theirs)]
    assert rows(ours) == rows(theirs)
