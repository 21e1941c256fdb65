"""What a training step is given: arrays of the data, objects of pictures, and what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archspec.frontend.inputs import inputs_of
from archspec.frontend.references import number
from archspec.frontend.refusal import Refusal
from archspec.frontend.scope import POISON, Bundle, StepResult
from archspec.frontend.walk import Place, Walk
from archspec.frontend.yaml_source import Map, only
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Tensor
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import Drawn, ObjectsInput

DRAWS = ("normal", "uniform", "label")
DRAW_NAMES = {
    **dict.fromkeys(("gaussian", "gauss", "randn", "noise", "random_normal", "standard_normal"), "normal"),
    **dict.fromkeys(("random", "rand", "random_uniform"), "uniform"),
    **dict.fromkeys(("labels", "class", "classes", "categorical", "randint", "one_hot"), "label"),
}
"""What other libraries call the draws."""
OBJECTS, MASKS = "objects", "masks"
KINDS = (*DRAWS, OBJECTS)
MOST = 100
"""Objects of a picture, where a file does not say how many there are at most."""


@dataclass(slots=True)
class GivenInputs:
    """Tensors by name, what each input is where steps name it, and how those come about that are no arrays of data."""

    specs: dict[str, TensorSpec] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    drawn: dict[str, Drawn] = field(default_factory=dict)
    objects: dict[str, ObjectsInput] = field(default_factory=dict)

    def add(self, name: str, spec: TensorSpec | None) -> None:
        """An input that is one tensor; None for one that is wrong."""
        self.values[name] = POISON if spec is None else StepResult(Tensor(name), spec)
        if spec is not None:
            self.specs[name] = spec

    def add_objects(self, name: str, objects: ObjectsInput) -> None:
        """An input of the objects of a picture, whose tensors go by name."""
        self.objects[name] = objects
        tensors = {port: (f"{name}.{port}", spec) for port, spec in objects.ports().items()}
        self.specs |= dict(tensors.values())
        held: dict[Any, Any] = {port: StepResult(Tensor(n), spec) for port, (n, spec) in tensors.items()}
        if MASKS in held:
            # A mask is found by its place: who is given masks is given these as well.
            held[MASKS] = Bundle({port: held.pop(port) for port in (MASKS, "places")})
        self.values[name] = Bundle(held)


def given_inputs(walk: Walk, section: Map | None, outside: Place) -> GivenInputs:
    """The inputs of a training step in their order."""
    out = GivenInputs()
    for name in section or ():
        assert section is not None
        raw = section[name]
        kind = next((k for k in KINDS if isinstance(raw, Map) and k in raw), None)
        if kind == OBJECTS:
            objects = walk.attempt(_objects, raw, outside)
            if objects is POISON:
                out.add(name, None)
            else:
                out.add_objects(name, objects)
        elif kind is None:
            _add_array(walk, section, name, outside, out)
        else:
            made = walk.attempt(_drawn, walk, raw, kind, outside)
            spec, drawn = (None, None) if made is POISON else made
            out.add(name, spec)
            if drawn is not None:
                out.drawn[name] = drawn
    return out


def _add_array(walk: Walk, section: Map, name: str, outside: Place, out: GivenInputs) -> None:
    raw = section[name]
    key = next((k for k in raw if k in DRAW_NAMES or did_you_mean(k, KINDS)), None) if isinstance(raw, Map) else None
    if key is None:
        out.add(name, inputs_of(walk, only(section, name), outside)[name])
        return
    meant = DRAW_NAMES.get(key)
    hint = f"did you mean '{meant}'?" if meant else did_you_mean(key, KINDS)
    walk.report("S01", f"an input has no key '{key}'", raw.key_span(key), hint)
    out.add(name, None)


def _objects(raw: Map, outside: Place) -> ObjectsInput:
    """The objects of a picture, of so many classes, up to so many. Raises Refusal, Poisoned."""
    known = (OBJECTS, "most", MASKS)
    for key in raw:
        if key not in known:
            hint = did_you_mean(key, known) or f"known are {', '.join(known)}"
            raise Refusal("S01", f"an input of objects has no key '{key}'", raw.key_span(key), hint)
    classes, most = (number(raw.get(key, MOST), raw, key, outside) for key in (OBJECTS, "most"))
    for key, value, highest in ((OBJECTS, classes, 2**20), ("most", most, 10_000)):
        if not value.is_integer() or not 1 <= value <= highest:
            what = "a number of classes" if key == OBJECTS else "how many objects a picture has at most"
            raise Refusal("T01", f"{key} is {what}, 1 to {highest}, got {shown(raw[key])}", raw.value_span(key))
    text = str(raw[OBJECTS]).removeprefix("=").strip()
    parameter = text if text in outside.scope.frame.constants else None
    return ObjectsInput(int(classes), int(most), parameter, _image_size(raw, outside) if MASKS in raw else None)


def _image_size(raw: Map, outside: Place) -> tuple[int, int]:
    """Height and width of the image that masks lie on. Raises Refusal, Poisoned."""
    given = raw[MASKS]
    sides = [given] if not isinstance(given, list) else list(given)
    is_size = len(sides) in (1, 2) and not any(isinstance(side, bool) for side in sides)
    found = [number(side, raw, MASKS, outside) for side in sides] if is_size else []
    if not found or not all(n.is_integer() and 1 <= n <= 2**16 for n in found):
        message = f"masks is the height and width of the image that they lie on, got {shown(given)}"
        raise Refusal("T01", message, raw.value_span(MASKS), "masks: [480, 640], or masks: 64 for both")
    return int(found[0]), int(found[-1])


def _drawn(walk: Walk, raw: Map, kind: str, outside: Place) -> tuple[TensorSpec | None, Drawn]:
    known = (kind, "low", "high") if kind == "uniform" else (kind,)
    for key in raw:
        if key not in known:
            raise Refusal("S01", f"an input of {kind} has no key '{key}'", raw.key_span(key), did_you_mean(key, known))
    if kind == "label":
        classes = number(raw[kind], raw, kind, outside)
        if not classes.is_integer() or not 1 < classes <= 2**24:
            message = f"label must be a number of classes, 2 or more, got {shown(raw[kind])}"
            raise Refusal("T01", message, raw.value_span(kind), "label: 10")
        return TensorSpec((), "int32"), Drawn("label", classes=int(classes))
    (spec,) = inputs_of(walk, only(raw, kind), outside).values()
    if spec is not None and None in spec.shape:
        raise Refusal("T01", f"what is drawn needs all its sizes, got {spec}", raw.value_span(kind))
    if kind == "normal":
        return spec, Drawn("normal")
    low, high = (number(raw.get(key, usual), raw, key, outside) for key, usual in (("low", 0.0), ("high", 1.0)))
    if not low < high:
        raise Refusal("T01", f"low must be below high, got {low:g} and {high:g}", raw.value_span(kind))
    return spec, Drawn("uniform", low, high)
