"""Rows of a model's lists as steps: what they take, how often they repeat, and how wide they are at a scale."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.frontend.yaml_source import Map, Seq
from archspec.importing.maps import MapReader, MapResult
from archspec.importing.network import MAX_LAYERS, refused
from archspec.ir.diagnostics import Source, Span, did_you_mean, shown

SIZE = 640
"""Height and width of the images that Ultralytics counts costs for; a file says none."""
MOST = 2**31 - 1
ACTIVATIONS: dict[str, dict[str, Any] | None] = {
    "SiLU": {"silu": None},
    "ReLU": {"relu": None},
    "ReLU6": {"relu6": None},
    "LeakyReLU": {"leaky_relu": 0.01},
    "Hardswish": {"hard_swish": None},
    "Mish": {"mish": None},
    "GELU": {"gelu": None},
    "ELU": {"elu": None},
    "Identity": None,
}
"""Steps for classes of ``torch.nn``, with the arguments that these have where none are given."""


@dataclass(frozen=True, slots=True)
class ModelScale:
    """What numbers of repeats and of channels are multiplied by, and the most channels before that."""

    name: str = ""
    depth: float = 1.0
    width: float = 1.0
    most: float = math.inf


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """A row: results that it takes, its module, how often the module stands in line, and arguments behind those that
    scales change."""

    taken: list[MapResult]
    number: int
    module: str
    args: list[Any]
    span: Span

    @property
    def x(self) -> MapResult:
        """The one result that it takes. Raises SpecError (I03)."""
        if len(self.taken) != 1:
            raise refused("I03", f"{self.module} takes one result, not {len(self.taken)}", self.span)
        return self.taken[0]

    def get(self, place: int, default: Any, kind: type | tuple[type, ...] = int) -> Any:
        """An argument by its place, None where that is the default. Raises SpecError (I03)."""
        if place >= len(self.args):
            return default
        value = self.args[place]
        if value is None and default is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise refused("I03", f"argument {place + 1} of {self.module} cannot be {shown(value)}", self.span)
        if not isinstance(value, bool) and isinstance(value, (int, float)) and not 0 < value <= MOST:
            raise refused("I03", f"argument {place + 1} of {self.module} must be positive, got {value}", self.span)
        return value

    def count(self, place: int) -> int:
        """A positive number that must be there. Raises SpecError (I03)."""
        found: int | None = self.get(place, None)
        if found is None:
            raise refused("I03", f"{self.module} has no argument {place + 1}", self.span)
        return found

    def at_most(self, count: int) -> None:
        """Raises SpecError (I02) for arguments that nothing here reads."""
        if len(self.args) > count:
            said = f"{self.module} has {len(self.args)} arguments; {count} are known"
            raise refused("I02", said, self.span)


class RowReader(MapReader):
    """Reads the rows in order. ``results`` are those of all rows by number; None where a row gives boxes."""

    def __init__(self, name: str, source: Source):
        self.source = source
        self.model = _model(source)
        self.scale = _scale(self.model, name)
        super().__init__(_scaled_name(name, self.scale.name))
        self.classes = _whole(self.model, "nc", 80)
        self.is_v5 = "anchors" in self.model
        """Modules of one name differ between the two programs."""
        self.is_legacy = True
        """Heads of detectors are narrower behind rows that came with later models."""
        self.activation = self._activation()
        self.results: list[MapResult | None] = []
        self.ends: list[tuple[str, str]] = []

    def run(self, modules: Mapping[str, Rule]) -> None:
        """Read all. Raises SpecError."""
        channels = _whole(self.model, "ch", 3)
        image = MapResult("", SIZE, SIZE, channels)
        last: MapResult | None = replace(image, name=self.network.draft.input("image", image.shape))
        for part in ("backbone", "head"):
            rows = self.model[part]
            for i in range(len(rows)):
                row = self._row(rows, i, last)
                rule = modules.get(row.module)
                if rule is None:
                    hint = did_you_mean(row.module, modules)
                    raise refused("I02", f"no rule is known for the module {shown(row.module)}", row.span, hint)
                if rule.is_later:
                    self.is_legacy = False
                made = rule.apply(self, _scaled(self, row, rule))
                self.results.append(made)
                last = made
        if not self.results:
            raise refused("I01", "the network has no rows", Span(self.source, 1, 1))
        if not self.ends:
            end = next(result for result in reversed(self.results) if result is not None)
            self.ends.append(("output", end.name))
        for name, result in self.ends:
            self.network.draft.output(name, result)
        if self.scale.name:
            self.network.notes.append(f"scale {self.scale.name} of {', '.join(self.model['scales'])}")
        self.network.notes.append(f"for images of {SIZE} × {SIZE}: a file of Ultralytics says no size")

    def _row(self, rows: Seq, i: int, last: MapResult | None) -> ModuleRow:
        said, at = rows[i], rows.value_span(i)
        if not isinstance(said, Seq) or len(said) != 4:
            raise refused("I01", f"a row is [from, number, module, args], got {shown(said)}", at)
        if len(self.results) >= MAX_LAYERS:
            raise refused("I01", f"more than {MAX_LAYERS:,} rows", at)
        sources, number, module, args = said
        if not isinstance(module, str):
            raise refused("I01", f"a module is a name, got {shown(module)}", said.value_span(2))
        if type(number) is not int or not 0 < number <= MAX_LAYERS:
            raise refused("I01", f"a number of modules is positive, got {shown(number)}", said.value_span(1))
        if not isinstance(args, Seq):
            raise refused("I01", f"arguments are a list, got {shown(args)}", said.value_span(3))
        places = sources if isinstance(sources, Seq) else [sources]
        taken = [self._earlier(place, last, said.value_span(0)) for place in places]
        repeats = max(round(number * self.scale.depth), 1) if number > 1 else number
        return ModuleRow(taken, repeats, module, [self._value(arg) for arg in args], said.value_span(2))

    def _earlier(self, place: Any, last: MapResult | None, at: Span) -> MapResult:
        here = len(self.results)
        if type(place) is not int or not -max(1, here) <= place < here:
            raise refused("I03", f"{shown(place)} is not a row before this one, which is row {here}", at)
        found = last if place == -1 else self.results[place]
        if found is None:
            raise refused("I02", f"row {place} decodes boxes; no op takes them", at)
        return found

    def _value(self, value: Any) -> Any:
        """An argument, in which words of Python stand as text."""
        if isinstance(value, Seq):
            return [self._value(item) for item in value]
        if value == "nc":
            return self.classes
        if value == "anchors":
            return self._value(self.model["anchors"]) if self.is_v5 else value
        return None if value == "None" else value

    def _activation(self) -> dict[str, Any] | None:
        """What stands behind convolutions that say none. Raises SpecError (I02)."""
        said = self.model.get("activation", self.model.get("act"))
        if said is None:
            return ACTIVATIONS["SiLU"]
        key = "activation" if "activation" in self.model else "act"
        match = re.fullmatch(r"(?:torch\.)?nn\.(\w+)\((?:inplace=\w+)?\)", str(said))
        if match is None or match[1] not in ACTIVATIONS:
            known = ", ".join(f"nn.{name}()" for name in ACTIVATIONS)
            raise refused(
                "I02",
                f"no op corresponds to the activation {shown(said)}; known are {known}",
                self.model.value_span(key),
            )
        return ACTIVATIONS[match[1]]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a module becomes steps. ``scales`` says that its first argument is a number of channels, which a scale
    changes; ``repeats`` that it takes the number of modules in line itself, which else stand one behind another."""

    apply_once: Callable[[RowReader, ModuleRow], MapResult | None]
    scales: bool = False
    repeats: bool = False
    is_later: bool = False

    def apply(self, net: RowReader, row: ModuleRow) -> MapResult | None:
        """The steps of a row. Raises SpecError."""
        if self.repeats:
            return self.apply_once(net, row)
        made: MapResult | None = None
        for _ in range(row.number):
            made = self.apply_once(net, row)
            if made is None:
                return None
            row = replace(row, taken=[made])
        return made


def _scaled(net: RowReader, row: ModuleRow, rule: Rule) -> ModuleRow:
    if not rule.scales:
        return row
    return replace(row, args=[net_width(net, row.count(0)), *row.args[1:]])


def net_width(net: RowReader, channels: int) -> int:
    """Channels at the scale, a multiple of 8; a number that is that of the classes is left as it is."""
    if channels == net.classes:
        return channels
    return max(8, math.ceil(min(channels, net.scale.most) * net.scale.width / 8) * 8)


def _model(source: Source) -> Map:
    """The mapping of a file. Raises SpecError."""
    from archspec.frontend.yaml_source import read

    # Python's words for true and false are as long as YAML's: places stay.
    text = re.sub(r"\b(True|False)\b", lambda match: match[0].lower(), source.text)
    model = read(Source(source.name, text))
    start = Span(source, 1, 1)
    if isinstance(model, Map) and "archspec" in model:
        raise refused("I01", "it is a spec already", start, "archspec fmt writes a spec anew")
    if not isinstance(model, Map) or not {"backbone", "head"} <= model.keys():
        raise refused("I01", "a model of Ultralytics has the lists backbone and head", start)
    for part in ("backbone", "head"):
        if not isinstance(model[part], Seq):
            raise refused("I01", f"{part} is a list of rows, got {shown(model[part])}", model.value_span(part))
    return model


def _scale(model: Map, name: str) -> ModelScale:
    """The scale that the letters behind a name mean, or the first. Raises SpecError (I03)."""
    scales = model.get("scales")
    if scales is None:
        return ModelScale(depth=_factor(model, "depth_multiple"), width=_factor(model, "width_multiple"))
    if not isinstance(scales, Map) or not scales:
        raise refused("I03", "scales has a row for each letter", model.value_span("scales"))
    said = str(model.get("scale", _letter(name)))
    chosen = said if said in scales else next(iter(scales))
    row = scales[chosen]
    numbers = isinstance(row, Seq) and all(type(n) in (int, float) and n > 0 for n in row)
    if not numbers or len(row) != 3:
        raise refused("I03", f"a scale is [depth, width, most channels], got {shown(row)}", scales.value_span(chosen))
    return ModelScale(chosen, *row)


def _letter(name: str) -> str:
    """The letter behind the first digits of a name, as ``n`` in ``net8n`` and in ``net8n-seg``."""
    match = re.match(r"\D*\d+([a-z])(?![a-z])", name)
    return match[1] if match else ""


def _scaled_name(name: str, scale: str) -> str:
    """``net8n`` of net8 at scale n."""
    return name if _letter(name) else re.sub(r"^(\D*\d+)", rf"\1{scale}", name)


def _factor(model: Map, key: str) -> float:
    value = model.get(key, 1.0)
    if type(value) not in (int, float) or not value > 0:
        raise refused("I03", f"{key} must be a positive number, got {shown(value)}", model.value_span(key))
    return float(value)


def _whole(model: Map, key: str, default: int) -> int:
    value = model.get(key, default)
    if type(value) is not int or not 0 < value <= MOST:
        raise refused("I03", f"{key} must be a positive whole number, got {shown(value)}", model.value_span(key))
    return value
