"""Operators that say which axes there are and in which order: nothing of them is computed."""

from __future__ import annotations

import math
from dataclasses import replace

from archspec.importing.formats.onnx.model import OnnxNode
from archspec.importing.formats.onnx.reader import GraphReader, Rule, Value
from archspec.importing.network import refused

POOLS = ({"global_avg_pool": {"keep": True}}, {"global_max_pool": {"keep": True}})


def _flatten(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.value(node)
    if node.get("axis", int, 1) not in (1, -len(x.axes)):
        raise refused("I02", "it makes one axis of the batch and others", node.at)
    _flat(reader, node, x)


def _flat(reader: GraphReader, node: OnnxNode, x: Value) -> None:
    """One row of numbers, whose order a dense layer behind it may follow."""
    if len(x.axes) == 1:
        reader.set(node, x)
    elif _pooled(reader, node, x, (0,)):
        return
    elif None in x.shape:
        raise refused("I02", "it makes a row of a tensor whose size is open", node.at)
    elif x.is_plain or sum(n != 1 for n in x.shape) <= 1:
        reader.emit({"flatten": None}, [x], node, (0,))
    else:
        reader.set(node, Value("", (0,), (math.prod(n or 0 for n in x.shape),), x))


def _pooled(reader: GraphReader, node: OnnxNode, x: Value, axes: tuple[int, ...]) -> bool:
    """Whether a pool over all places kept its axes only for this node to take them away."""
    entry = reader.network.draft.steps.get(x.name)
    if entry is None or entry.step not in POOLS or len(axes) != 1:
        return False
    (op,) = entry.step
    shape = (x.shape[-1],)
    known = None if shape[0] is None else (shape[0],)
    name = reader.network.add({op: None}, entry.taken, entry.origin, known)
    reader.set(node, Value(name, (0,), shape))
    return True


def _reshape(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.value(node, may_be_merged=True)
    said = reader.graph.shapes.get(node.outputs[0])
    if said is None or None in said[1:]:
        raise refused("I02", "the shape that it gives is not known", node.at)
    if x.merged:
        if said != (reader.graph.batch, *(x.shape[axis] for axis in x.axes)):
            raise refused("I02", "it mixes the batch with other axes", node.at)
        reader.set(node, replace(x, merged=0))
        return
    if x.source is None and (count := _merged_with_batch(reader, x, said)):
        reader.set(node, replace(x, merged=count))
        return
    shape = tuple(n for n in reader.out_shape(node, tuple(range(len(said) - 1))) or () if n is not None)
    if len(shape) == 1:
        _flat(reader, node, x)
        return
    if x.source is None and tuple(x.shape[axis] for axis in x.axes) == shape:
        reader.set(node, x)
        return
    if x.source is not None and tuple(x.source.shape[axis] for axis in x.source.axes) == shape:
        reader.set(node, x.source)
        return
    if x.source is None and (axes := _with_ones_moved(x, shape)):
        reader.set(node, Value(x.name, axes, x.shape))
        return
    if x.source is None and (merged := _merged(x, shape)) is not None:
        here, axes = merged
        reader.emit({"reshape": {"shape": here}}, [x], node, axes)
        return
    reader.emit({"reshape": {"shape": list(shape)}}, [reader.plain(x, node.at)], node, tuple(range(len(shape))))


def _merged_with_batch(reader: GraphReader, x: Value, said: tuple[int | None, ...]) -> int:
    """How many axes become one with the batch, and nothing else changes; 0 for none."""
    sizes = [x.shape[axis] or 0 for axis in x.axes]
    for count in range(1, len(sizes)):
        if said == (reader.graph.batch * math.prod(sizes[:count]), *sizes[count:]):
            return count if said[0] != reader.graph.batch else 0
    return 0


def _merged(x: Value, shape: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]] | None:
    """The shape here, and the axes, of a tensor whose neighbouring axes become one where they are neighbours here, too:
    the places of an image, whose channels are in front there and behind here. None for another one."""
    groups: list[list[int]] = []
    left = list(x.axes)
    for size in shape:
        group: list[int] = []
        product = 1
        while left and (product != size or not group):
            group.append(left.pop(0))
            product *= x.shape[group[-1]] or 0
        if product != size or group != list(range(group[0], group[0] + len(group))):
            return None
        groups.append(group)
    if left:
        return None
    order = sorted(groups)
    here = [math.prod(x.shape[axis] or 0 for axis in group) for group in order]
    return here, tuple(order.index(group) for group in groups)


def _with_ones_moved(x: Value, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes here of a tensor of as many axes that differs in where axes of length 1 are; None for another one."""
    long = [axis for axis in x.axes if x.shape[axis] != 1]
    if len(shape) != len(x.axes) or [x.shape[axis] for axis in long] != [n for n in shape if n != 1]:
        return None
    ones = iter(sorted(set(x.axes) - set(long)))
    rest = iter(long)
    return tuple(next(ones) if n == 1 else next(rest) for n in shape)


def _transpose(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.elements(node, in_any_order=True, may_be_merged=True)
    rank = len(x.axes) + 1 - x.merged
    order = node.get("perm", list, None) or list(range(rank - 1, -1, -1))
    if x.merged and order[0] == 0 and sorted(order) == list(range(rank)):
        axes = (*x.axes[: x.merged], *(x.axes[x.merged + axis - 1] for axis in order[1:]))
        reader.set(node, replace(x, axes=axes))
        return
    if x.merged:
        raise refused("I02", "it moves the batch, which is one with another axis", node.at)
    if sorted(order) != list(range(len(x.axes) + 1)):
        raise refused("I03", f"its order {order} is not that of {len(x.axes) + 1} axes", node.at)
    places = [axis - (axis > x.batch) for axis in order if axis != x.batch]
    reader.set(node, Value(x.name, tuple(x.axes[k] for k in places), x.shape, batch=order.index(x.batch)))


def _squeeze(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.elements(node, in_any_order=True)
    axes = reader.whole_numbers(node, "axes", 1)
    if axes is None:
        raise refused("I02", "it takes away all axes of length 1, the batch too", node.at)
    gone = {reader.axis(node, x, axis) for axis in axes}
    kept = without(x, gone)
    if not _pooled(reader, node, x, kept):
        reshaped(reader, node, x, kept, x.batch - sum(axis % (len(x.axes) + 1) < x.batch for axis in axes))


def _unsqueeze(reader: GraphReader, node: OnnxNode) -> None:
    x = reader.plain(reader.value(node), node.at)
    axes = reader.whole_numbers(node, "axes", 1) or []
    rank = len(x.axes) + 1 + len(axes)
    if any(axis % rank == 0 for axis in axes):
        raise refused("I02", "it puts an axis before the batch", node.at)
    reshaped(reader, node, x, tuple(range(rank - 1)))


def reshaped(reader: GraphReader, node: OnnxNode, x: Value, axes: tuple[int, ...], batch: int = 0) -> None:
    """Another shape of the elements in the order that they have here."""
    shape = reader.out_shape(node, axes, batch=batch)
    if shape is None or None in shape:
        raise refused("I02", "the shape that it gives is not known", node.at)
    reader.emit({"reshape": {"shape": list(shape)}}, [x], node, axes, batch)


def without(x: Value, gone: set[int]) -> tuple[int, ...]:
    """The axes of what is left when some are taken away."""
    left = sorted(set(x.axes) - gone)
    return tuple(left.index(axis) for axis in x.axes if axis not in gone)


RULES: dict[str, Rule] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}
