"""In which orders the nodes of a graph read and write, for weights of libraries that keep images channels first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archspec.backend.wiring import WeightsError
from archspec.ir.counterpart import SAME, Counterpart, OrderTrace, Side, Unfollowed
from archspec.ir.graph import Graph, Node, Tensor

if TYPE_CHECKING:
    import numpy as np


class Orders:
    """How the tensors of a graph lie elsewhere. ``sides`` says where the channels of nodes' results are that could be
    either. Raises WeightsError where what must lie alike does not."""

    def __init__(self, graph: Graph, sides: Mapping[str, Side] | None = None):
        self.graph, sides = graph, dict(sides or {})
        self.trace = OrderTrace()
        self.tensors: dict[Tensor, Counterpart] = {}
        self.calls: dict[str, list[Node]] = {}
        for name, spec in graph.inputs.items():
            self._add(Tensor(name), self.trace.input(name, spec), sides)
        for node in graph.nodes:
            self.calls.setdefault(node.layer, []).append(node)
            self.trace.node, self.trace.layer = node.name, node.layer
            inputs = [self.tensors[t] for t in node.inputs]
            out: Any = node.outputs[0] if len(node.outputs) == 1 else node.outputs
            made = node.op.elsewhere(self.trace, out, *inputs)
            for port, tensor in enumerate(made if isinstance(made, tuple) else (made,)):
                self._add(Tensor(node.name, port), tensor, sides)
        if sides:
            raise WeightsError(f"the rules say where the channels of {next(iter(sides))!r} are, which the spec has not")
        self._check()

    def of(self, node: Node) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Where each channel that the node reads, and each that it writes, lies elsewhere; None where all are the same.

        Raises WeightsError where that is not known, or where calls of one layer differ.
        """
        import numpy as np

        found = []
        for call in self.calls[node.layer]:
            first, *rest = [self._places(self.tensors[t], call.name) for t in call.inputs]
            written = self._places(self.tensors[Tensor(call.name)], call.name)
            if any(rest) or (first and all(w.reads is None for w in node.weights)):
                raise WeightsError(
                    f"{call.span}: {call.name!r} reads a vector that was an image; its weights are not followed there"
                )
            found.append((first, written if any(w.writes is not None for w in node.weights) else None))
        if any(pair != found[0] for pair in found[1:]):
            raise WeightsError(f"{node.span}: the calls of {node.layer!r} read or write in different orders")
        reads, writes = (None if places is None else np.array(places) for places in found[0])
        return reads, writes

    def _add(self, tensor: Tensor, made: Counterpart, sides: dict[str, Side]) -> None:
        if (side := sides.pop(tensor.node, None)) is not None:
            if made.axes.side not in (None, side):
                raise WeightsError(f"the rules have the channels of {tensor.node!r} {side}; they are {made.axes.side}")
            made.axes.settle(side)
            if side == "last":
                # Channels were brought last before: elements lie as here.
                made = replace(made, order=SAME)
        self.tensors[tensor] = made

    def _check(self) -> None:
        for name, one, other in self.trace.equal:
            try:
                alike = one.places() == other.places()
            except Unfollowed as error:
                raise self._refused(error, name) from None
            if not alike:
                raise WeightsError(
                    f"{self._place(name)}: here {name!r} takes channels last what lies channels first in the file; "
                    "no order of weights makes up for that"
                )
        for output in self.graph.outputs:
            if self._places(self.tensors[output.tensor], output.tensor.node) is not None:
                raise WeightsError(
                    f"{self._place(output.tensor.node)}: the output {output.name!r} is a flattened image, whose "
                    "elements would come in another order than those of the file's network"
                )

    def _places(self, tensor: Counterpart, reader: str) -> list[int] | None:
        try:
            return tensor.order.places()
        except Unfollowed as error:
            raise self._refused(error, reader) from None

    def _refused(self, error: Unfollowed, reader: str) -> WeightsError:
        says = f"{self._place(reader)}: {reader!r} depends on {error}"
        if error.node is None:
            return WeightsError(f"{says}; how it lies in the file is not known")
        return WeightsError(
            f"{says}; state in rules where they are in the file\n  axes: {{{error.node}: first}}   # or last, as here"
        )

    def _place(self, name: str) -> str:
        node = self.graph.by_name.get(name)
        return str(node.span) if node else self.graph.name
