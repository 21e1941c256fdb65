"""Where a file's model and a spec differ, said so that both places can be found."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from archspec.backend.archive import WeightsError
from archspec.backend.comparison.numbers import TensorSample, TensorSamples, are_alike
from archspec.backend.comparison.spec import Twin
from archspec.backend.importers.keras_calls import Calls, LayerCall, LayerOutput
from archspec.backend.rules import pattern
from archspec.backend.wiring import without_repeats
from archspec.ir.diagnostics import listed
from archspec.ir.graph import Graph, Node, Tensor

MEANT = "if that is meant, state in rules\n  unchecked: [{}]"
SAID = 6
"""How many arguments of a layer are named."""
UNSAID = frozenset(("name", "trainable", "dtype", "data_format", "seed"))


class ModelDifference:
    """The two sides. ``twins`` are the layers of the graph that have weights, ``layers`` those of the file."""

    def __init__(
        self,
        graph: Graph,
        file: Calls,
        ours: Mapping[Tensor, TensorSample],
        theirs: Mapping[LayerOutput, TensorSample],
        twins: Collection[str],
        layers: Collection[str],
    ):
        self.graph, self.ours, self.theirs, self.twins, self.layers = graph, ours, theirs, twins, layers
        self.calls = {(call.layer, call.turn): call for call in file.calls}
        self.starts = {LayerOutput(name) for name, *_ in file.inputs}

    def of_layer(self, call: LayerCall, twin: Twin, given: tuple[TensorSample, ...]) -> WeightsError:
        """A layer with weights gives something else: by itself, or since it is given something else."""
        node = twin.node
        taken = without_repeats(call.operands)
        if are_alike(twin.taken[: len(taken)], tuple(self.theirs[source] for source in taken)):
            return WeightsError(
                f"{node.span}: {described(call)} of the file is not {node.layer!r} ({node.op.name}): given the same "
                f"numbers they compute others{_shapes(given, twin.given)}; {MEANT.format(pattern(call.layer))}"
            )
        return self.between(taken, node.inputs, repr(call.layer), node)

    def between(
        self, theirs: Sequence[LayerOutput], ours: Sequence[Tensor], what: str, node: Node | None = None
    ) -> WeightsError:
        """What stands behind tensors differs. ``what`` takes them, ``node`` is where that is in the spec."""
        calls, nodes = list(self._calls(theirs)), list(self._nodes(ours))
        file = listed([described(call) for call in calls])
        spec = listed([f"{n.name!r} ({n.op.name})" for n in nodes])
        if calls and nodes:
            said = f"before {what} the file computes {file}, where the spec computes {spec}"
        elif calls:
            said = f"before {what} the file computes {file}, which the spec does not"
        elif nodes:
            said = f"before {what} the spec computes {spec}, which the file does not"
        else:
            said = f"{what} takes other tensors in the file than in the spec, or in another order"
        found = tuple(self.theirs[at] for at in theirs if at in self.theirs)
        shapes = _shapes(found, tuple(self.ours[at] for at in ours))
        names = [call.layer for call in calls] or [at.layer for at in theirs]
        last = node or next((self.graph.by_name[at.node] for at in ours if at.node in self.graph.by_name), None)
        place = _place(self.graph, nodes[0] if nodes else last)
        return WeightsError(f"{place}: {said}{shapes}; {MEANT.format(', '.join(map(pattern, dict.fromkeys(names))))}")

    def _calls(self, ends: Sequence[LayerOutput]) -> Iterator[LayerCall]:
        """Of the file's layers without weights behind tensors, the first that give what nothing of the spec gives."""
        known = TensorSamples(self.ours.values())

        def is_known(at: LayerOutput) -> bool:
            sample = self.theirs.get(at)
            return at.layer in self.layers or at in self.starts or sample is None or sample in known

        todo, behind = list(ends), set[tuple[str, int]]()
        while todo:
            at = todo.pop()
            call = self.calls.get((at.layer, at.turn))
            if call and call.layer not in self.layers and (at.layer, at.turn) not in behind:
                behind.add((at.layer, at.turn))
                todo.extend(call.taken)
        for key, call in self.calls.items():
            if key in behind and not is_known(LayerOutput(*key)) and all(map(is_known, call.taken)):
                yield call

    def _nodes(self, ends: Sequence[Tensor]) -> Iterator[Node]:
        """The spec's likewise."""
        known = TensorSamples(self.theirs.values())

        def is_known(at: Tensor) -> bool:
            node = self.graph.by_name.get(at.node)
            return node is None or node.layer in self.twins or self.ours[at] in known

        todo, behind = list(ends), set[str]()
        while todo:
            node = self.graph.by_name.get(todo.pop().node)
            if node and node.layer not in self.twins and node.name not in behind:
                behind.add(node.name)
                todo.extend(node.inputs)
        for node in self.graph.nodes:
            if node.name in behind and not is_known(Tensor(node.name)) and all(map(is_known, node.inputs)):
                yield node


def incomparable(graph: Graph, call: LayerCall, why: str, node: Node | None) -> WeightsError:
    """A layer of the file cannot be computed, and what takes its result can not be compared."""
    return WeightsError(
        f"{_place(graph, node)}: {call.layer!r} ({call.kind}) of the file cannot be compared with the spec: {why}; if "
        f"the spec computes what it does, state in rules\n  unchecked: [{pattern(call.layer)}]"
    )


def described(call: LayerCall) -> str:
    """A layer of a file, its class and those of its arguments that are numbers and words."""
    plain = [
        f"{key} {value}"
        for key, value in call.config.items()
        if key not in UNSAID and isinstance(value, (bool, int, float, str, list))
    ]
    return f"{call.layer!r} ({call.kind}{': ' if plain else ''}{', '.join(plain[:SAID])})"


def _place(graph: Graph, node: Node | None) -> str:
    return str(node.span) if node else graph.name


def _shapes(theirs: Sequence[TensorSample], ours: Sequence[TensorSample]) -> str:
    for one, other in zip(theirs, ours, strict=False):
        if one.shape != other.shape:
            return f" (of the shape {one.shape[1:]} in the file, {other.shape[1:]} in the spec)"
    return ""
