"""Graph → the shortest readable spec that elaborates to it: what reads networks of other kinds ends here.

``shape`` finds residuals and branches, ``folding`` blocks and loops, ``text`` writes YAML. What is written is read
again and compared with the graph, so that a spec which says something else is never given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.ir.graph import Graph


class Unwritable(ValueError):
    """A graph that one chain of ops does not say, such as one whose layers share weights; its message says why."""


def spec_text(graph: Graph, *, doc: str = "") -> str:
    """A spec, in canonical form, whose graph is equal to ``graph`` but for names: the same ops, wiring, shapes and
    costs. What concerns training alone, losses and heads that only it needs, is left out. ``doc`` becomes the spec's.

    Raises Unwritable where layers share weights, or there are several networks.
    """
    from archspec.frontend import loads
    from archspec.ir.diagnostics import SpecError
    from archspec.writing.equality import is_same
    from archspec.writing.folding import with_blocks, with_repeats
    from archspec.writing.shape import chain
    from archspec.writing.text import written

    graph = graph.inference()
    _refuse(graph)
    for is_folded, has_structures in ((True, True), (False, True), (False, False)):
        steps, ends = chain(graph, has_structures=has_structures)
        blocks = with_blocks(steps) if is_folded else []
        for body in (steps, *(block.body for block in blocks)):
            with_repeats(body)
        text = written(graph, steps, ends, blocks, doc)
        try:
            if is_same(loads(text, f"{graph.name}.yaml"), graph):
                return text
        except SpecError:
            continue
    raise Unwritable("what it computes has no form as a chain of steps")


def _refuse(graph: Graph) -> None:
    if graph.networks:
        raise Unwritable("it has several networks")
    if not graph.nodes:
        raise Unwritable("it has no layers")
    known: dict[str, str] = {}
    for node in graph.nodes:
        first = known.setdefault(node.layer, node.name)
        if first != node.name and node.weights:
            raise Unwritable(f"{first!r} and {node.name!r} share their weights")
