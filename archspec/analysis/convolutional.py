"""A classifier of images of one size, as a network over larger images: its class scores at every place.

What a network does with the last map of its own size is done at every position of a larger map: a fully connected layer
over h × w positions becomes a convolution with a kernel of h × w, a mean over all positions one over windows of h × w
(Sermanet et al. 2013; Simonyan and Zisserman 2014, section 3.2). The weights are the same, the kernels reshaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.ir.diagnostics import Note
from archspec.ir.graph import Graph, Node, Output, Tensor
from archspec.ir.tensors import Size, TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.pooling import mean_of_map

if TYPE_CHECKING:
    import numpy as np


class NotConvolutional(Exception):
    """A network cannot be laid over larger images. ``notes`` say which layer hinders."""

    def __init__(self, message: str, node: Node | None = None):
        super().__init__(message)
        self.message = message
        self.notes = (Note(f"layer '{node.name}'", node.span),) if node else ()


class Kind(Enum):
    """What a tensor of the network is on a larger image."""

    MAP = "a map, as it was"
    FLAT = "a map that the network takes as one vector"
    VECTOR = "a vector for each place, where it was one"
    WHOLE = "as it was: it is of the whole image"


def convolutional(graph: Graph, size: tuple[Size, Size] = (None, None), *, activation: Op | None = None) -> Graph:
    """The inference network over images of ``size`` (None for any), its heads' scores averaged over their places.

    ``activation`` is applied to the scores of the first head before they are averaged, which is right for scores that
    are no probabilities yet. Raises NotConvolutional.
    """
    graph = graph.inference()
    if len(graph.inputs) != 1:
        raise NotConvolutional(f"'{graph.name}' has {len(graph.inputs)} inputs, it must have one")
    name, image = next(iter(graph.inputs.items()))
    if image.rank != 3:
        raise NotConvolutional(f"'{graph.name}' takes {image}, it must take images of height, width and channels")
    if None in image.spatial:
        raise NotConvolutional(f"'{graph.name}' takes images of any size already, {image}")
    laid = _Laid(graph)
    source = Tensor(name)
    laid.put(source, source, TensorSpec((*size, image.channels), image.dtype), Kind.MAP)
    for node in graph.nodes:
        laid.add(node)
    outputs = tuple(
        laid.averaged(output, activation if k == 0 else None, k == 0) for k, output in enumerate(graph.outputs)
    )
    return replace(
        graph, inputs={name: laid.specs[source]}, nodes=tuple(laid.nodes), outputs=outputs, expect=None, networks={}
    )


def class_map(graph: Graph) -> TensorSpec:
    """What the first head of such a network averages: height and width of the class map, and the classes."""
    return graph.by_name[graph.outputs[0].tensor.node].input_specs[0]


def reshaped(graph: Graph, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of the network by ``layer/weight`` as those of its convolutional form."""
    shapes = {f"{node.layer}/{w.name}": w.shape for node in graph.owners() for w in node.weights}
    return {name: value.reshape(shapes[name]) for name, value in values.items() if name in shapes}


@dataclass
class _Laid:
    """The network as far as it is laid out. ``at`` says which tensor of it a tensor of the original is."""

    graph: Graph
    nodes: list[Node] = field(default_factory=list)
    at: dict[Tensor, Tensor] = field(default_factory=dict)
    specs: dict[Tensor, TensorSpec] = field(default_factory=dict)
    kinds: dict[Tensor, Kind] = field(default_factory=dict)
    shared: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def put(self, old: Tensor, new: Tensor, spec: TensorSpec, kind: Kind) -> None:
        self.at[old], self.specs[old], self.kinds[old] = new, spec, kind

    def same(self, node: Node, kind: Kind) -> None:
        """The node falls out: its output is its input."""
        self.put(Tensor(node.name), self.at[node.inputs[0]], self.specs[node.inputs[0]], kind)

    def apply(self, node: Node, op: Any, kind: Kind) -> None:
        """The node with another op; its weights must hold as many numbers as before."""
        specs = tuple(self.specs[t] for t in node.inputs)
        try:
            out, weights = op.infer(*specs), op.weights(*specs)
        except OpError as error:
            raise NotConvolutional(f"'{node.name}' does not take larger images: {error.message}", node) from None
        if [w.size for w in weights] != [w.size for w in node.weights]:
            raise NotConvolutional(f"the weights of '{node.name}' depend on the size of the image", node)
        if self.shared.setdefault(node.layer, (op, weights)) != (op, weights):
            raise NotConvolutional(f"'{node.name}' shares weights with a layer that would have another kernel", node)
        outputs = out if isinstance(out, tuple) else (out,)
        taken = tuple(self.at[t] for t in node.inputs)
        self.nodes.append(
            replace(node, op=op, inputs=taken, input_specs=specs, outputs=outputs, weights=tuple(weights))
        )
        for port, spec in enumerate(outputs):
            self.put(Tensor(node.name, port), Tensor(node.name, port), spec, kind)

    def add(self, node: Node) -> None:
        """Lay out one node. Raises NotConvolutional."""
        kinds = {self.kinds[t] for t in node.inputs}
        op: Any = node.op
        native = node.input_specs[0]
        if kinds == {Kind.WHOLE}:
            self.apply(node, op, Kind.WHOLE)
        elif kinds == {Kind.FLAT}:
            self._flat(node, op)
        elif not op.is_equivariant and (windows := self._windows(node, op, native)) is not None:
            if _is_point(node):
                self._pooled(node, op, windows, native)
            elif windows.infer(native) == native:
                self.same(node, Kind.MAP)
            else:
                self.apply(node, windows, Kind.MAP)
        elif kinds == {Kind.VECTOR} and op.is_flattening():
            self.same(node, Kind.VECTOR)
        elif kinds == {Kind.MAP} and op.is_flattening():
            self.same(node, Kind.VECTOR if prod(n or 0 for n in native.spatial) == 1 else Kind.FLAT)
        elif kinds == {Kind.MAP, Kind.WHOLE} and op.is_merge and op.convention == "elementwise":
            self.apply(node, op, Kind.MAP)
        elif len(kinds) == 1:
            self._by_position(node, op, kinds.pop())
        else:
            raise NotConvolutional(f"'{node.name}' joins what has places with what has none", node)

    def _windows(self, node: Node, op: Any, native: TensorSpec) -> Op | None:
        try:
            windows: Op | None = op.at_every_place(native)
        except OpError as error:
            raise NotConvolutional(f"'{node.name}' does not take larger images: {error.message}", node) from None
        return windows

    def _by_position(self, node: Node, op: Any, kind: Kind) -> None:
        inner = _activation(op)
        if not (op.is_equivariant or inner):
            raise NotConvolutional(f"'{node.name}' ({op.name}) does not do the same at every place", node)
        if op.is_positional():
            raise NotConvolutional(f"'{node.name}' ({op.name}) is of its own at each place", node)
        axis = getattr(inner or op, "axis", -1)
        if axis not in (-1, node.input_specs[0].rank - 1):
            raise NotConvolutional(f"'{node.name}' ({op.name}) works along axis {axis}, which is a place", node)
        if axis != -1:
            op = type(inner or op)(**{**dict(inner or op), "axis": -1})
        self.apply(node, op, kind)

    def _flat(self, node: Node, op: Any) -> None:
        """What is done to a map that stands as one vector."""
        windows = self._windows(node, op, _flattened(self.graph, node))
        if windows is not None:
            self.apply(node, windows, Kind.VECTOR)
        elif op.is_flattening() or (op.is_view and op.is_equivariant):
            self.same(node, Kind.FLAT)
        elif (inner := _activation(op)) and not node.weights and not hasattr(inner, "axis") and _keeps_shape(node):
            self.apply(node, op, Kind.FLAT)
        else:
            raise NotConvolutional(
                f"'{node.name}' ({op.name}) takes the places of the map apart: only fully connected layers can follow "
                "where it is flattened",
                node,
            )

    def _pooled(self, node: Node, op: object, windows: Op, native: TensorSpec) -> None:
        if any(kind is not Kind.MAP for kind in (self.kinds[t] for t in node.inputs)):
            raise NotConvolutional(f"'{node.name}' pools over what has no places", node)
        if _is_gate(self.graph, node):
            self.apply(node, op, Kind.WHOLE)
            return
        kind = Kind.MAP if node.output.rank == native.rank else Kind.VECTOR
        self.apply(node, windows, kind)

    def averaged(self, output: Output, activation: Op | None, is_first: bool) -> Output:
        """The output as the mean over its places, where it has any."""
        tensor, spec = self.at[output.tensor], self.specs[output.tensor]
        if self.kinds[output.tensor] is not Kind.VECTOR:
            if is_first:
                raise NotConvolutional(f"head '{output.name}' gives no class scores at places of a map")
            return replace(output, tensor=tensor)
        steps: list[tuple[str, Any]] = [("mean", mean_of_map())]
        if activation is not None:
            steps.insert(0, (activation.name, activation))
        taken = {node.name for node in self.nodes} | set(self.graph.inputs)
        for step, op in steps:
            name = f"{output.name}.{step}"
            while name in taken:
                name += "_"
            out = op.infer(spec)
            owner = self.graph.by_name[output.tensor.node]
            self.nodes.append(Node(name, op, (tensor,), (spec,), (out,), (), name, owner.span))
            tensor, spec = Tensor(name), out
        return replace(output, tensor=tensor)


def _activation(op: Any) -> Any:
    """The activation that an op is, or applies by name; None for others."""
    return op.computed if op.computed.is_activation else None


def _keeps_shape(node: Node) -> bool:
    return node.output.shape == node.input_specs[0].shape


def _is_point(node: Node) -> bool:
    return all(n == 1 for n in node.output.spatial)


def _flattened(graph: Graph, node: Node) -> TensorSpec:
    """The map that a vector was before it was flattened."""
    while True:
        before = graph.by_name[node.inputs[0].node]
        op: Any = before.op
        if op.is_flattening() and before.input_specs[0].rank == 3:
            return before.input_specs[0]
        node = before


def _is_gate(graph: Graph, pool: Node) -> bool:
    """Whether what is pooled comes back to a map, as in squeeze-and-excitation: it then is of the whole image."""
    reached = {pool.name}
    for node in graph.nodes:
        if any(t.node in reached for t in node.inputs):
            if prod(n or 0 for n in node.output.spatial) > 1:
                return True
            reached.add(node.name)
    return False
