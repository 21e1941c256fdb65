"""The search for sizes that work: what it says, what it keeps quiet about, and that its work is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.frontend import analyse, neighbours
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.findings import OTHERS

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


FAMILY = """\
archspec: 1
name: family
params: {depths: [2, 2]}
inputs: {image: [32, 32, 3]}
body:
  - {do: [{conv_bn: =8 * 2**i, repeat: {j: =n}}, max_pool], repeat: {i: [0, 1], n: =depths}}
variants:
  one: {depths: [100, 100]}
  two: {depths: [110, 100]}
  three: {depths: [120, 100]}
  last: {depths: LAST}
"""


@pytest.fixture
def walks(monkeypatch):
    """Steps and layers of every elaboration, and how many there were that made layers."""
    done: list[Elaborator] = []
    made = Elaborator.__init__

    def kept(self, *args, **kwargs):
        made(self, *args, **kwargs)
        done.append(self)

    monkeypatch.setattr(Elaborator, "__init__", kept)
    return lambda: [walk.steps + len(walk.nodes) for walk in done if walk.nodes]


@pytest.mark.parametrize(
    ("last", "code", "most"),
    [
        ("3", "T01", 50),  # A value of another type than the parameter's: no step is needed to see it.
        ("[100, -1]", "T02", 750),  # Values unlike those of the other variants are tried first.
        ("[100, relu]", "T03", 750),
    ],
)
def test_what_is_wrong_in_the_last_of_many_variants_is_found_first(tmp_path, walks, last, code, most):
    path = tmp_path / "family.yaml"
    path.write_text(FAMILY.replace("LAST", last), encoding="utf-8")
    (error,) = analyse(str(path)).errors
    assert error.code == code
    assert sum(walks()[:1]) <= most and sum(walks()[1:]) <= 4 * OTHERS


def test_graphs_come_in_the_order_of_the_text_whatever_was_tried_first(tmp_path):
    path = tmp_path / "family.yaml"
    text = FAMILY.replace("LAST", "[0, 1]").replace("{depths: [100, 100]}", "{depths: [1, 0]}")
    path.write_text(text.replace("110", "1").replace("120", "1").replace("100", "1"), encoding="utf-8")
    found = analyse(str(path))
    assert not found.errors
    assert [graph.variant for graph in found.graphs] == [None, "one", "two", "three", "last"]


def test_a_loop_that_cannot_end_within_the_limit_is_left_at_once(tmp_path, walks):
    """Turns that nothing tells apart: two of them say how many layers all make."""
    path = tmp_path / "net.yaml"
    path.write_text(NET.format(side=8, steps="  - {conv: 3, repeat: 20001}"), encoding="utf-8")
    (error,) = analyse(str(path)).errors
    assert error.code == "B02" and max(walks()) < 10


def test_a_loop_whose_turns_do_nothing_later_is_not_left(tmp_path):
    """Turns that a variable tells apart are made: most of these make no layer."""
    path = tmp_path / "net.yaml"
    steps = "  - {do: [{conv: 3, when: =i < 3}], repeat: {i: 30000}}"
    path.write_text(NET.format(side=8, steps=steps), encoding="utf-8")
    (graph,) = analyse(str(path)).graphs
    assert len(graph.nodes) == 3
