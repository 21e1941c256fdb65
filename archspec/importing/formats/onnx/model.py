"""An ONNX file as a list of nodes, its constants, and the shapes that ONNX's own inference finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.importing.network import named, refused, whole
from archspec.ir.diagnostics import Span

if TYPE_CHECKING:
    import numpy as np

MAX_NODES = 100_000
MAX_FOLDED = 1 << 22
"""Elements of a constant that is computed from others."""
DOMAINS = ("", "ai.onnx")
FOLDED = frozenset(
    (
        *("Add", "Cast", "Concat", "Div", "Equal", "Floor", "Gather", "Identity", "Mul", "Neg", "Pow", "Reciprocal"),
        *("Reshape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where", "ReduceProd", "Ceil"),
        "Expand",
    )
)
"""Functions of constants that are computed here; none of them gives more than it takes, or as its operands together
are broadcast."""
DTYPES = {1: "float32", 10: "float32", 11: "float32", 16: "float32", 6: "int32", 7: "int32", 2: "uint8", 9: "bool"}
"""Types of inputs by ONNX's numbers."""


@dataclass(slots=True)
class OnnxNode:
    """A call of an operator: names of what it takes, empty for what is left out, and of what it gives."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    at: Span

    def get(self, name: str, kind: type, default: Any) -> Any:
        """An attribute. Raises SpecError (I03) for one of another type."""
        value = self.attributes.get(name, default)
        if value is None or value is default:
            return value
        if kind is list and isinstance(value, list) and all(isinstance(item, (int, float)) for item in value):
            return value
        if not isinstance(value, kind):
            raise refused("I03", f"its {name} is of another type: {value!r:.60}", self.at)
        return value


@dataclass(slots=True)
class OnnxGraph:
    """A file's network. ``shapes`` have the batch in front; None stands for what is open."""

    nodes: list[OnnxNode]
    constants: dict[str, np.ndarray]
    shapes: dict[str, tuple[int | None, ...]]
    inputs: dict[str, str]
    """Names with their types."""
    outputs: list[str]
    opset: int
    batch: int
    users: dict[str, list[OnnxNode]] = field(default_factory=dict)

    def link(self) -> None:
        """Know of each tensor which nodes take it."""
        self.users = {}
        for node in self.nodes:
            for name in node.inputs:
                self.users.setdefault(name, []).append(node)


def read_model(path: Path) -> OnnxGraph:
    """The graph of a file. Raises SpecError, OSError."""
    try:
        import onnx
    except ModuleNotFoundError:
        said = "this needs onnx, which is not installed"
        raise refused("I01", said, whole(path), "pip install 'archspec-keras[onnx]'") from None
    from archspec.storage.regular import opened

    opened(path).close()
    try:
        model = onnx.load(path)
        _fix_batch(model)
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        _check(inferred, onnx.checker)
    except OSError:
        raise
    except Exception as error:
        # protobuf, the checker and the inference raise classes of their own, and RuntimeError.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise refused("I01", f"this is no ONNX file, or a damaged one: {said:.200}", whole(path)) from None
    return _graph(inferred.graph, path, {entry.domain: entry.version for entry in inferred.opset_import})


def _check(model: Any, checker: Any) -> None:
    """Raises what the checker raises, but not where it wants what others do not: the shape of an output."""
    unknown = [entry.type.tensor_type for entry in model.graph.output if not entry.type.tensor_type.HasField("shape")]
    for of in unknown:
        of.shape.SetInParent()
    checker.check_model(model)
    for of in unknown:
        of.ClearField("shape")


def _fix_batch(model: Any) -> None:
    """An open batch becomes 1, so that shapes that are computed from it are known."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for entry in model.graph.input:
        dims = entry.type.tensor_type.shape.dim
        if entry.name not in constants and len(dims) and dims[0].dim_value <= 0:
            dims[0].dim_value = 1
    for entry in (*model.graph.output, *model.graph.value_info):
        for dim in entry.type.tensor_type.shape.dim:
            if dim.dim_value <= 0:
                dim.Clear()


def _graph(graph: Any, path: Path, opsets: Mapping[str, int]) -> OnnxGraph:
    from onnx import numpy_helper

    if len(graph.node) > MAX_NODES:
        raise refused("I01", f"more than {MAX_NODES:,} nodes", whole(path))
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes: dict[str, tuple[int | None, ...]] = {}
    for entry in (*graph.input, *graph.output, *graph.value_info):
        if entry.type.tensor_type.HasField("shape"):
            shapes[entry.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
                for dim in entry.type.tensor_type.shape.dim
            )
    inputs: dict[str, str] = {}
    for entry in graph.input:
        if entry.name in constants:
            continue
        dtype = DTYPES.get(entry.type.tensor_type.elem_type)
        if dtype is None or not shapes.get(entry.name):
            said = "is of a type that no spec has" if dtype is None else "has no shape with the batch in front"
            raise refused("I02", f"the input {said}", named(path, f"input {entry.name!r}"))
        inputs[entry.name] = dtype
    if not inputs:
        raise refused("I01", "the network has no inputs", whole(path))
    batch = shapes[next(iter(inputs))][0] or 1
    out = OnnxGraph([], constants, shapes, inputs, [entry.name for entry in graph.output], opsets.get("", 1), batch)
    for number, proto in enumerate(graph.node):
        node = _node(proto, number, path)
        if not _folded(out, node, proto):
            out.nodes.append(node)
    out.link()
    return out


def _node(proto: Any, number: int, path: Path) -> OnnxNode:
    from onnx import helper

    at = named(path, f"node {proto.name!r} ({proto.op_type})" if proto.name else f"node {number} ({proto.op_type})")
    if proto.domain not in DOMAINS:
        raise refused("I02", f"its operator is of {proto.domain!r}, not of ONNX's own", at)
    attributes = {}
    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        attributes[attribute.name] = shortest(value) if isinstance(value, float) else value
    return OnnxNode(proto.op_type, [*proto.input], [*proto.output], attributes, at)


def _folded(graph: OnnxGraph, node: OnnxNode, proto: Any) -> bool:
    """Whether a node gives a constant, which is then known."""
    import numpy as np

    constants = graph.constants
    if node.kind == "Constant":
        constants[node.outputs[0]] = _constant(node)
        return True
    if node.kind == "Shape" and set(node.attributes) <= {"start", "end"}:
        shape = graph.shapes.get(node.inputs[0])
        if shape is not None and None not in shape:
            start, end = node.get("start", int, 0), node.get("end", int, None)
            constants[node.outputs[0]] = np.array(shape[start:end], "int64")
            return True
    if node.kind == "ConstantOfShape" and node.inputs[0] in constants:
        shape = tuple(int(n) for n in constants[node.inputs[0]].reshape(-1))
        if min(shape, default=1) >= 0 and np.prod(shape, dtype="float64") <= MAX_FOLDED:
            value = node.attributes.get("value")
            fill = _array(value).reshape(-1)[:1] if value is not None else np.zeros(1, "float32")
            constants[node.outputs[0]] = np.full(shape, fill[0] if len(fill) else 0)
            return True
    taken = [constants.get(name) for name in node.inputs if name]
    if node.kind not in FOLDED or not taken or any(array is None or array.size > MAX_FOLDED for array in taken):
        return False
    if node.kind in ("Add", "Div", "Mul", "Sub", "Pow", "Equal", "Where", "Expand"):
        shapes = [array.shape for array in taken if array is not None]
        if node.kind == "Expand":
            shapes[1] = tuple(int(n) for n in constants[node.inputs[1]].reshape(-1))
        if np.prod(np.broadcast_shapes(*shapes), dtype="float64") > MAX_FOLDED:
            return False
    from onnx.reference import ReferenceEvaluator

    given = {name: constants[name] for name in node.inputs if name}
    try:
        values = ReferenceEvaluator(proto).run(None, given)
    except Exception as error:
        # Each operator raises what NumPy does.
        raise refused("I03", f"its constants do not fit: {error!s:.100}", node.at) from None
    for name, value in zip(node.outputs, values, strict=False):
        constants[name] = np.asarray(value)
    return True


def _constant(node: OnnxNode) -> np.ndarray:
    import numpy as np

    for name, value in node.attributes.items():
        if name == "value":
            return _array(value)
        if name.startswith("value_"):
            return np.array(value, "int64" if "int" in name else "float32" if "float" in name else None)
    raise refused("I02", "it is a constant of a kind that no op has", node.at)


def shortest(number: float) -> float:
    """The number with fewest digits that is the same one of 32 bits: 1e-05, not 9.999999747378752e-06."""
    import numpy as np

    return float(str(np.float32(number)))


def _array(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
