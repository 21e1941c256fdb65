"""The search for sizes that work: what it says, what it keeps quiet about, and that its work is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.frontend import analyse, neighbours
from archspec.frontend.elaborate import Elaborator

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture
def work(monkeypatch):
    """Steps and layers of every elaboration that fails fast, which only the search does."""
    done: list[Elaborator] = []
    made = Elaborator.__init__

    def counted(self, *args, **kwargs):
        made(self, *args, **kwargs)
        if self.fails_fast:
            done.append(self)

    monkeypatch.setattr(Elaborator, "__init__", counted)
    return lambda: sum(walk.steps + len(walk.nodes) for walk in done)


def broken(tmp_path: Path, spec: str, old: str, new: str) -> Path:
    text = (SPECS / spec).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / Path(spec).name
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_search_of_a_large_network_in_many_variants_is_bounded(tmp_path, work):
    """A block that lost its last line, so that channels outgrow every limit in all variants: no size is at fault."""
    path = broken(
        tmp_path,
        "efficientnet/efficientnet_v2.yaml",
        "      - conv_bn: {filters: =filters, kernel: 1, act: linear}\n",
        "",
    )
    found = analyse(str(path))
    assert {d.code for d in found.errors} == {"H01"} and all(d.help is None for d in found.errors)
    assert 0 < work() < 2 * neighbours.WORK


NET = """\
archspec: 1
name: net
inputs: {{image: [{side}, {side}, 3]}}
body:
{steps}
"""


def said(tmp_path: Path, side: int, steps: str) -> str | None:
    path = tmp_path / "net.yaml"
    path.write_text(NET.format(side=side, steps=steps), encoding="utf-8")
    (error,) = analyse(str(path)).errors
    return error.help


DOWN_AND_UP = """\
  - {{conv: 8, as: before}}
  - {{conv: {{filters: 8, stride: 2}}, repeat: {times}}}
  - {{upsample: {factor}}}
  - add: [before, prev]"""


def test_sizes_are_named_where_another_size_is_all_that_is_needed(tmp_path):
    assert "multiple of 8: nearest sizes are 96 and 104" in str(
        said(tmp_path, 100, DOWN_AND_UP.format(times=3, factor=8))
    )


def test_a_size_that_fits_only_because_a_side_has_shrunk_to_one_is_not_named(tmp_path):
    """Downwards by 8, upwards by 4: nothing ever meets, but a map of one pixel is added to any."""
    help = said(tmp_path, 12, "  - {conv: 8, as: a}\n  - {max_pool: 3, from: a}\n  - {upsample: 2}\n  - add: [a, prev]")
    assert help is not None and "works" not in help and "work " not in help


def test_nothing_is_said_of_sizes_below_half_of_what_was_given(tmp_path):
    """Channels that never meet where there is more than one pixel."""
    help = said(tmp_path, 40, "  - {conv: 8, as: a}\n  - {conv: {filters: 8, stride: 16}}\n  - add: [a, prev]")
    assert help is not None and "works" not in help and "work " not in help
