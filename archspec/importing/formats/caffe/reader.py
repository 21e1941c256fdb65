"""The layers of a .prototxt in order: inputs, phases, and which blob each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from archspec.importing.formats.caffe.text import Message
from archspec.importing.maps import MapReader, MapResult, Reading
from archspec.importing.network import MAX_LAYERS, refused
from archspec.ir.diagnostics import Span, did_you_mean, shown

Turn = Callable[[tuple[int, ...], Reading], Reading]
"""An array's shape and how to read it → how to read it as Keras has it."""
Rule = Callable[["LayerReader", Message, list[MapResult]], "MapResult | list[MapResult]"]
OF_TRAINING = frozenset(
    (
        *("Data", "ImageData", "HDF5Data", "MemoryData", "DummyData", "WindowData", "HDF5Output", "Silence"),
        *("Accuracy", "EuclideanLoss", "HingeLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss", "ContrastiveLoss"),
        *("InfogainLoss", "MultinomialLogisticLoss"),
    )
)
OF_RUNNING = frozenset(
    (
        *("weight_filler", "bias_filler", "filler", "moving_average_fraction", "transform_param", "loss_param"),
        *("engine", "force_nd_im2col", "stable_prod_grad"),
    )
)
"""Parameters that say how training starts or by which code a layer runs, not what it computes."""
OLD_TYPES = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "ELTWISE": "Eltwise",
    "FLATTEN": "Flatten",
    "INNER_PRODUCT": "InnerProduct",
    "POOLING": "Pooling",
    "POWER": "Power",
    "PRELU": "PReLU",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
}
"""Kinds of layers as they were written before 2014."""


@dataclass(frozen=True, slots=True)
class StoredBlobs:
    """A layer of a .caffemodel: the step that has its blobs, and for each role of them the weight's name and how the
    array is brought into Keras's order."""

    name: str
    step: str
    at: Span
    roles: Mapping[str, tuple[str, Turn]]


class LayerReader(MapReader):
    """Reads layers in order. ``results`` are the blobs by name, as the last layer that has them on top left them."""

    def __init__(self, name: str, net: Message, rules: Mapping[str, Rule]):
        super().__init__(net.text("name") or name)
        self.net, self.rules = net, rules
        self.results: dict[str, MapResult] = {}
        self.used: set[str] = set()
        self.stored: list[StoredBlobs] = []
        self.norms: dict[str, tuple[int, MapResult]] = {}
        """Blobs that a BatchNorm gave, whose Scale may stand behind it: the place among the stored, and the input."""

    def run(self) -> None:
        """Read all. Raises SpecError."""
        self._inputs()
        layers = self.net.messages("layer") or self.net.messages("layers")
        if len(layers) > MAX_LAYERS:
            raise refused("I01", f"more than {MAX_LAYERS:,} layers", layers[MAX_LAYERS].span)
        for layer in layers:
            if not _is_for_training(layer):
                self._layer(layer)
        ends = [name for name in self.results if name not in self.used]
        if not ends or not self.network.draft.steps:
            raise refused("I01", "the network has no layers", self.net.span)
        for name in ends:
            self.network.draft.output(name, self.results[name].name)

    def _inputs(self) -> None:
        names = [name for name, _ in self.net.texts("input")]
        shapes = [shape.wholes("dim") for shape in self.net.messages("input_shape")]
        dims = self.net.wholes("input_dim")
        shapes = shapes or [dims[k : k + 4] for k in range(0, len(dims), 4)]
        for name, shape in zip(names, [*shapes, *[[]] * len(names)], strict=False):
            self._input(name, shape, self.net.place("input"))

    def _input(self, name: str, shape: list[int], at: Span) -> None:
        if len(shape) not in (2, 4) or min(shape) < 1:
            said = f"the input {shown(name)} must have 4 sizes: batch, channels, height and width; it has {shape}"
            raise refused("I03", said, at)
        _, channels, *sides = shape
        height, width = sides or (1, 1)
        out = MapResult("", height, width, channels, is_vector=not sides)
        self.results[name] = replace(out, name=self.network.draft.input(name, out.shape))

    def _layer(self, layer: Message) -> None:
        kind = layer.text("type")
        kind = OLD_TYPES.get(kind, kind)
        if kind == "Input":
            shapes = [shape.wholes("dim") for shape in layer.message("input_param").messages("shape")]
            for k, (name, at) in enumerate(layer.texts("top")):
                self._input(name, shapes[min(k, len(shapes) - 1)] if shapes else [], at)
            return
        if kind in OF_TRAINING:
            self.network.left_out(f"{kind} is used only in training", layer.span)
            if kind == "SoftmaxWithLoss":
                self.used.update(name for name, _ in layer.texts("bottom")[1:])
            return
        rule = self.rules.get(kind)
        if rule is None:
            hint = did_you_mean(kind, self.rules)
            raise refused("I02", f"no op corresponds to {shown(kind)}", layer.place("type"), hint)
        taken = []
        for name, at in layer.texts("bottom"):
            if name not in self.results:
                hint = did_you_mean(name, self.results)
                hint = hint or "read the deploy.prototxt of the network, whose inputs have sizes"
                raise refused("I03", f"nothing before this layer gives {shown(name)}", at, hint)
            taken.append(self.results[name])
            self.used.add(name)
        tops = layer.texts("top")
        if not taken or not tops:
            raise refused("I03", "the layer has no bottom or no top", layer.span)
        made = rule(self, layer, taken)
        self._unread(layer, kind)
        given = made if isinstance(made, list) else [made] * len(tops)
        if len(given) != len(tops):
            raise refused("I03", f"it gives {len(given)} parts under {len(tops)} names", layer.place("top"))
        for (name, _), result in zip(tops, given, strict=True):
            self.results.pop(name, None)
            self.results[name] = result
            self.used.discard(name)

    def _unread(self, layer: Message, kind: str) -> None:
        """Tell the parameters that the rule of a layer did not ask for."""
        for name, value, at in layer.fields:
            if not name.endswith("_param") or name in OF_RUNNING:
                continue
            if name not in layer.asked:
                self.network.left_out(f"{kind} reads no {name}", at)
            elif isinstance(value, Message):
                for own, _, place in value.fields:
                    if own not in value.asked and own not in OF_RUNNING:
                        self.network.left_out(f"{kind} reads no {own} of {name}", place)

    def keep(self, layer: Message, step: str, **roles: tuple[str, Turn]) -> None:
        """Say which blobs a step has: by the weight's name, the role of the blob, and how to turn it."""
        own = {role: (weight, turn) for weight, (role, turn) in roles.items()}
        self.stored.append(StoredBlobs(layer.text("name"), step, layer.span, own))


def _is_for_training(layer: Message) -> bool:
    """Whether a layer is there in training alone."""
    phases = [rule.text("phase") for rule in layer.messages("include")]
    return ("TRAIN" in phases and "TEST" not in phases) or any(
        rule.text("phase") == "TEST" for rule in layer.messages("exclude")
    )
