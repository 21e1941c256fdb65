"""Graph → the shortest readable spec that elaborates to it: what reads networks of other kinds ends here.

``shape`` finds residuals and branches, ``folding`` blocks and loops, ``text`` writes YAML. What is written is read
again and compared with the graph, so that a spec which says something else is never given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.ir.graph import Graph


class Unwritable(ValueError):
    """A graph that no chain of ops and networks says; its message says why."""


def spec_text(graph: Graph, *, doc: str = "") -> str:
    """A spec, in canonical form, whose graph is equal to ``graph`` but for names: the same ops, wiring, shapes and
    costs. What concerns training alone, losses and heads that only it needs, is left out. ``doc`` becomes the spec's.

    Layers with shared weights become networks that are called several times. Raises Unwritable where their calls
    compute different things, or the graph is of several networks.
    """
    from archspec.frontend import loads
    from archspec.ir.diagnostics import SpecError
    from archspec.writing.equality import is_same
    from archspec.writing.folding import with_blocks, with_repeats
    from archspec.writing.regions import SharedOtherwise, networks_of
    from archspec.writing.shape import UnsaidItems, chain
    from archspec.writing.text import WrittenNetwork, written

    graph = graph.inference()
    if graph.networks:
        raise Unwritable("it has several networks")
    if not graph.nodes:
        raise Unwritable("it has no layers")
    try:
        networks = networks_of(graph)
    except SharedOtherwise as error:
        raise Unwritable(str(error)) from None
    calls = [call for regions in networks for call in regions]
    for is_folded, has_structures in ((True, True), (False, True), (False, False)):
        called = []
        try:
            steps, ends = chain(graph, calls, has_structures=has_structures)
            for first, *_ in networks:
                names = [f"in{k + 1}" for k in range(len(first.taken))]
                body, _ = chain(first.body(graph, names), has_structures=has_structures)
                called.append(WrittenNetwork(str(first.network), names if len(names) > 1 else [], body))
        except UnsaidItems as error:
            raise Unwritable(str(error)) from None
        chains = [steps, *(network.body for network in called)]
        blocks = with_blocks(chains) if is_folded else []
        for part in (*chains, *(block.body for block in blocks)):
            with_repeats(part)
        text = written(graph, steps, ends, blocks, called, doc)
        try:
            if is_same(loads(text, f"{graph.name}.yaml"), graph):
                return text
        except SpecError:
            continue
    raise Unwritable("what it computes has no form as a chain of steps")
