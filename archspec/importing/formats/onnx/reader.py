"""The nodes of an ONNX graph as steps. ONNX has channels first, a spec has them last.

A tensor of ONNX is known by the result that it is here and by its axes: where each of its own, without the batch, is
in that result. So transposing costs nothing until something wants the axes in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.importing.formats.onnx.model import OnnxGraph, OnnxNode
from archspec.importing.network import ReadNetwork, refused
from archspec.ir.diagnostics import Span
from archspec.writing.draft import Draft

if TYPE_CHECKING:
    import numpy as np

Rule = Callable[["GraphReader", OnnxNode], None]
Shape = tuple[int | None, ...]
IMAGES = frozenset(
    (
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LRN", "Resize"),
        *("BatchNormalization", "InstanceNormalization", "Upsample", "DepthToSpace", "SpaceToDepth", "PRelu"),
        "GroupNormalization",
    )
)
"""Operators for which channels come first."""
ANY_ORDER = frozenset(("Add", "Sub", "Mul", "Div", "Relu", "LeakyRelu", "Clip", "Cast", "Identity", "Concat", "Pad"))
ANY_ORDER |= frozenset(("Slice", "Split", "Sigmoid", "Dropout", "Max", "Min"))
"""Operators that do not tell which axis the channels are."""


@dataclass(frozen=True, slots=True)
class Value:
    """A result with its shape here, and for each axis of ONNX's tensor, the batch left out, the axis here. Of a tensor
    that was made flat ``source`` is what it was before: its elements are in another order there than here. ``batch`` is
    which of ONNX's axes the batch is: one that splits what was computed at once has it behind, for a moment. ``merged``
    is how many axes ONNX's tensor has as one with the batch, as exporters make heads for a moment."""

    name: str
    axes: tuple[int, ...]
    shape: Shape
    source: Value | None = None
    batch: int = 0
    merged: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether the axes are in ONNX's order."""
        return self.source is None and self.axes == tuple(range(len(self.axes)))


def channels_first(rank: int) -> tuple[int, ...]:
    """Axes of a tensor whose first is the channels, which are last here."""
    return (rank - 1, *range(rank - 1))


class GraphReader:
    """Reads nodes in order; ``values`` are the tensors so far."""

    def __init__(self, name: str, graph: OnnxGraph, rules: dict[str, Rule]):
        self.graph, self.rules = graph, rules
        self.network = ReadNetwork(Draft(name))
        self.values: dict[str, Value] = {}
        self.owners: dict[str, Span] = {}

    def run(self, at: Span) -> None:
        """Read all. Raises SpecError."""
        for name, dtype in self.graph.inputs.items():
            shape = self.graph.shapes[name][1:]
            axes = channels_first(len(shape)) if self._is_image(name) else tuple(range(len(shape)))
            here = _moved(shape, axes)
            self.values[name] = Value(self.network.draft.input(name, here, dtype), axes, here)
        for node in self.graph.nodes:
            rule = self.rules.get(node.kind)
            if rule is None:
                raise refused("I02", f"no op corresponds to {node.kind}", node.at)
            rule(self, node)
        for name in self.graph.outputs:
            if name not in self.values:
                raise refused("I02", f"the output {name!r} is not computed from an input", at)
            value = self.values[name]
            if value.batch or value.merged:
                where = f"axis {value.batch}" if value.batch else "one with another axis"
                raise refused("I02", f"the batch is {where} of the output {name!r}", at)
            self.network.draft.output(name, (self.plain(value, at) if value.source else value).name)

    def _is_image(self, name: str) -> bool:
        """Whether the first operators that tell have the channels first."""
        seen, todo = set[str](), [name]
        while todo and len(self.graph.shapes[name]) > 2:
            at = todo.pop(0)
            for node in self.graph.users.get(at, []):
                if node.kind in IMAGES:
                    return True
                if node.kind not in ANY_ORDER:
                    return False
                todo += [out for out in node.outputs if out not in seen]
                seen.update(node.outputs)
        return False

    def value(
        self, node: OnnxNode, place: int = 0, *, in_any_order: bool = False, may_be_merged: bool = False
    ) -> Value:
        """An operand that is computed from an input. Raises SpecError (I02, I03), also where the batch is not its first
        axis, unless it may be ``in_any_order``, or not alone, unless it may be ``merged``."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        if name in self.values:
            found = self.values[name]
            if found.batch and not in_any_order:
                raise refused(
                    "I02", f"the batch is axis {found.batch} of what it takes; in a spec it is the first", node.at
                )
            if found.merged and not may_be_merged:
                raise refused("I02", "what it takes has the batch and another axis as one", node.at)
            return found
        if name in self.graph.constants:
            raise refused("I02", "it takes a constant where an op takes what is computed", node.at)
        raise refused("I03", f"its operand {place + 1} is not there", node.at)

    def constant(self, node: OnnxNode, place: int) -> np.ndarray | None:
        """An operand that is a constant; None where it is left out. Raises SpecError (I02) for a computed one."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.graph.constants:
            raise refused("I02", f"its operand {place + 1} is computed; an op has it as a constant", node.at)
        return self.graph.constants[name]

    def needed(self, node: OnnxNode, place: int) -> np.ndarray:
        """A constant that must be there. Raises SpecError (I02, I03)."""
        found = self.constant(node, place)
        if found is None:
            raise refused("I03", f"its operand {place + 1} is not there", node.at)
        return found

    def whole_numbers(self, node: OnnxNode, name: str, place: int) -> list[int] | None:
        """Numbers that are an attribute in old files, and an operand in new ones; None where they are left out."""
        if name in node.attributes:
            return [int(n) for n in node.get(name, list, [])]
        found = self.constant(node, place)
        return None if found is None else [int(n) for n in found.reshape(-1)]

    def emit(
        self, step: dict[str, Any], taken: Sequence[Value], node: OnnxNode, axes: tuple[int, ...], batch: int = 0
    ) -> Value:
        """Add a step that gives the output of the node, which has ``axes`` here."""
        shape = self.out_shape(node, axes, batch=batch)
        name = self.network.add(step, [v.name for v in taken], node.at, _known(shape))
        return self.set(node, Value(name, axes, shape or (None,) * len(axes), batch=batch))

    def out_shape(self, node: OnnxNode, axes: tuple[int, ...], port: int = 0, batch: int = 0) -> Shape | None:
        """The shape of a node's output here, by ONNX's inference; None where that does not say. Raises SpecError (I02,
        I04)."""
        said = self.graph.shapes.get(node.outputs[port])
        if said is None:
            return None
        if len(said) <= batch or said[batch] not in (None, self.graph.batch):
            which = f"axis {batch}" if batch else "the first axis"
            raise refused("I02", f"{which} of what it gives is not the batch: {_dims(said)}", node.at)
        if len(said) - 1 != len(axes):
            raise refused("I04", f"its output has {len(said) - 1} axes there, and {len(axes)} as an op", node.at)
        return _moved((*said[:batch], *said[batch + 1 :]), axes)

    def set(self, node: OnnxNode, value: Value, port: int = 0) -> Value:
        """Know an output of the node."""
        self.values[node.outputs[port]] = value
        return value

    def axis(self, node: OnnxNode, value: Value, axis: int) -> int:
        """An axis of ONNX's tensor, with the batch, as one here. Raises SpecError (I02) for the batch."""
        rank = len(value.axes) + 1
        if not -rank <= axis < rank or axis % rank == value.batch:
            raise refused("I02", f"it works along axis {axis}, which is the batch axis or does not exist", node.at)
        return value.axes[axis % rank - (axis % rank > value.batch)]

    def arranged(self, value: Value, axes: tuple[int, ...], at: Span) -> Value:
        """A value with its axes in another order here."""
        if value.source is not None:
            value = self.plain(value, at)
        if value.axes == axes:
            return value
        order, shape = [0] * len(axes), list[int | None](value.shape)
        for there, (old, new) in enumerate(zip(value.axes, axes, strict=True)):
            order[new], shape[new] = old, value.shape[value.axes[there]]
        name = self.network.add({"permute": {"axes": order}}, [value.name], at, _known(tuple(shape)))
        return Value(name, axes, tuple(shape), batch=value.batch)

    def image(self, node: OnnxNode, place: int = 0) -> Value:
        """An operand with its channels, which come first there, last. Raises SpecError (I02, I03)."""
        value = self.value(node, place)
        if not value.axes:
            raise refused("I02", "its operand has no channels: it has no axis behind the batch", node.at)
        return self.arranged(value, channels_first(len(value.axes)), node.at)

    def elements(self, node: OnnxNode, *, in_any_order: bool = False, may_be_merged: bool = False) -> Value:
        """The first operand, with its elements in ONNX's order where they are those of a flattened image; its axes are
        as they are. Raises SpecError (I02, I03)."""
        value = self.value(node, in_any_order=in_any_order, may_be_merged=may_be_merged)
        return self.plain(value, node.at) if value.source else value

    def plain(self, value: Value, at: Span) -> Value:
        """A value with its axes, and elements, in ONNX's order."""
        if value.source is None:
            return self.arranged(value, tuple(range(len(value.axes))), at)
        source = self.plain(value.source, at)
        return Value(self.network.add({"flatten": None}, [source.name], at, _known(value.shape)), (0,), value.shape)

    def row(self, value: Value, at: Span) -> tuple[Value, np.ndarray | None]:
        """A value whose last axis is last, and for each element of it the place in ONNX's order, None where that is the
        same: what stands before a dense layer, whose weights can follow the elements."""
        if value.source is None:
            return self.plain(value, at), None
        import numpy as np

        source = value.source
        count = np.arange(int(np.prod([size or 0 for size in source.shape])))
        there = count.reshape([source.shape[axis] or 0 for axis in source.axes])
        order = there.transpose(np.argsort(source.axes))
        name = self.network.add({"flatten": None}, [source.name], at, _known(value.shape))
        return Value(name, (0,), value.shape), order.reshape(-1)

    def hold(self, value: Value, node: OnnxNode, sources: Sequence[str], /, **arrays: np.ndarray | None) -> None:
        """Give a step its arrays. ``sources`` are the constants that they come from: told where two steps have one."""
        own = self.network.arrays.setdefault(value.name, {})
        for name, array in arrays.items():
            if array is not None:
                own[name] = lambda array=array: array  # type: ignore[misc]
        for source in sources:
            first = self.owners.setdefault(source, node.at)
            if first is not node.at:
                self.network.left_out(f"it shares {source!r} with {first.source.text}; the spec has it twice", node.at)

    def each(self, node: OnnxNode, place: int, like: Value) -> Value:
        """A constant as a result of its own, the same for each example; ``like`` is any other result. Raises SpecError
        (I02) for one that differs among the examples."""
        array = self.needed(node, place)
        if not array.ndim or array.shape[0] not in (1, self.graph.batch) or (array != array[:1]).any():
            raise refused("I02", f"its constant of {array.shape} is not the same for each example", node.at)
        return self.learnt(node, place, array[0], like)

    def learnt(self, node: OnnxNode, place: int, array: np.ndarray, like: Value) -> Value:
        """An array of a constant operand, without the batch, as a result of its own."""
        name = self.network.add({"parameter": list(array.shape)}, [like.name], node.at, array.shape)
        made = Value(name, tuple(range(array.ndim)), array.shape)
        self.hold(made, node, node.inputs[place : place + 1], value=array)
        return made


def same_as(value: Value, name: str) -> Value:
    """A value of the same shape under another name."""
    return replace(value, name=name)


def _moved(shape: Shape, axes: tuple[int, ...]) -> Shape:
    out = list[int | None](shape)
    for size, axis in zip(shape, axes, strict=True):
        out[axis] = size
    return tuple(out)


def _known(shape: Shape | None) -> tuple[int, ...] | None:
    return None if shape is None or None in shape else tuple(n for n in shape if n is not None)


def _dims(shape: Shape) -> str:
    return "×".join("?" if n is None else str(n) for n in shape) or "no axes"
