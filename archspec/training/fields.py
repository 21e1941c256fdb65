"""What fields of a run file's sections take, where that is more than a number or a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from archspec.data.arguments import Items
from archspec.data.source import DataPath
from archspec.ir.validation import config_error, refuse, translate_errors
from archspec.ops.arguments import PositiveInt
from archspec.training.optimizers import LearningRate

STRICT = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)


def named_values(value: object) -> Any:
    """A map whose keys are names."""
    if not isinstance(value, dict):
        words = value if isinstance(value, list) else [value]
        text = ", ".join(word[:200] for word in words[:20] if isinstance(word, str))
        pairs = re.findall(r"(\w+)\s*[=:]\s*([^\s,=]+)", text)
        hint = f"set: {{{', '.join(f'{name}: {given}' for name, given in pairs)}}}" if pairs else None
        raise refuse("must be a map of names and values", hint)
    return dict(value)


def parameter_values(value: Any) -> Any:
    """A map whose keys are parameters of a spec."""
    value = named_values(value)
    for key in value:
        if not str(key).isidentifier():
            pair = re.fullmatch(r"(\w+)\s*[=:]\s*(\S.*)", str(key)[:200])
            hint = f"set: {{{pair[1]}: {pair[2]}}}" if pair is not None else "set: {width: 32}"
            raise refuse(f"must be a map of names and values, got the name '{str(key)[:40]}'", hint)
    return value


def _draws(value: object) -> Any:
    if isinstance(value, bool) or (isinstance(value, int) and value > 0):
        return value
    raise refuse("must be true, false, or a number of draws")


Draws = Annotated[bool | int, BeforeValidator(_draws), WithJsonSchema({"type": ["boolean", "integer"]})]
Momentum = Annotated[float, Field(gt=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=1e6)]


def _origins(value: object, info: ValidationInfo) -> Any:
    """One file, or files by the name that their layers stand below."""
    if not isinstance(value, Mapping):
        return TypeAdapter(DataPath).validate_python(value, context=info.context)
    if not value:
        raise refuse("must be a file, or a map of names of layers and files")
    return {str(k): TypeAdapter(DataPath).validate_python(v, context=info.context) for k, v in value.items()}


Weights = Annotated[
    Path | dict[str, Path] | None,
    BeforeValidator(lambda v, i: v if v is None else _origins(v, i)),
    WithJsonSchema({"type": ["string", "object", "null"]}),
]


class Clip(BaseModel):
    """Limits of gradients; one of the three."""

    model_config = STRICT

    value: LearningRate | None = None
    """Largest magnitude of an element."""
    norm: LearningRate | None = None
    """Largest length of a weight's gradient."""
    global_norm: LearningRate | None = None
    """Largest length of all gradients together."""

    @model_validator(mode="after")
    def _one(self) -> Clip:
        if sum(v is not None for v in (self.value, self.norm, self.global_norm)) != 1:
            raise config_error("value", "clip takes one of value, norm, global_norm")
        return self


BATCH, MODEL = "batch", "model"
"""Axes of the mesh of devices."""


def _layout(value: object) -> dict[str, tuple[str | None, ...]]:
    if not isinstance(value, dict):
        raise refuse("must be a map of patterns and axes")
    out = {}
    for pattern, axes in value.items():
        if not isinstance(axes, (list, tuple)) or not all(axis in (None, BATCH, MODEL) for axis in axes):
            raise refuse(f"a weight's axes are a list, of {MODEL} for one that is divided and null for one that is not")
        out[pattern] = tuple(axes)
    return out


class Sharding(BaseModel):
    """Weights that are divided among devices, on JAX."""

    model_config = STRICT

    model: Annotated[int, Field(ge=2)]
    """Devices among which weights are divided; each such group has a part of every batch."""
    layout: Annotated[dict[str, Any], BeforeValidator(_layout)]
    """By regular expression over weights' paths (``hidden/kernel``): what each axis is divided by, ``model`` or null.
    Weights that none matches are on every device."""

    @model_validator(mode="after")
    def _some(self) -> Sharding:
        if not self.layout:
            raise config_error("value", "layout names no weights")
        return self


Pattern = Annotated[str, Field(min_length=1)]


class Stage(BaseModel):
    """Layers that are frozen at first."""

    model_config = STRICT

    layers: Annotated[
        tuple[Pattern, ...],
        BeforeValidator(lambda v: _several(v)),
        Field(min_length=1),
        WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 1}),
    ]
    """Names, parts of a path, or ``*`` patterns; one or a list."""
    until: PositiveInt
    """Epochs after which they are trained, too."""


def _several(value: object) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _item(value: object, info: ValidationInfo) -> Any:
    """A pattern, for good, or a stage."""
    if isinstance(value, Stage) or (isinstance(value, str) and value):
        return value
    if not isinstance(value, dict):
        raise refuse("must be the name of a layer, or {layers: …, until: …}")
    try:
        return Stage.model_validate(dict(value), context=info.context)
    except ValidationError as error:
        # The words name the section; the place has it already.
        said = [{**one, "loc": one["loc"][1:]} for one in translate_errors(error, Stage, "freeze")]
        raise ValidationError.from_exception_data("freeze", said) from None  # type: ignore[arg-type]


Freeze = Annotated[
    Items[Annotated[Any, BeforeValidator(_item)]],
    BeforeValidator(lambda v: [v] if isinstance(v, (str, dict, Stage)) else v),
    WithJsonSchema(
        {
            "type": ["string", "object", "array"],
            "items": {"anyOf": [{"type": "string"}, Stage.model_json_schema()]},
        }
    ),
]
"""Layers to freeze: names for good, stages for a while; one or a list."""
