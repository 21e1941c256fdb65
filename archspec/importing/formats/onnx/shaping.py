"""Operators that cut, join or enlarge, and sums over axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from archspec.importing.formats.onnx.arithmetic import aligned
from archspec.importing.formats.onnx.axes import reshaped, without
from archspec.importing.formats.onnx.model import OnnxNode
from archspec.importing.formats.onnx.reader import GraphReader, Rule, Value, channels_first
from archspec.importing.formats.onnx.windows import alike
from archspec.importing.network import refused

if TYPE_CHECKING:
    import numpy as np


def _reduce(reduction: str) -> Rule:
    def rule(reader: GraphReader, node: OnnxNode) -> None:
        x = reader.elements(node)
        axes = reader.whole_numbers(node, "axes", 1)
        if axes is None:
            raise refused("I02", "it takes all axes together, the batch too", node.at)
        here = sorted({reader.axis(node, x, axis) for axis in axes})
        keep = bool(node.get("keepdims", int, 1))
        out = x.axes if keep else without(x, set(here))
        is_image = x.axes == channels_first(len(x.axes)) and here == list(range(len(x.axes) - 1))
        if reduction in ("mean", "max") and is_image and here:
            op = "global_avg_pool" if reduction == "mean" else "global_max_pool"
            reader.emit({op: {"keep": True} if keep else None}, [x], node, out)
            return
        step: dict[str, Any] = {"reduction": reduction, "axis": here[0] if len(here) == 1 else here}
        reader.emit({"reduce": {**step, "keep": keep}}, [x], node, out)

    return rule


def _concat(reader: GraphReader, node: OnnxNode) -> None:
    computed = next((place for place, name in enumerate(node.inputs) if name not in reader.graph.constants), 0)
    like = reader.value(node, computed)
    if computed == 1 and len(node.inputs) == 2 and _class_token(reader, node, like):
        return
    taken = [
        reader.each(node, place, like) if name in reader.graph.constants else reader.value(node, place)
        for place, name in enumerate(node.inputs)
    ]
    if len(taken) == 1:
        reader.set(node, taken[0])
        return
    if any(len(v.axes) != len(taken[0].axes) for v in taken):
        raise refused("I03", "it joins tensors of different numbers of axes", node.at)
    taken = aligned(reader, taken, node)
    axis = reader.axis(node, taken[0], node.get("axis", int, 0))
    step = {"concat": None if axis == len(taken[0].axes) - 1 else {"axis": axis}}
    reader.emit(step, taken, node, taken[0].axes)


def _class_token(reader: GraphReader, node: OnnxNode, x: Value) -> bool:
    """Whether a constant is put in front of a sequence, the same for each example."""
    token = reader.needed(node, 0)
    if len(x.axes) != 2 or node.get("axis", int, 0) not in (1, -2) or token.ndim != 3 or (token != token[:1]).any():
        return False
    x = reader.plain(x, node.at)
    made = reader.emit({"class_token": token.shape[1]}, [x], node, x.axes)
    reader.hold(made, node, node.inputs[:1], token=token[0])
    return True


def _expand(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.value(node)
    if reader.out_shape(node, x.axes) != x.shape:
        raise refused("I02", "no op repeats along axes of length 1 but where operands meet", node.at)
    reader.set(node, x)


def _slice(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.elements(node, in_any_order=True)
    starts, ends = reader.whole_numbers(node, "starts", 1), reader.whole_numbers(node, "ends", 2)
    axes, steps = reader.whole_numbers(node, "axes", 3), reader.whole_numbers(node, "steps", 4)
    if starts is None or ends is None or len(starts) != len(ends) or not x.axes:
        raise refused("I03", "it does not say where to cut", node.at)
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    todo: list[dict[str, Any]] = []
    strides = [1] * len(x.axes)
    for start, end, axis, stride in zip(starts, ends, axes, steps, strict=False):
        if stride < 1:
            raise refused("I02", "no op reads an axis backwards", node.at)
        if axis % (len(x.axes) + 1) == x.batch and start == 0 and end >= reader.graph.batch:
            continue
        here = reader.axis(node, x, axis)
        cut = _cut(start, end, x.shape[here])
        strides[here] = stride
        if cut != [0, None]:
            todo.append({"slice": {"range": cut} if here == len(x.axes) - 1 else {"range": cut, "axis": here}})
    if strides[-1] != 1:
        raise refused("I02", "no op takes every so manyth channel", node.at)
    if any(n != 1 for n in strides):
        todo.append({"subsample": alike(strides[:-1])})
    if not todo:
        reader.set(node, x)
        return
    for step in todo[:-1]:
        x = Value(reader.network.add(step, [x.name], node.at), x.axes, x.shape, batch=x.batch)
    reader.emit(todo[-1], [x], node, x.axes, x.batch)


def _cut(start: int, end: int, size: int | None) -> list[int | None]:
    """A stretch of an axis; its end is None where it is the axis's."""
    if size is None:
        return [start, None if end >= 1 << 31 - 1 else end]
    low, high = (min(max(n + size if n < 0 else n, 0), size) for n in (start, end))
    return [low, None if high == size else high]


def _split(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.elements(node, in_any_order=True)
    axis = reader.axis(node, x, node.get("axis", int, 0))
    sizes = reader.whole_numbers(node, "split", 1)
    count = len(node.outputs)
    parts: Any = count
    if sizes is not None and len(set(sizes)) > 1:
        parts = sizes
    step = {"parts": parts} if axis == len(x.axes) - 1 else {"parts": parts, "axis": axis}
    name = reader.network.add({"split": step}, [x.name], node.at)
    for port in range(count):
        shape = reader.out_shape(node, x.axes, port, x.batch)
        reader.set(node, Value(f"{name}[{port}]", x.axes, shape or (None,) * len(x.axes), batch=x.batch), port)


def _pad(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.elements(node)
    pads, value = reader.whole_numbers(node, "pads", 1), reader.constant(node, 2)
    mode = {"constant": "zero", "reflect": "reflect", "edge": "replicate"}.get(node.get("mode", str, "constant"))
    rank = len(x.axes) + 1
    axes = reader.whole_numbers(node, "axes", 3)
    if pads is None or len(pads) != 2 * len(axes or range(rank)) or mode is None:
        raise refused("I02", "no op pads like that", node.at)
    if (value is not None and value.any()) or node.get("value", float, 0.0):
        raise refused("I02", "an op pads with zeros", node.at)
    margins = [[0, 0] for _ in x.axes]
    half = len(pads) // 2
    for number, axis in enumerate(axes or range(rank)):
        pair = [pads[number], pads[half + number]]
        if min(pair) < 0:
            raise refused("I02", "it cuts off; an op pads or crops", node.at)
        if any(pair):
            margins[reader.axis(node, x, axis)] = pair
    if any(margins[-1]):
        if any(map(any, margins[:-1])) or mode != "zero":
            raise refused("I02", "an op pads places or channels", node.at)
        reader.emit({"pad_channels": {"before": margins[-1][0], "after": margins[-1][1]}}, [x], node, x.axes)
        return
    said = [a if a == b else [a, b] for a, b in margins[:-1]]
    step: dict[str, Any] = {
        "padding": said[0] if said and all(s == said[0] for s in said) and isinstance(said[0], int) else said
    }
    reader.emit({"pad": step if mode == "zero" else {**step, "mode": mode}}, [x], node, x.axes)


def _resize(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.image(node)
    scales: np.ndarray | None
    if node.kind == "Upsample":
        if "scales" in node.attributes:
            import numpy as np

            scales = np.array(node.get("scales", list, []))
        else:
            scales = reader.constant(node, 1)
    else:
        scales = reader.constant(node, 1 if reader.graph.opset < 11 else 2)
    shape = reader.out_shape(node, x.axes)
    if shape is None or None in shape or None in x.shape or shape[-1] != x.shape[-1]:
        raise refused("I02", "the size that it gives is not known", node.at)
    mode = node.get("mode", str, "nearest")
    places = node.get("coordinate_transformation_mode", str, "half_pixel" if reader.graph.opset > 10 else "asymmetric")
    rounding = node.get("nearest_mode", str, "round_prefer_floor" if reader.graph.opset > 10 else "floor")
    if node.get("antialias", int, 0) or node.get("axes", list, None) or places == "tf_crop_and_resize":
        raise refused("I02", "no op enlarges like that", node.at)
    pairs = [(a, b) for a, b in zip(x.shape[:-1], shape[:-1], strict=True) if a and b]
    if len(pairs) != len(shape) - 1:
        raise refused("I02", "the size that it gives is not known", node.at)
    if scales is not None and scales.size and not _is_exact(scales, [b / a for a, b in pairs]):
        raise refused("I02", "its size is no multiple of the scale, by which alone an op goes", node.at)
    factors = [b // a for a, b in pairs] if all(b % a == 0 for a, b in pairs) else None
    step: dict[str, Any]
    match mode, places:
        case "nearest", ("asymmetric" | "half_pixel" | "pytorch_half_pixel") if factors and (
            rounding == "floor" if places == "asymmetric" else rounding.startswith("round_prefer")
        ):
            step = {"upsample": {"factor": alike(factors)}}
        case "nearest", "asymmetric" if rounding == "floor":
            step = {"resize": {"size": [b for _, b in pairs], "mode": "torch_nearest"}}
        case "linear", ("half_pixel" | "pytorch_half_pixel") if factors and all(b > 1 for _, b in pairs):
            step = {"upsample": {"factor": alike(factors), "mode": "bilinear"}}
        case "linear", ("half_pixel" | "pytorch_half_pixel") if all(b > 1 for _, b in pairs):
            step = {"resize": {"size": [b for _, b in pairs]}}
        case "linear", "align_corners":
            step = {"resize": {"size": [b for _, b in pairs], "align_corners": True}}
        case _:
            raise refused("I02", f"no op enlarges by {mode} with {places} places ({rounding})", node.at)
    reader.emit(step, [x], node, x.axes)


def _is_exact(scales: np.ndarray, ratios: list[float]) -> bool:
    said = [float(n) for n in scales.reshape(-1)]
    return (
        len(said) == len(ratios) + 2
        and said[:2] == [1, 1]
        and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(said[2:], ratios, strict=True))
    )


def _depth_to_space(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.image(node)
    if node.get("mode", str, "DCR") == "CRD":
        reader.emit({"pixel_shuffle": node.get("blocksize", int, 1)}, [x], node, x.axes)
        return
    if None in x.shape or len(x.shape) != 3:
        raise refused("I02", "the size that it takes is not known", node.at)
    s = node.get("blocksize", int, 1)
    height, width, channels = (n or 0 for n in x.shape)
    shape = [height, width, s, s, channels // max(1, s * s)]
    _dealt(reader, node, x, shape, [0, 2, 1, 3, 4])


def _space_to_depth(reader: GraphReader, node: OnnxNode) -> None:
    x, s = reader.image(node), node.get("blocksize", int, 1)
    if None in x.shape or len(x.shape) != 3 or s < 1:
        raise refused("I02", "the size that it takes is not known", node.at)
    height, width, channels = (n or 0 for n in x.shape)
    _dealt(reader, node, x, [height // s, s, width // s, s, channels], [0, 2, 1, 3, 4])


def _dealt(reader: GraphReader, node: OnnxNode, x: Value, shape: list[int], order: list[int]) -> None:
    network = reader.network
    name = network.add({"reshape": {"shape": shape}}, [x.name], node.at)
    name = network.add({"permute": {"axes": order}}, [name], node.at)
    reshaped(reader, node, Value(name, x.axes, x.shape), x.axes)


def _gather(reader: GraphReader, node: OnnxNode) -> None:
    if node.inputs[0] in reader.graph.constants:
        table, ids = reader.needed(node, 0), reader.value(node, 1)
        if table.ndim != 2 or node.get("axis", int, 0) != 0:
            raise refused("I02", "no op looks up in such a table", node.at)
        ids = reader.plain(ids, node.at)
        step = {"vocab": table.shape[0], "dim": table.shape[1]}
        made = reader.emit({"embedding": step}, [ids], node, tuple(range(len(ids.axes) + 1)))
        reader.hold(made, node, node.inputs[:1], embeddings=table)
        return
    x, at = reader.elements(node, in_any_order=True), reader.needed(node, 1)
    axis = reader.axis(node, x, node.get("axis", int, 0))
    if at.size != 1 or at.ndim:
        raise refused("I02", "no op takes several places of an axis by a constant", node.at)
    place = int(at)
    cut = {"range": [place, None if place == -1 else place + 1], "axis": axis}
    name = reader.network.add({"slice": cut}, [x.name], node.at)
    reader.emit({"squeeze": {"axis": axis}}, [Value(name, x.axes, x.shape)], node, without(x, {axis}))


def _tile(reader: GraphReader, node: OnnxNode) -> None:
    x, times = reader.elements(node), reader.whole_numbers(node, "repeats", 1)
    if times is None or len(times) != len(x.axes) + 1 or times[0] != 1:
        raise refused("I02", "it repeats the batch", node.at)
    here = [0] * len(x.axes)
    for axis, number in zip(x.axes, times[1:], strict=True):
        here[axis] = number
    reader.emit({"tile": {"repeats": here}}, [x], node, x.axes)


RULES: dict[str, Rule] = {
    "Tile": _tile,
    "Expand": _expand,
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Gather": _gather,
}
