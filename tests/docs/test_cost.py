"""The page of the counting convention says what the code's definition says, and its figures are the catalogue's."""

from __future__ import annotations

import archspec
import archspec.ir.cost
from archspec.analysis.cost import totals
from tests.docs.blocks import ROOT, shown

PAGE = ROOT / "docs" / "cost.md"


def test_definition_is_the_docstring():
    (definition,) = shown("text", pages=[PAGE])
    assert definition.text.strip() == archspec.ir.cost.__doc__.strip()


def test_figures_of_resnet50():
    found = totals(archspec.load("resnet50"))
    text = PAGE.read_text(encoding="utf-8")
    for figure in (found.params, found.trainable_params, found.macs):
        assert f"{figure:,}" in text
    assert f"M = {found.macs:,}" in text
    assert f"| {2 * found.macs:,} | FLOP | 2M |" in text
