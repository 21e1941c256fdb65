"""Field types that several ops share, and what the ops make of them. Each type normalises its forms once and has one
message when the value is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from archspec.ir.reading import made, member, named, translated, unknown
from archspec.ir.validation import refuse

if TYPE_CHECKING:
    pass

MAX_WIDTH = 2**24
"""Largest number of filters, units or vocabulary entries (a limit against typing errors and hostile files)."""

Width = Annotated[int, Field(gt=0, le=MAX_WIDTH)]
"""A number of filters, units or entries."""

PositiveInt = Annotated[int, Field(gt=0, le=2**31)]
Rate = Annotated[float, Field(ge=0, lt=1)]
"""A probability of dropping: 0 ≤ rate < 1."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole."""
Epsilon = Annotated[float, Field(gt=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
"""A finite number."""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def integers(least: int, most: int, count: int, words: str) -> Any:
    """The reader of an integer, or of a list of up to ``count``, as a tuple; ``words`` refuse all else."""

    def read(value: Any) -> tuple[int, ...]:
        values = value if isinstance(value, (list, tuple)) else [value]
        if 1 <= len(values) <= count and all(_is_int(v) and least <= v <= most for v in values):
            return tuple(values)
        raise refuse(words)

    return PlainValidator(read)


ONE_OR_MORE = WithJsonSchema(
    {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}
)
"""What stands beside ``integers`` in a type."""


def _sizes(value: Any) -> int | tuple[int, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not 1 <= len(values) <= 3 or not all(_is_int(v) and 0 < v <= 2**31 for v in values):
        numbers = values if all(_is_int(v) for v in values) and len(values) <= 3 else []
        raise refuse(
            "must be a positive integer, or a list of one per axis",
            "1 or more" if numbers and min(numbers) < 1 else None,
        )
    return tuple(values) if isinstance(value, (list, tuple)) else value


Sizes = Annotated[
    int | tuple[int, ...],
    PlainValidator(_sizes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 3},
            ]
        }
    ),
]
"""A size for every axis (``3``) or one per axis (``[1, 7]``)."""


def _offsets(value: Any) -> int | tuple[int, ...]:
    values = value if isinstance(value, (list, tuple)) else [value]
    if not 1 <= len(values) <= 3 or not all(_is_int(v) and 0 <= v <= 2**20 for v in values):
        raise refuse("must be a non-negative integer, or a list of one per axis")
    return tuple(values) if isinstance(value, (list, tuple)) else value


Offsets = Annotated[
    int | tuple[int, ...],
    PlainValidator(_offsets),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 3},
            ]
        }
    ),
]
"""Like Sizes, but zero counts."""


def _padding(value: Any) -> str | int | tuple[tuple[int, int], ...]:
    if value in ("same", "valid") and isinstance(value, str):
        return value
    if _is_int(value) and 0 <= value <= 2**20:
        return int(value)
    if isinstance(value, (list, tuple)) and 1 <= len(value) <= 3:
        pairs = [v if isinstance(v, (list, tuple)) else (v, v) for v in value]
        if all(len(p) == 2 and all(_is_int(n) and 0 <= n <= 2**20 for n in p) for p in pairs):
            return tuple((p[0], p[1]) for p in pairs)
    word = value.strip().lower() if isinstance(value, str) else ""
    hint = f"write {word}" if word in ("same", "valid") else "same, valid, or 1 for one on every side" if word else None
    if word == "causal":
        hint = "of a sequence: [[n, 0]], where n is (kernel - 1) * dilation"
    raise refuse("must be same, valid, an integer, or a list of one integer or [before, after] pair per axis", hint)


Padding = Annotated[
    str | int | tuple[tuple[int, int], ...],
    PlainValidator(_padding),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["same", "valid"]},
                {"type": "integer", "minimum": 0},
                {
                    "type": "array",
                    "items": {
                        "anyOf": [
                            {"type": "integer", "minimum": 0},
                            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
                        ]
                    },
                    "minItems": 1,
                    "maxItems": 3,
                },
            ]
        }
    ),
]
"""``same`` (TensorFlow's: an odd row goes to the end), ``valid``, ``n`` on every side, or per axis ``n`` or
``[before, after]``."""


def _any_activation(value: object) -> Any:
    from archspec.ops.base import Op

    if isinstance(value, Op):
        return value
    name, args = named(value, "an activation")
    op = Op.find(name)
    if op is None or not op.is_activation:
        ours = translated(Op, name, "activation") if "(" in name else None
        raise unknown(name, "an activation", [o.name for o in Op.all() if o.is_activation], ours and f"write {ours}")
    return made(op, args)


def _activation(value: object) -> Any:
    op = _any_activation(value)
    if not hasattr(op, "function"):
        why = "changes the channels" if "weights" not in type(op).__dict__ else "has weights"
        raise refuse(f"cannot be {op.name}, which {why}: put it in a step of its own")
    return op


_ACTIVATION_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}]}
)
Activation = Annotated[Any, BeforeValidator(_activation), _ACTIVATION_SCHEMA]
"""An activation op, written as its name or a one-op map: ``relu``, ``{leaky_relu: 0.1}``. None with weights."""

AnyActivation = Annotated[Any, BeforeValidator(_any_activation), _ACTIVATION_SCHEMA]
"""An activation op that becomes a step of its own: weights are allowed."""


def _weight_rule(module: str, kind_name: str, word: str) -> Any:
    """The reader of an argument that is a declaration of another kind, which is imported when one is given."""

    def read(value: object) -> Any:
        from importlib import import_module

        return value if value is None else member(getattr(import_module(module), kind_name), value, word)

    return PlainValidator(read)


_DECLARED_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}, {"type": "null"}]}
)
Initializer = Annotated[
    Any, _weight_rule("archspec.ops.initializer", "Initializer", "an initializer"), _DECLARED_SCHEMA
]
"""What a weight is before training: ``he_normal``, ``{normal: 0.01}``, ``{constant: -4.6}``; null is Keras's."""

Regularizer = Annotated[Any, _weight_rule("archspec.ops.regularizer", "Regularizer", "a regularizer"), _DECLARED_SCHEMA]
"""What of a weight is added to the loss in training: ``{l2: 0.0001}``."""

Constraint = Annotated[Any, _weight_rule("archspec.ops.constraint", "Constraint", "a constraint"), _DECLARED_SCHEMA]
"""What a weight is brought to after every step: ``{max_norm: 3}``."""


RULES = ("_initializer", "_regularizer", "_constraint")
"""Endings of the names of arguments that say something of one of a layer's weights."""


def weight_rules(op: Any, kernel: str = "kernel") -> dict[str, Any]:
    """Keras's arguments for the initialisers, regularisers and constraints of an op, under the op's own names;
    ``kernel`` is what Keras calls the kernel."""
    given = {name: getattr(op, name) for name in type(op).model_fields if name.endswith(RULES)}
    named = {
        f"{kernel}_{name.removeprefix('kernel_')}" if name.startswith("kernel_") else name: given[name]
        for name in given
    }
    return {name: rule.lower() for name, rule in named.items() if rule is not None}
