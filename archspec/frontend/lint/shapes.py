"""Shapes of other frameworks, the batch and channels first; and channels that meet only because one side has 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.frontend.lint.rule import Rule, Subject, warning
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import Diagnostic, Span, shown
from archspec.ir.graph import Graph
from archspec.ops.reach import POINT

BATCH = ("n", "b", "bs", "batch", "batch_size")
NOTHING = ("none", "null")
PICTURE = 8
"""The least side of what is taken for an image."""
COLORS = (1, 3, 4)
RGB = 3
BATCHES = (1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1024)
"""Sizes that batches usually have."""
PICTURES = ("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "x", "input", "inputs")
"""Names of inputs of which each is one picture."""


def batch_axis(subject: Subject) -> Iterator[Diagnostic]:
    """W03: a shape that begins with the batch."""
    for name, shape in _declared(subject):
        first = shape[0] if shape else 0
        is_named = isinstance(first, str) and first.lower() in BATCH
        is_open = first is None or (isinstance(first, str) and first.lower() in NOTHING)
        if is_named or (is_open and len(shape) == 4):
            rest = [f"{n}" if n is not None else "null" for n in shape[1:]]
            said = "null" if first is None else first
            what = f"the shape of '{name}' begins with {said}: the batch is never written"
            more = "" if is_named else f"; if it is the time of a video, name it: [time, {', '.join(rest)}]"
            yield warning("W03", what, shape.value_span(0), f"[{', '.join(rest)}]{more}")


def batch_of_pictures(subject: Subject) -> Iterator[Diagnostic]:
    """W03: pictures that are given as so many: [32, 28, 28, 1]."""
    for name, shape in _declared(subject):
        if len(shape) != 4 or not all(type(n) is int for n in shape) or name.lower() not in PICTURES:
            continue
        batch, height, width, channels = shape
        if batch in BATCHES and height in COLORS and width == channels >= PICTURE:
            what = f"the shape of '{name}' begins with {batch}: the batch is never written"
            help = f"[{width}, {channels}, {height}]: channels come last; a volume or a video is not called '{name}'"
            yield warning("W03", what, shape.value_span(0), help)
        if batch in BATCHES and channels in COLORS and height == width != batch:
            rest = f"[{height}, {width}, {channels}]"
            what = f"the shape of '{name}' begins with {batch}: the batch is never written"
            help = f"{rest}; if it is a volume or a video, call it so: volume: [{batch}, {rest[1:]}"
            yield warning("W03", what, shape.value_span(0), help)


def untouched_axis(subject: Subject) -> Iterator[Diagnostic]:
    """W03: an input whose first axis no layer reads along, up to a loss of classes: each position is an example."""
    for graph in subject.graphs:
        is_classified = {o.tensor.node for o in graph.outputs if o.loss is not None and o.loss.labels != "numbers"}
        for name, spec in graph.inputs.items():
            if spec.rank < 2 or "float" not in spec.dtype or len(graph.inputs) > 1:
                continue
            kept = _along(graph, name, 0)
            if kept is None or not is_classified & kept or name in pixels_apart(graph):
                continue
            first = "null" if spec.shape[0] is None else spec.shape[0]
            what = f"no layer reads along the first axis of '{name}', {first}: is it the batch, which is never written?"
            rest = ", ".join("null" if n is None else str(n) for n in spec.shape[1:])
            help = f"[{rest}] for one example; time is read by lstm or conv"
            yield warning("W03", what, input_span(subject, name), help)


def batch_in_reshape(subject: Subject) -> Iterator[Diagnostic]:
    """W03: a vector that is reshaped to one row, with -1 for the batch: ``view(-1, 8192)`` of PyTorch."""
    seen: set[int] = set()
    for graph in subject.graphs:
        for node in graph.nodes:
            shape = getattr(node.op, "shape", None)
            if id(node) in seen or not isinstance(shape, (list, tuple)):
                continue
            seen.add(id(node))
            if len(shape) == 2 and shape[0] == -1 and node.output.shape[0] == 1:
                what = f"{node.op.name} gives {node.output}: -1 is no batch, which is never written"
                yield warning("W03", what, node.span, "flatten, or reshape: [-1], gives a vector of all")


def pixels_apart(graph: Graph) -> dict[str, set[str]]:
    """The nodes that hold the pixels of an image as they came in, by its input, where no layer looks at two of them."""
    found = {}
    for name, spec in graph.inputs.items():
        is_image = spec.rank == 3 and None not in spec.shape and spec.channels in COLORS
        if is_image and min(n or 0 for n in spec.spatial) >= PICTURE:
            rows, columns = _along(graph, name, 0), _along(graph, name, 1)
            if rows is not None and columns is not None:
                found[name] = rows & columns
    return found


def _along(graph: Graph, name: str, axis: int) -> set[str] | None:
    """The nodes that hold an axis of an input as it came in; None where one reads along it."""
    kept = {name}
    for node in graph.nodes:
        op: Any = node.op
        held = [i for i, t in enumerate(node.inputs) if t.node in kept]
        if not held:
            continue
        reach = op.reach(*node.input_specs)
        if any(reach[i] is None or len(reach[i]) <= axis or reach[i][axis] != POINT for i in held):
            return None
        kept.add(node.name)
    return kept


def none_is_a_name(subject: Subject) -> Iterator[Diagnostic]:
    """W04: a size called None."""
    for name, shape in _declared(subject):
        for i, size in enumerate(shape):
            if isinstance(size, str) and size.lower() in NOTHING:
                what = f"{shown(size)} in the shape of '{name}' is taken for the name of a size"
                yield warning("W04", what, shape.value_span(i), "a size that is open is null")


def channels_first(subject: Subject) -> Iterator[Diagnostic]:
    """W05: an image whose channels come first."""
    for graph in subject.graphs:
        if not any(hasattr(node.op, "kernel") for node in graph.nodes):
            continue
        for name, spec in graph.inputs.items():
            if spec.rank != 3 or None in spec.shape:
                continue
            channels, height, width = (n or 0 for n in spec.shape)
            # What is far from square is a row of a map, of so many channels, as well as a picture.
            is_picture = max(height, width) <= (2 if channels == RGB else 1.5) * min(height, width)
            if channels in COLORS and min(height, width) >= PICTURE and is_picture:
                what = f"input '{name}' is an image of {channels}x{height} with {width} channels"
                help = f"channels come last: [{height}, {width}, {channels}]"
                yield warning("W05", what, input_span(subject, name), help)


def unequal_channels(subject: Subject) -> Iterator[Diagnostic]:
    """W06: one channel that is added to each of many."""
    seen: set[int] = set()
    for graph in _all(subject):
        for node in graph.nodes:
            op: Any = node.op
            if not op.is_projectable or id(node) in seen:
                continue
            seen.add(id(node))
            if len({spec.rank for spec in node.input_specs}) > 1:
                continue
            counts = {spec.channels for spec in node.input_specs}
            if 1 in counts and len(counts) == 2 and None not in counts and node.output.rank > 1:
                (many,) = counts - {1}
                what = f"{op.name} takes {many} channels and 1, which is repeated for each of them"
                yield warning("W06", what, node.span, f"give both {many} channels, or say multiply where 1 is a gate")


def input_span(subject: Subject, name: str) -> Span:
    """Where an input of a graph is declared; those of several networks are called NETWORK.INPUT."""
    network, dot, inner = name.partition(".")
    if dot:
        return subject.document.key_span("networks", network, "inputs", inner)
    return subject.document.span("inputs", name)


def _declared(subject: Subject) -> Iterator[tuple[str, Seq]]:
    """The shapes that a file writes as lists, by the names of their inputs."""
    spec = subject.document.spec
    sections = [spec.inputs, *(block.inputs for block in spec.networks.values()), spec.train and spec.train.inputs]
    for section in sections:
        for name, raw in section.items() if isinstance(section, Map) else ():
            shape = raw.get("shape") if isinstance(raw, Map) else raw
            if isinstance(shape, Seq):
                yield name, shape


def _all(subject: Subject) -> Iterator[Graph]:
    for graph in subject.graphs:
        yield graph
        if graph.training is not None:
            yield graph.training.body


DECLARED: tuple[Rule, ...] = (batch_axis, batch_of_pictures, none_is_a_name)
BUILT: tuple[Rule, ...] = (channels_first, unequal_channels, untouched_axis, batch_in_reshape)
