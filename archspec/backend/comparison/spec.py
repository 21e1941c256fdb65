"""A spec, computed with random numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, cast

from archspec.backend.archive import StoredLayer, WeightsError
from archspec.backend.comparison.numbers import (
    SCALES,
    TensorSample,
    are_alike,
    computed,
    flat,
    of_all,
    stand_in,
    weights,
    without_activation,
)
from archspec.backend.importers.keras_calls import Calls
from archspec.backend.importers.keras_layers import first_line
from archspec.backend.seams.models import mask_of
from archspec.ir.graph import Graph, Node, Tensor

OPEN_SIZES = (37, 64, 75, 161, 320)
"""What an open size is tried as, until a spec can be computed."""


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """A call of a layer with weights in the spec: what it took and gave, and what its stand-in is drawn by."""

    node: Node
    taken: tuple[TensorSample, ...]
    given: tuple[TensorSample, ...]
    key: str
    masks: tuple[Any, ...]
    """Of what it gave. Steps that they leave out may be anything: nothing in a spec depends on them."""


class SpecSide:
    """The inputs, the calls of layers with weights, by layer, and samples of all tensors."""

    def __init__(self, graph: Graph, pairs: Mapping[str, StoredLayer], file: Calls, size: int):
        from archspec.backend.build import called, folded, item_of, unfolded

        self.inputs = dict(_inputs(graph, file, size))
        self.twins: dict[str, list[Twin]] = defaultdict(list)
        self.samples: dict[Tensor, TensorSample] = {}
        self.values = {Tensor(name): value for name, value in self.inputs.items()}
        self.samples |= {tensor: TensorSample(value) for tensor, value in self.values.items()}
        uses = Counter(t for node in graph.nodes for t in node.inputs)
        calls = Counter(node.layer for node in graph.nodes)
        layers: dict[str, tuple[Any, Any]] = {}
        of_steps = {call.layer for call in file.calls if call.kind == "TimeDistributed"}
        for node in graph.nodes:
            has_twin = node.layer in pairs
            if node.layer in layers:
                layer, activation = layers.pop(node.layer)
            else:
                layer = node.op.lower(*node.input_specs)
                activation = without_activation(layer) if has_twin else None
            calls[node.layer] -= 1
            if calls[node.layer]:
                layers[node.layer] = layer, activation
            taken = [self.values[t] for t in node.inputs]

            # A layer of items is compared by what it takes and gives of them as examples, unless the file's takes all.
            around: list[Node] = []
            one = node
            is_folded = has_twin and pairs[node.layer].name not in of_steps
            while is_folded and item_of(one) is not one:
                taken = folded(one, taken)
                around.append(one)
                one = item_of(one)

            def call(*args: Any, node: Node = one, layer: object = layer) -> Any:
                return called(node, layer, args)

            def prepare(_: Any, node: Node = node, layer: Any = layer, has_twin: bool = has_twin) -> None:
                if has_twin:
                    layer.set_weights(weights(node))

            out = computed(call, taken, {}, prepare)
            if has_twin:
                out = self._redrawn(one, taken, out, activation)
            for outer in reversed(around):
                found = unfolded(outer, out if len(node.outputs) > 1 else [out])
                out = found if len(node.outputs) > 1 else found[0]
            for port, value in enumerate(out if len(node.outputs) > 1 else [out]):
                self.values[Tensor(node.name, port)] = value
                self.samples[Tensor(node.name, port)] = TensorSample(value)
            uses.subtract(node.inputs)
            for tensor in {t for t in node.inputs if not uses[t]}:
                del self.values[tensor]
        self.values.clear()

    @classmethod
    def of(cls, graph: Graph, pairs: Mapping[str, StoredLayer], file: Calls) -> SpecSide:
        """A spec, computed; open sizes are the file's, or the first that it can be computed with. Raises WeightsError
        where none is."""
        said = ""
        for size in OPEN_SIZES:
            try:
                return cls(graph, pairs, file, size)
            except Exception as error:
                if all(None not in given.shape for given in graph.inputs.values()):
                    raise
                said = first_line(error)
        raise WeightsError(f"the spec cannot be computed with open sizes of {', '.join(map(str, OPEN_SIZES))}: {said}")

    @property
    def largest(self) -> int:
        """Elements of the largest tensor."""
        return max(prod(sample.shape) for sample in self.samples.values())

    def _redrawn(self, node: Node, taken: Sequence[Any], out: Any, activation: Any) -> Any:
        """Random numbers for what a layer with weights gave; the same where it gave the same before."""
        masks = tuple(map(mask_of, flat(out)))
        given = of_all(out, masks)
        key = next((t.key for t in self.twins[node.layer] if are_alike(t.given, given)), node.name)
        self.twins[node.layer].append(Twin(node, of_all(taken), given, key, masks))
        return stand_in(out, key, activation)


def _inputs(graph: Graph, file: Calls, size: int) -> Iterator[tuple[str, Any]]:
    """Random inputs: numbers, or counts that every embedding has. The last steps of one example are padding, where
    either side leaves such out."""
    import keras
    import numpy as np

    ops = [op for op in (cast(Any, node.op) for node in graph.nodes) if op.entries_of]
    tables = [int(getattr(op, op.entries_of)) for op in ops]
    draw = np.random.default_rng(0)
    for k, (name, spec) in enumerate(graph.inputs.items()):
        shape = (file.inputs[k][1] if k < len(file.inputs) else None) or ()
        theirs = shape[1:] if len(shape) == len(spec.shape) + 1 else (None,) * len(spec.shape)
        sizes = tuple(n or other or size for n, other in zip(spec.shape, theirs, strict=True))
        if spec.dtype.startswith("float"):
            scale = np.array(SCALES).reshape(-1, *[1] * len(sizes))
            value = draw.standard_normal((len(SCALES), *sizes)) * scale
            for back, padding in enumerate(_paddings(graph, file), 1):
                if len(sizes) > 1 and back < sizes[0]:
                    value[-1, -back] = padding
        else:
            value = draw.integers(0, min([2 if spec.dtype == "bool" else 7, *tables]), (len(SCALES), *sizes))
        yield name, keras.ops.convert_to_tensor(value.astype(spec.dtype))


def _paddings(graph: Graph, file: Calls) -> list[float]:
    """The values of which padding consists that a mask leaves out, on either side."""
    ops = [op for op in (cast(Any, node.op) for node in graph.nodes) if op.marks_padding]
    ours = [getattr(op, "value", None) for op in ops]
    theirs = [call.config.get("mask_value", 0.0) for call in file.calls if call.kind == "Masking"]
    return sorted({float(value) for value in (*ours, *theirs) if isinstance(value, (int, float))})
