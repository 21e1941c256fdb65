"""Factors of examples by their class: a list, a map by names or numbers of classes, or ``balanced``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.validation import refuse

BALANCED = "balanced"
LARGEST_CLASS_WEIGHT = 1e6


def _class_weight(value: object) -> Any:
    factors: Any = None
    if value == BALANCED:
        return value
    if isinstance(value, Mapping):
        value = {str(name): factor for name, factor in value.items()}
        factors = value.values()
    elif isinstance(value, (list, tuple)):
        factors = value = tuple(value)
    if factors is None or not all(_is_factor(factor) for factor in factors):
        raise refuse(
            f"must be 'balanced', or factors from 0 to {LARGEST_CLASS_WEIGHT:g}: a list, or a map by names of classes"
        )
    return value


def _is_factor(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LARGEST_CLASS_WEIGHT


CLASS_WEIGHT = {"type": "number", "minimum": 0, "maximum": LARGEST_CLASS_WEIGHT}
ClassWeight = Annotated[
    Any,
    BeforeValidator(_class_weight),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": BALANCED},
                {"type": "array", "items": CLASS_WEIGHT},
                {"type": "object", "additionalProperties": CLASS_WEIGHT},
            ]
        }
    ),
]


class ClassWeightError(DataError):
    """Factors do not go with the classes of the data; ``name`` is that of a class that there is not."""

    name: str | None = None


def class_factors(said: Any, features: Example, counts: Callable[[], Counter[int]], field: str) -> dict[int, float]:
    """Factor by the number of a class; ``counts`` are the training examples of each, ``field`` is whose value ``said``
    is. Raises ClassWeightError."""
    classes = features.classes or 0
    if said == BALANCED:
        found = counts()
        present = sum(1 for n in found.values() if n)
        return {k: sum(found.values()) / (present * found[k]) if found[k] else 1.0 for k in range(classes)}
    if isinstance(said, Mapping):
        numbers = [str(k) for k in range(classes)]
        names = list(features.class_names) or numbers
        # As Keras's fit takes them; classes that are called by numbers are meant by their names.
        if not {*said} & {*names} and {*said} <= {*numbers}:
            names = numbers
        for name in said:
            if name not in names:
                known = f"classes are {', '.join(names[:4])}{', …' if len(names) > 4 else ''}"
                error = ClassWeightError(
                    f"the data have no class {shown(name)}", help=did_you_mean(name, names) or known
                )
                error.name = name
                raise error
        return {k: float(said.get(name, 1.0)) for k, name in enumerate(names)}
    if len(said) != classes:
        help = "one for each class in their order, or a map by names of classes, where others have 1"
        raise ClassWeightError(f"{field} has {len(said)} values, the data have {classes} classes", help=help)
    return dict(enumerate(said))
