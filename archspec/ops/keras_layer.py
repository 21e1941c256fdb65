"""Layers of Keras's that need no op: named by their class, with Keras's own arguments.

Which there are, what they take and by which rule their shape and weights follow stands in a table that
``tools/keras_layers.py`` makes of Keras; it is read without Keras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import InitErrorDetails

from archspec.ir.aliases import same, suggested
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, listed, shown
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import config_error, refuse, refused
from archspec.ops.arguments import Activation, Constraint, Initializer, Number, Regularizer
from archspec.ops.base import Op, OpError
from archspec.ops.keras_rules import FAMILIES, LayerRules, takes
from archspec.ops.keras_rules.call import Call
from archspec.ops.masks import refused as no_mask
from archspec.ops.reach import Axes, each_element

if TYPE_CHECKING:
    import keras


class LayerEntry(NamedTuple):
    """One layer of the table."""

    family: str
    arguments: Mapping[str, list[Any]]
    """By name: the type, and the default where there is one."""
    is_random: bool = False


class LayerTable(NamedTuple):
    """All of it: layers that a spec may name, further names of them, and why the others are none."""

    layers: Mapping[str, LayerEntry]
    others: Mapping[str, str]
    refused: Mapping[str, str]


@cache
def table() -> LayerTable:
    """The table, read once."""
    path = Path(__file__).with_name("keras_layers.json")
    read = json.loads(path.read_text(encoding="utf-8"))
    return LayerTable(
        {name: LayerEntry(**row) for name, row in read["layers"].items()}, read["others"], read["refused"]
    )


def op_instead(layer: str) -> str | None:
    """The op that is this layer."""
    return same("op", layer, Op.names())


def _layer(value: object) -> str:
    known = table()
    if not isinstance(value, str):
        raise refuse(
            f"must be the name of a layer of keras.layers, got {shown(value)}", "keras: {layer: EinsumDense, …}"
        )
    name = known.others.get(value, value)
    if name in known.layers:
        return name
    ours = op_instead(name)
    if (why := known.refused.get(name)) is not None:
        raise config_error("value", f"keras.layers.{name} {why}", f"write {ours}" if ours else None)
    near = did_you_mean(value, [*known.layers, *known.others])
    raise config_error("unknown_name", f"there is no layer {shown(value)} of Keras that a spec can name", near)


LayerName = Annotated[str, PlainValidator(_layer), WithJsonSchema({"type": "string"})]


def _whole(value: object, most: int = 2**31) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= most


def _nested(value: object, depth: int = 2) -> Any:
    """Integers, as tuples; None for anything else."""
    if _whole(value):
        return value
    if isinstance(value, (list, tuple)) and value and depth and len(value) <= 16:
        found = tuple(_nested(item, depth - 1) for item in value)
        return None if None in found else found
    return None


def _sizes(value: object) -> Any:
    found = _nested(value)
    if found is None:
        raise refuse("must be an integer, or a list of integers")
    return found


def _open_sizes(value: Any) -> Any:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or len(values) > 16 or not all(v is None or (_whole(v) and v > 0) for v in values):
        raise refuse("must be a positive integer, or a list of them, with null for what the input says")
    return tuple(values) if isinstance(value, (list, tuple)) else value


def _numbers(value: object) -> Any:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or not all(
        isinstance(v, (int, float)) and abs(v) < 1e300 and not isinstance(v, bool) for v in values
    ):
        raise refuse("must be a number, or a list of numbers")
    return tuple(values) if isinstance(value, (list, tuple)) else value


def _shape(value: object) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not all(v is None or (_whole(v) and v > 0) for v in value):
        raise refuse("must be a list of sizes without the batch, null for an open one")
    return tuple(value)


Stated = Annotated[
    tuple[int | None, ...] | None,
    PlainValidator(_shape),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": ["integer", "null"]}}, {"type": "null"}]}),
]

_TYPES: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "number": Number,
    "text": Annotated[str, Field(max_length=256)],
    "sizes": Annotated[Any, PlainValidator(_sizes)],
    "open_sizes": Annotated[Any, PlainValidator(_open_sizes)],
    "numbers": Annotated[Any, PlainValidator(_numbers)],
    "activation": Activation,
    "initializer": Initializer,
    "regularizer": Regularizer,
    "constraint": Constraint,
}


@cache
def arguments_of(layer: str) -> type[BaseModel]:
    """What a layer of the table takes, as a model."""
    fields: dict[str, Any] = {}
    for name, (kind, *default) in table().layers[layer].arguments.items():
        taken = Literal[tuple(kind)] if isinstance(kind, (list, tuple)) else _TYPES[kind]
        if not default:
            fields[name] = (taken, ...)
        else:
            fields[name] = (taken | None if default[0] is None else taken, _tuples(default[0]))
    return create_model(layer, __config__=ConfigDict(frozen=True, strict=True, extra="forbid"), **fields)


def _tuples(value: object) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


class KerasLayer(Op, name="keras", main="layer"):
    """A layer of ``keras.layers`` by its name, with Keras's own arguments beside it: ``keras: {layer: EinsumDense,
    equation: 'abc,cd->abd', output_shape: [null, 64]}``.

    For layers that archspec has no op for; where it has one, that one says more: what it costs, what it reads, what
    PyTorch calls it. Shape and parameters follow from the arguments without Keras, and compiling compares them with
    Keras's. What the layer costs is not known: totals are then lower bounds. It takes one tensor, refuses masks, and
    counts as reading all of its input. Arguments of Keras that count axes count the batch, as they do there.
    """

    model_config = ConfigDict(extra="allow")

    of_keras = True

    layer: LayerName
    """A class of ``keras.layers`` that gives one tensor for one, such as EinsumDense or Discretization."""
    shape: Stated = None
    """The output's shape without the batch, where no rule is known; where one is, the two are compared."""

    @property
    def called(self) -> str:
        return f"{self.layer} of keras"

    @classmethod
    def parameters(cls, given: object) -> Mapping[str, Any]:
        own: Mapping[str, Any] = super().parameters(given)
        layer = given.get("layer") if isinstance(given, dict) else given
        name = table().others.get(layer, layer) if isinstance(layer, str) else ""
        if name in table().layers:
            return {**own, **table().layers[name].arguments}
        # Which arguments there are is not known: the layer is what is wrong, or an expression.
        return {**own, **dict.fromkeys(given if isinstance(given, dict) else ())}

    @model_validator(mode="before")
    @classmethod
    def _arguments(cls, value: object) -> Any:
        if not isinstance(value, dict) or "layer" not in value:
            return value
        own = {name: value[name] for name in ("layer", "shape") if name in value}
        try:
            layer = _layer(value["layer"])
        except ValueError:
            return own  # the field says what is wrong
        model = arguments_of(layer)
        given = {name: v for name, v in value.items() if name not in own}
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.name, [_restated(layer, model, e) for e in refused(error)]
            ) from None
        return {**own, **{name: getattr(made, name) for name in given}}

    @property
    def instead(self) -> str | None:
        return op_instead(self.layer)

    def call(self, x: TensorSpec) -> Call:
        """The layer, all of its arguments, and the input."""
        defaults = {name: field.default for name, field in arguments_of(self.layer).model_fields.items()}
        return Call(self.layer, {**defaults, **(self.model_extra or {})}, x)

    @property
    def family(self) -> LayerRules:
        """The rules that the layer follows."""
        return FAMILIES[table().layers[self.layer].family]

    @property
    def applied(self) -> Op | None:
        found = (self.model_extra or {}).get("activation") if self.family.activates else None
        return found if isinstance(found, Op) else None

    def infer(self, x: TensorSpec) -> TensorSpec:
        call, family = self.call(x), self.family
        takes(call, family)
        if family.is_stated and self.shape is not None:
            return TensorSpec(self.shape)
        out = family.infer(call)
        if self.shape is not None and self.shape != out.shape:
            message = f"{self.layer} of {x} gives {out}, not {TensorSpec(self.shape)}"
            raise OpError(message, argument="shape", help=f"shape: {listed_shape(out)}, or leave it out")
        if self.applied is not None:
            out = TensorSpec(self.applied.infer(out).shape, out.dtype)  # type: ignore[union-attr]
        return out

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return self.family.weights(self.call(x))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return each_element(self, x) if self.family.is_pointwise else (None,)

    def masked(self, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
        return super().masked(covered, *inputs) if self.family.is_pointwise else no_mask(self, covered, *inputs)

    def is_random(self) -> bool:
        given = self.model_extra or {}
        rates = any(given.get(name) for name in ("dropout", "recurrent_dropout"))
        return table().layers[self.layer].is_random or rates

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        cls = getattr(keras.layers, self.layer, None)
        if cls is None:
            raise OpError(f"Keras {keras.__version__} has no layer {self.layer}", argument="layer")
        given = {name: _lowered(value) for name, value in (self.model_extra or {}).items()}
        layer: keras.Layer = cls(**{**given, **self.family.settled(self.call(x))})
        return layer


def listed_shape(spec: TensorSpec) -> str:
    """A shape as a spec writes it."""
    return f"[{', '.join('null' if n is None else str(n) for n in spec.shape)}]"


def _lowered(value: object) -> Any:
    if isinstance(value, Op):
        return value.function()  # type: ignore[attr-defined]
    return value.lower() if isinstance(value, Declaration) else value  # type: ignore[attr-defined]


def _restated(layer: str, model: type[BaseModel], e: Any) -> InitErrorDetails:
    """An error of an argument as a sentence."""
    key = str(e.path[0]) if e.path else ""
    loc: tuple[str, ...] = (key,)
    if e.is_sentence:
        said = config_error(e.kind, e.message, e.help)
    elif e.kind == "unknown_key":
        names = [*model.model_fields, "shape"]
        hint = suggested("parameter", key, names, f"it has {listed(names)}")
        said = config_error(e.kind, f"{layer} has no parameter {shown(key)}", hint)
    elif e.kind == "missing_key":
        said = config_error(e.kind, f"{layer} needs parameter '{key}'", f"keras: {{layer: {layer}, {key}: …}}")
        loc = ()
    else:
        said = config_error("value", f"{layer}.{key} {e.message}", e.help)
    return InitErrorDetails(type=said, loc=loc, input=e.value)
