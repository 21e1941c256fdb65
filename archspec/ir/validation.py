"""What pydantic refuses, said in our words: a sentence for each error, never pydantic's text or the whole input."""

from __future__ import annotations

from typing import Any, NamedTuple

from archspec.ir.diagnostics import did_you_mean, shown


class Refused(NamedTuple):
    """One error: the path to the value, what kind it is, and the rest of a sentence about it (``must be …, got …``)."""

    path: tuple[str | int, ...]
    kind: str
    """``unknown`` (no such key), ``missing``, or ``value``."""
    message: str
    help: str | None
    value: Any


_WORDS = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "literal_error": "must be one of {expected}",
}


def refused(error: Any) -> list[Refused]:
    """The errors of a ``pydantic.ValidationError``, in its order."""
    return [_refused(e) for e in error.errors(include_url=False)]


def _refused(error: dict[str, Any]) -> Refused:
    kind, path, value, context = error["type"], tuple(error["loc"]), error.get("input"), error.get("ctx") or {}
    help: str | None = context.get("help")
    if kind == "extra_forbidden":
        return Refused(path, "unknown", "", None, value)
    if kind == "missing":
        return Refused(path, "missing", "", None, None)
    if kind == "argument":
        message = context["message"]
    elif kind == "literal_error":
        words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message, help = f"must be {'one of ' * (len(words) > 1)}{', '.join(words)}", did_you_mean(value, words)
    elif kind in _WORDS:
        message = _WORDS[kind].format(**context)
    else:
        message = f"is wrong ({error['msg'].lower()})"
    if kind in ("int_type", "int_from_float") and isinstance(value, float):
        help = "use // for integer division"
    if kind == "bool_type" and value in ("yes", "no", "on", "off", "Yes", "No", "On", "Off"):
        help = "archspec uses YAML 1.2 booleans: true/false"
    return Refused(path, "value", f"{message}, got {shown(value)}", help, value)
