"""A Keras file's model, computed beside a spec."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import StoredLayer, WeightsError
from archspec.backend.comparison.difference import ModelDifference, incomparable
from archspec.backend.comparison.numbers import (
    TensorSample,
    TensorSamples,
    are_alike,
    computed,
    flat,
    of_all,
    stand_in,
    weights,
    without_activation,
)
from archspec.backend.comparison.spec import SpecSide
from archspec.backend.importers.keras_calls import Calls, LayerCall, LayerOutput, filled
from archspec.backend.importers.keras_layers import Incomparable, first_line, made
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    from archspec.backend.rules import Rules


@dataclass(frozen=True, slots=True, eq=False)
class Unknown:
    """A call whose results are not known, why, and whether rules permit that."""

    call: LayerCall
    why: str
    is_permitted: bool


class FileSide:
    """What is known of the tensors of a file's model."""

    def __init__(
        self, graph: Graph, pairs: Mapping[str, StoredLayer], file: Calls, spec: SpecSide, rules: Rules | None
    ):
        self.graph, self.file, self.spec, self.rules = graph, file, spec, rules
        self.layers = {stored.name: (layer, stored) for layer, stored in pairs.items()}
        self.owners = {node.layer: node for node in graph.owners()}
        self.made: dict[str, tuple[Any, Any]] = {}
        self.values: dict[LayerOutput, Any] = {}
        self.samples: dict[LayerOutput, TensorSample] = {}
        self.unknown: dict[tuple[str, int], Unknown] = {}
        self.difference = ModelDifference(
            graph, file, spec.samples, self.samples, spec.twins.keys(), self.layers.keys()
        )
        self.limit = 8 * spec.largest + (1 << 20)

    def run(self) -> None:
        """Raises WeightsError where the two differ."""
        import keras

        theirs, ours = self.file.inputs, self.spec.inputs
        if len(theirs) != len(ours):
            raise WeightsError(f"the file's model has {len(theirs)} inputs, the spec {len(ours)}")
        for (name, _, dtype), value in zip(theirs, ours.values(), strict=True):
            self._keep(LayerOutput(name), keras.ops.cast(value, dtype))
        uses = Counter(source for call in self.file.calls for source in call.taken)
        for call in self.file.calls:
            if call.layer in self.layers:
                self._compare(call, *self.layers[call.layer])
            else:
                self._compute(call)
            uses.subtract(call.taken)
            for source in {s for s in call.taken if not uses[s]}:
                self.values.pop(source, None)
        self._compare_outputs()

    def _keep(self, at: LayerOutput, value: object) -> None:
        self.values[at], self.samples[at] = value, TensorSample(value)

    def _blocked(self, sources: Sequence[LayerOutput]) -> Unknown | None:
        """What keeps tensors from being known; first what no rule permits."""
        found = [self.unknown[s.layer, s.turn] for s in sources if (s.layer, s.turn) in self.unknown]
        return min(found, key=lambda unknown: unknown.is_permitted, default=None)

    def _is_left_out(self, call: LayerCall) -> bool:
        return bool(self.rules and self.rules.leaves_out(call.layer))

    def _compute(self, call: LayerCall) -> None:
        """A layer without weights."""
        at = (call.layer, call.turn)
        if self._is_left_out(call):
            self.unknown[at] = Unknown(call, "", True)
        elif unknown := self._blocked(call.taken):
            self.unknown[at] = unknown
        else:
            try:
                out = self._called(call, None)
            except Incomparable as error:
                self.unknown[at] = Unknown(call, str(error), False)
            else:
                for port, value in enumerate(flat(out)):
                    self._keep(LayerOutput(*at, port), value)

    def _compare(self, call: LayerCall, layer: str, stored: StoredLayer) -> None:
        """A layer with weights. Raises WeightsError where it differs from the spec's."""
        import keras

        twins = self.spec.twins[layer]
        twin = twins[min(call.turn, len(twins) - 1)]
        is_left_out, unknown = self._is_left_out(call), self._blocked(call.taken)
        if unknown and not unknown.is_permitted and not is_left_out:
            raise incomparable(self.graph, unknown.call, unknown.why, twin.node)
        try:
            activation = self._made(call, stored)[1]
            out = None if unknown or is_left_out else self._called(call, stored)
        except Incomparable as error:
            if not is_left_out:
                raise incomparable(self.graph, call, str(error), twin.node) from None
            self.unknown[call.layer, call.turn] = Unknown(call, "", True)
            return
        if out is None:  # not to be compared: the shapes are the spec's
            out = [keras.ops.zeros(sample.shape) for sample in twin.given]
        else:
            equal = [t for t in twins if are_alike(t.given, of_all(out, t.masks))]
            if not equal:
                raise self.difference.of_layer(call, twin, of_all(out))
            twin = equal[0]
        for port, value in enumerate(flat(stand_in(out, twin.key, activation))):
            self._keep(LayerOutput(call.layer, call.turn, port), value)

    def _made(self, call: LayerCall, stored: StoredLayer | None) -> tuple[Any, Any]:
        """The layer of a call, and the activation that was taken off it. Raises Incomparable."""
        if call.layer not in self.made:
            layer = made(call, self.file.version, stored.shapes if stored else ())
            self.made[call.layer] = layer, without_activation(layer) if stored else None
        return self.made[call.layer]

    def _called(self, call: LayerCall, stored: StoredLayer | None) -> Any:
        """What a call gives. Raises Incomparable."""
        import keras

        layer = self._made(call, stored)[0]

        def prepare(told: object) -> None:
            if any(prod(n or 1 for n in value.shape) > self.limit for value in flat(told)):
                raise Incomparable("it gives far more numbers than any layer of the spec")
            if stored:
                self._assign(layer, call, stored)

        args, kwargs = (filled(said, self.values.__getitem__) for said in (list(call.args), dict(call.kwargs)))
        # Compared is what comes at inference, unless the file has a layer as in training there, too.
        training = kwargs.pop("training", None)
        if "training" in signature(getattr(layer, "call", layer)).parameters:
            kwargs["training"] = bool(training)
        try:
            return computed(layer, args, kwargs, prepare)
        except Incomparable:
            raise
        except Exception as error:
            raise Incomparable(f"Keras {keras.__version__} does not compute it: {first_line(error)}") from None

    def _assign(self, layer: Any, call: LayerCall, stored: StoredLayer) -> None:
        """Give a layer of the file the random weights of its node, in the order in which the file has them."""
        node = self.owners[self.layers[call.layer][0]]
        arrays = dict(zip((w.name for w in node.weights), weights(node), strict=True))
        order = stored.arrays if set(arrays) == set(stored.arrays) else arrays
        values = [arrays[name] for name in order]
        if [value.shape for value in values] != [tuple(w.shape) for w in layer.weights]:
            raise Incomparable("Keras gives it arrays of other shapes")
        layer.set_weights(values)

    def _compare_outputs(self) -> None:
        ours, theirs = self.graph.outputs, self.file.outputs
        is_cut = bool(self.rules and self.rules.ignore)
        if len(ours) != len(theirs) and not is_cut:
            raise WeightsError(f"the file's model has {len(theirs)} outputs, the spec {len(ours)}")
        for k, output in enumerate(ours):
            sample = self.spec.samples[output.tensor]
            ends = theirs[k : k + 1]
            if any(end in self.samples and sample.is_like(self.samples[end]) for end in ends):
                continue
            unknown = self._blocked(ends)
            if unknown and not unknown.is_permitted:
                node = self.graph.by_name.get(output.tensor.node)
                raise incomparable(self.graph, unknown.call, unknown.why, node)
            if unknown and self.rules and self.rules.is_unchecked(unknown.call.layer):
                continue
            # Where layers of the file are ignored, it may go on where the spec ends.
            if not (is_cut and sample in TensorSamples(self.samples.values())):
                raise self.difference.between(ends, (output.tensor,), f"the output {output.name!r}")
