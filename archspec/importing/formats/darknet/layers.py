"""Sections of a .cfg as steps, with the sizes that Darknet gives to their outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from archspec.importing.formats.darknet.sections import MOST, Section
from archspec.importing.maps import MapReader, MapResult
from archspec.importing.network import refused
from archspec.ir.diagnostics import Span, did_you_mean, shown

ACTIVATIONS: dict[str, Any] = {
    "linear": None,
    "logistic": "sigmoid",
    "leaky": {"leaky_relu": 0.1},
    "relie": {"leaky_relu": 0.01},
    "swish": "silu",
    "hardtan": "hard_tanh",
    **{name: name for name in ("relu", "relu6", "tanh", "mish", "elu", "selu")},
}
EPSILON = 1e-5
"""What is added to the variance."""
TRAINING = frozenset(
    (
        "stopbackward",
        "dontload",
        "dontloadscales",
        "learning_rate",
        "learning_rate_scale",
        "burnin_update",
        "grad_centr",
    )
)
"""Options of layers that only training reads."""


@dataclass(frozen=True, slots=True)
class StoredSection:
    """A layer that a .weights file has numbers for: the steps that hold them, and the kernel's axes as Darknet has
    them, out first."""

    at: Span
    kernel: str
    norm: str | None
    axes: tuple[int, ...]
    groups: int | None = None
    """Of a depthwise layer: its input channels."""
    places: tuple[int, int, int] | None = None
    """Of a dense layer behind a map: the map's height, width and channels."""


class NetReader(MapReader):
    """Reads the sections in order. ``results`` are those of all layers by number; None where a layer gives boxes."""

    def __init__(self, name: str, sections: list[Section]):
        self.head, *self.sections = sections
        super().__init__(name)
        self.results: list[MapResult | None] = []
        self.stored: list[StoredSection] = []
        self.operations = 0
        """Floating-point operations by Darknet's count."""
        self.ends: list[tuple[str, str]] = []

    def run(self) -> None:
        """Read all. Raises SpecError."""
        last = self._input()
        for section in self.sections:
            rule = RULES.get(section.kind)
            if rule is None:
                hint = did_you_mean(section.kind, RULES)
                raise refused("I02", f"no op corresponds to [{section.kind}]", section.span, hint)
            made = rule(self, section, last)
            self.results.append(made)
            last = made or last
            if made is not None:
                self._unread(section)
        if not self.sections:
            raise refused("I01", "the network has no layers", self.head.span)
        for name, result in self.ends or [("output", last.name)]:
            self.network.draft.output(name, result)
        self.network.notes.append(f"{self.operations / 1e9:.3f} BFLOPs by Darknet's count")

    def activated(self, section: Section, x: MapResult, usual: str = "linear") -> MapResult:
        """The activation of a section behind its layer."""
        said = section.text("activation", usual)
        if said not in ACTIVATIONS:
            hint = did_you_mean(said, ACTIVATIONS)
            raise refused(
                "I02", f"no op corresponds to the activation {shown(said)}", section.place("activation"), hint
            )
        found = ACTIVATIONS[said]
        if found is None:
            return x
        return self.step(found if isinstance(found, dict) else {found: None}, [x], section.place("activation"), x)

    def earlier(self, section: Section, key: str) -> list[MapResult]:
        """Results that an option names by number, from here backwards if negative. Raises SpecError (I03)."""
        here = len(self.results)
        out = []
        if key not in section.options:
            raise refused("I03", f"[{section.kind}] has no {key}", section.span)
        for number in section.all(key, []):
            place = number if number >= 0 else here + number
            if not 0 <= place < here:
                raise refused(
                    "I03", f"{key} {number} is not a layer before this one, which is layer {here}", section.place(key)
                )
            found = self.results[place]
            if found is None:
                said = f"{key} {number} is [{self.sections[place].kind}], which decodes boxes; no op takes them"
                raise refused("I02", said, section.place(key))
            out.append(found)
        return out

    def only(self, section: Section, key: str, value: int) -> None:
        """Raises SpecError (I02) where an option has another value than the one that an op has."""
        if (said := section.whole(key, value)) != value:
            raise refused("I02", f"no op corresponds to {key}={said}", section.place(key))

    def count(self, section: Section, key: str, default: int) -> int:
        """A positive whole number. Raises SpecError (I03)."""
        value = section.whole(key, default)
        if not 0 < value <= MOST:
            raise refused("I03", f"{key} must be positive, got {value}", section.place(key))
        return value

    def _input(self) -> MapResult:
        height, width, channels = (self.head.whole(key, 0) for key in ("height", "width", "channels"))
        if min(height, width, channels) > 0:
            draft = MapResult("", height, width, channels)
        elif (count := self.head.whole("inputs", 0)) > 0:
            draft = MapResult("", 1, 1, count, is_vector=True)
        else:
            raise refused("I03", "[net] has no height, width and channels", self.head.span)
        self.only(self.head, "time_steps", 1)
        return replace(draft, name=self.network.draft.input("input", draft.shape))

    def _unread(self, section: Section) -> None:
        for key in section.options.keys() - section.asked - TRAINING:
            self.network.left_out(f"[{section.kind}] reads no {key}", section.place(key))


def _convolutional(net: NetReader, section: Section, x: MapResult) -> MapResult:
    x = net.map(x, section.span)
    filters, size, groups = (net.count(section, key, 1) for key in ("filters", "size", "groups"))
    stride, dilation = net.count(section, "stride", 1), net.count(section, "dilation", 1)
    rows, columns = (net.count(section, key, stride) for key in ("stride_y", "stride_x"))
    for key in ("xnor", "binary", "deform", "antialiasing", "flipped", "assisted_excitation", "rotate", "stretch"):
        net.only(section, key, 0)
    for key in ("sway", "stretch_sway", "coordconv"):
        net.only(section, key, 0)
    if "share_index" in section.options:
        raise refused("I02", "no op shares the weights of another layer", section.place("share_index"))
    padding = section.whole("padding", 0)
    if section.whole("pad", 0):
        padding = size // 2
    if padding < 0:
        raise refused("I03", f"padding must not be negative, got {padding}", section.place("padding"))
    if x.channels % groups or filters % groups:
        raise refused(
            "I03", f"{groups} groups do not divide {x.channels} channels and {filters} filters", section.place("groups")
        )
    has_norm = section.whole("batch_normalize", 0) != 0
    height = (x.height + 2 * padding - size) // rows + 1
    width = (x.width + 2 * padding - size) // columns + 1
    out = MapResult("", height, width, filters)
    is_depthwise = groups == x.channels and groups > 1
    step: dict[str, Any] = {
        "kernel": size,
        "stride": rows if rows == columns else [rows, columns],
        "padding": "same" if size == 1 and not padding else _padding(padding * dilation, size, dilation, rows, columns),
        "dilation": dilation,
        "bias": not has_norm,
    }
    if is_depthwise:
        step |= {"multiplier": filters // groups}
    else:
        step |= {"filters": filters, "groups": groups}
    made = net.step({"depthwise_conv" if is_depthwise else "conv": step}, [x], section.span, out)
    kernel = made.name
    if has_norm:
        made = net.step({"batch_norm": {"epsilon": EPSILON}}, [made], section.span, made)
    axes = (filters, x.channels // groups, size, size)
    norm, channels = made.name if has_norm else None, groups if is_depthwise else None
    net.stored.append(StoredSection(section.span, kernel, norm, axes, channels))
    net.operations += 2 * filters * size * size * x.channels // groups * max(0, height) * max(0, width)
    return net.activated(section, made, "logistic")


def _padding(padding: int, size: int, dilation: int, rows: int, columns: int) -> Any:
    return "same" if rows == columns == 1 and 2 * padding == (size - 1) * dilation else padding


def _connected(net: NetReader, section: Section, x: MapResult) -> MapResult:
    units = net.count(section, "output", 1)
    flat = net.vector(x, section.span)
    has_norm = section.whole("batch_normalize", 0) != 0
    made = net.step(
        {"dense": {"units": units, "bias": not has_norm}}, [flat], section.span, MapResult("", 1, 1, units, True)
    )
    kernel = made.name
    if has_norm:
        made = net.step({"batch_norm": {"epsilon": EPSILON}}, [made], section.span, made)
    stored = StoredSection(
        section.span, kernel, made.name if has_norm else None, (units, flat.channels), places=x.places
    )
    net.stored.append(stored)
    net.operations += 2 * units * flat.channels
    return net.activated(section, made, "logistic")


def _maxpool(net: NetReader, section: Section, x: MapResult) -> MapResult:
    x = net.map(x, section.span)
    stride = net.count(section, "stride", 1)
    size = net.count(section, "size", stride)
    strides = [net.count(section, key, stride) for key in ("stride_y", "stride_x")]
    padding = section.whole("padding", size - 1)
    for key in ("maxpool_depth", "antialiasing"):
        net.only(section, key, 0)
    if not 0 <= padding < 2 * size - 1:
        raise refused("I03", f"padding must be 0 to {2 * size - 2}, got {padding}", section.place("padding"))
    before = padding // 2
    sizes = [(length + padding - size) // step + 1 for length, step in zip((x.height, x.width), strides, strict=True)]
    is_same = all(
        out == ceil(length / step) and max((out - 1) * step + size - length, 0) // 2 == before
        for length, step, out in zip((x.height, x.width), strides, sizes, strict=True)
    )
    step = {
        "size": size,
        "stride": None if strides == [size, size] else strides[0] if strides[0] == strides[1] else strides,
        "padding": "same" if is_same else [[before, padding - before]] * 2 if padding else "valid",
    }
    out = MapResult("", sizes[0], sizes[1], x.channels)
    net.operations += size * size * x.channels * max(0, sizes[0]) * max(0, sizes[1])
    return net.step({"max_pool": step}, [x], section.span, out)


def _avgpool(net: NetReader, section: Section, x: MapResult) -> MapResult:
    if x.is_vector:
        return x
    out = MapResult("", 1, 1, x.channels, is_vector=True)
    return net.step({"global_avg_pool": None}, [x], section.span, out)


def _route(net: NetReader, section: Section, x: MapResult) -> MapResult:
    taken = [net.map(r, section.span) for r in net.earlier(section, "layers")]
    groups = net.count(section, "groups", 1)
    number = section.whole("group_id", 0)
    if groups > 1:
        if not 0 <= number < groups:
            raise refused("I03", f"group_id must be 0 to {groups - 1}, got {number}", section.place("group_id"))
        parts = []
        for r in taken:
            if r.channels % groups:
                raise refused("I03", f"{groups} groups do not divide {r.channels} channels", section.place("groups"))
            n = r.channels // groups
            cut = {"slice": {"range": [number * n, (number + 1) * n]}}
            parts.append(net.step(cut, [r], section.span, replace(r, channels=n)))
        taken = parts
    if len(taken) == 1:
        return taken[0]
    out = replace(taken[0], channels=sum(r.channels for r in taken))
    return net.step({"concat": None}, taken, section.span, out)


def _shortcut(net: NetReader, section: Section, x: MapResult) -> MapResult:
    for key in ("weights_type", "weights_normalization"):
        if section.text(key, "none") != "none":
            raise refused("I02", f"no op corresponds to {key}={section.text(key, '')}", section.place(key))
    taken = [x, *net.earlier(section, "from")]
    for other in taken[1:]:
        if other.shape != x.shape:
            said = f"{x} and {other} do not add up; Darknet adds what they have in common"
            raise refused("I02", said, section.place("from"))
    net.operations += x.height * x.width * x.channels * (len(taken) - 1)
    return net.activated(section, net.step({"add": None}, taken, section.span, x))


def _gate(net: NetReader, section: Section, x: MapResult) -> MapResult:
    net.only(section, "scale_wh", 0)
    (other,) = [net.map(r, section.span) for r in net.earlier(section, "from")[:1]]
    made = net.step({"multiply": None}, [other, net.map(x, section.span)], section.span, other)
    net.operations += other.height * other.width * other.channels
    return net.activated(section, made)


def _upsample(net: NetReader, section: Section, x: MapResult) -> MapResult:
    factor = net.count(section, "stride", 2)
    if section.number("scale", 1) != 1:
        raise refused("I02", "no op scales and enlarges", section.place("scale"))
    out = replace(x, height=x.height * factor, width=x.width * factor)
    return net.step({"upsample": factor}, [x], section.span, out)


def _reorg(net: NetReader, section: Section, x: MapResult) -> MapResult:
    """Darknet reads the map as one of fewer channels and larger sides, and deals out that."""
    s, h, w, c = net.count(section, "stride", 1), x.height, x.width, x.channels
    net.only(section, "reverse", 0)
    if c % (s * s) or h % s or w % s:
        raise refused("I03", f"stride {s} does not divide {x}", section.place("stride"))
    at = section.span
    network = net.network
    name = network.add({"permute": {"axes": [2, 0, 1]}}, [x.name], at)
    name = network.add({"reshape": {"shape": [c // (s * s), h, s, w, s]}}, [name], at)
    name = network.add({"permute": {"axes": [2, 4, 0, 1, 3]}}, [name], at)
    name = network.add({"reshape": {"shape": [c * s * s, h // s, w // s]}}, [name], at)
    out = MapResult(name, h // s, w // s, c * s * s)
    return net.step({"permute": {"axes": [1, 2, 0]}}, [out], at, out)


def _dropout(net: NetReader, section: Section, x: MapResult) -> MapResult:
    if section.whole("dropblock", 0):
        net.network.left_out("dropblock is used only in training", section.place("dropblock"))
        return x
    rate = section.number("probability", 0.5)
    return net.step({"dropout": {"rate": rate}}, [x], section.span, x)


def _softmax(net: NetReader, section: Section, x: MapResult) -> MapResult:
    net.only(section, "groups", 1)
    net.only(section, "spatial", 0)
    if "tree" in section.options:
        raise refused("I02", "no op takes a tree of classes", section.place("tree"))
    x = net.vector(x, section.span)
    if (temperature := section.number("temperature", 1)) != 1:
        if temperature <= 0:
            raise refused("I03", f"temperature must be positive, got {temperature:g}", section.place("temperature"))
        x = net.step({"scale": 1 / temperature}, [x], section.span, x)
    return net.step({"softmax": None}, [x], section.span, x)


def _activation(net: NetReader, section: Section, x: MapResult) -> MapResult:
    return net.activated(section, x)


def _cost(net: NetReader, section: Section, x: MapResult) -> MapResult:
    net.network.left_out("[cost] is used only in training", section.span)
    section.asked.update(section.options)
    return x


def _boxes(net: NetReader, section: Section, x: MapResult) -> None:
    said = f"[{section.kind}] decodes boxes: its inputs become outputs of the spec"
    net.network.left_out(said, section.span)
    net.ends.append((f"boxes_{len(net.ends) + 1}", x.name))


RULES: dict[str, Callable[[NetReader, Section, MapResult], MapResult | None]] = {
    **dict.fromkeys(("convolutional", "conv"), _convolutional),
    **dict.fromkeys(("connected", "conn"), _connected),
    **dict.fromkeys(("maxpool", "max"), _maxpool),
    **dict.fromkeys(("avgpool", "avg"), _avgpool),
    **dict.fromkeys(("softmax", "soft"), _softmax),
    **dict.fromkeys(("scale_channels", "sam"), _gate),
    **dict.fromkeys(("yolo", "Gaussian_yolo", "region", "detection"), _boxes),
    "route": _route,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "reorg": _reorg,
    "dropout": _dropout,
    "activation": _activation,
    "cost": _cost,
}
