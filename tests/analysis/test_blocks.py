"""Blocks out of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archspec.analysis.blocks import Block, folded, readable_depth, tree

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)
NAMES = st.lists(PATHS, min_size=1, max_size=30).map(lambda paths: [f"{p}.n{i}" for i, p in enumerate(paths)])


@given(NAMES)
def test_every_name_stands_once_and_in_order(names):
    assert tree(names).positions() == list(range(len(names)))


@given(NAMES)
def test_no_block_has_a_single_child(names):
    def check(block: Block) -> None:
        for child in block.children:
            if isinstance(child, Block):
                assert len(child.children) > 1
                assert all(names[p].startswith(child.path + ".") for p in child.positions())
                check(child)

    check(tree(names))


@given(NAMES, st.integers(1, 5))
def test_folding_is_a_partition(names, depth):
    groups = folded(names, depth)
    assert sorted(p for positions in groups.values() for p in positions) == list(range(len(names)))
    assert len(groups) <= len(folded(names, depth + 1)) <= len(names)


def test_a_path_that_is_entered_twice_makes_two_blocks():
    root = tree(["p.3", "p.4", "relu", "p.5", "p.6"])
    assert [c.path if isinstance(c, Block) else c for c in root.children] == ["p", 2, "p"]


def test_single_children_give_way_under_both_labels():
    (child, other) = tree(["a.b.x", "a.b.y", "c.d.z"]).children
    assert isinstance(child, Block) and (child.path, child.label) == ("a.b", "a.b")
    assert other == 2


def test_the_readable_depth_is_the_deepest_that_fits():
    names = [f"a.{i}.{j}" for i in range(5) for j in range(5)]
    assert readable_depth(names, 31) is None
    assert readable_depth(names, 30) == 2
    assert readable_depth(names, 4) == 1
    assert readable_depth([f"n{i}" for i in range(99)], 60) == 1
