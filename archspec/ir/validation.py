"""What pydantic refuses, said in our words: a sentence for each error, never its text or the whole input.

A field type raises ``refuse(…)``, whose words complete the sentence '<owner>.<field> …', or ``config_error(…)``,
whose words are a sentence. ``refused`` reads the errors of a model; ``translate_errors`` makes them sentences, for a
model within another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import index
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from archspec.ir.aliases import suggested
from archspec.ir.diagnostics import amount, did_you_mean, known_are, shown
from archspec.ir.patterns import Pattern


class Refused(NamedTuple):
    """One error: the path to the value, what kind it is, and the rest of a sentence about it (``must be …, got …``)."""

    path: tuple[str | int, ...]
    kind: str
    """``unknown_key``, ``missing_key``, ``unknown_name``, or ``value``."""
    message: str
    """Empty for a key that is unknown or missing, unless it is a sentence."""
    help: str | None
    value: Any
    is_sentence: bool = False
    """Whether ``message`` names the value already: it is wrong within a declaration that is itself an argument."""


def refuse(message: str, help: str | None = None) -> PydanticCustomError:
    """The error of a field type: ``message`` completes the sentence '<op>.<argument> …', e.g. 'must be …'."""
    return PydanticCustomError("argument", "{message}", {"message": message, **({"help": help} if help else {})})


def config_error(kind: str, message: str, help: str | None = None) -> PydanticCustomError:
    """An error whose message is a sentence already; ``kind`` is one of those of ``Refused``."""
    return PydanticCustomError(kind, "{message}", {"message": message, "help": help})


_KINDS = {"extra_forbidden": "unknown_key", "missing": "missing_key"}
_SENTENCES = ("unknown_key", "missing_key", "unknown_name", "value")
_WORDS = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing_size": "an integer of less than 4300 digits",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "none_required": "null",
    "string_too_short": "text that is not empty",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
}
"""What a value must be, by the type of pydantic's error."""


def refused(error: ValidationError) -> list[Refused]:
    """The errors of a model in their order; of a value that may be of several types, one for all."""
    found: dict[tuple[str | int, ...], list[Refused]] = {}
    for raw in error.errors(include_url=False):
        one = _refused(raw)
        found.setdefault(one.path, []).append(one)
    out = []
    for several in found.values():
        plain = [e for e in several if not e.is_sentence and e.message.startswith("must be ")]
        if len(plain) == len(several) > 1:
            wanted = dict.fromkeys(e.message.removeprefix("must be ").rpartition(", got ")[0] for e in several)
            helps = (e.help for e in several if e.help)
            message = f"must be {' or '.join(wanted)}, got {shown(several[0].value)}"
            out.append(several[0]._replace(message=message, help=next(helps, None)))
        else:
            out += several
    return out


def _refused(error: Any) -> Refused:
    kind, value, context = error["type"], error.get("input"), error.get("ctx") or {}
    path = tuple(part for part in error["loc"] if not _is_branch(part))
    help: str | None = context.get("help")
    if kind in _KINDS:
        # The last part is the key itself, whatever it is called.
        path = (*(part for part in error["loc"][:-1] if not _is_branch(part)), error["loc"][-1])
        return Refused(path, _KINDS[kind], "", None, value)
    if kind in _SENTENCES:
        return Refused(path, kind, context["message"], help, value, True)
    if kind == "argument":
        message = context["message"]
    elif kind == "literal_error":
        words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message, help = f"must be {'one of ' * (len(words) > 1)}{', '.join(words)}", did_you_mean(value, words)
        if help is None and not isinstance(value, str):
            help = f"{A_WORD} {words[0]}"
    elif kind in ("too_short", "too_long"):
        limit = context["min_length"] if kind == "too_short" else context["max_length"]
        message = f"must have at {'least' if kind == 'too_short' else 'most'} {amount(limit, 'item')}"
    elif kind in _WORDS:
        message = f"must be {_WORDS[kind].format(**context)}"
    else:
        message = "has a value of the wrong kind"
    if kind == "bool_type" and value in ("yes", "no", "on", "off", "Yes", "No", "On", "Off"):
        help = "archspec uses YAML 1.2 booleans: true/false"
    if kind in ("int_type", "int_from_float") and isinstance(value, float) and value.is_integer():
        help = f"write {value:.0f}"
    help = help or _in_range(kind, value, context) or _of_form(message, value)
    return Refused(path, "value", message if ", got " in message else f"{message}, got {shown(value)}", help, value)


def _in_range(kind: str, value: Any, context: dict[str, Any]) -> str | None:
    """A value that would do in place of one beyond a bound, or of another type."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "greater_than" and is_number:
        is_count = isinstance(value, int) and isinstance(context["gt"], int)
        if value < 0 and not is_count:
            return f"{-value:g}, without the minus"
        return f"{context['gt'] + 1} or more" if is_count else "a small number, such as 0.001"
    if kind in ("less_than", "less_than_equal") and is_number and context.get("lt", context.get("le")) == 1:
        share = value / (10 if value < 10 else 100)
        return f"a share of 1: {share:g}" if 2 <= value <= 100 else "a share of 1, such as 0.9"
    if kind == "less_than" and is_number and isinstance(value, int) and float(context["lt"]).is_integer():
        return f"{int(context['lt']) - 1} or less"
    if kind == "greater_than_equal" and is_number:
        return f"{context['ge']:g} or more"
    if kind in ("int_type", "float_type") and isinstance(value, str) and _is_number(value):
        return f"without quotes: {value}"
    if kind == "int_from_float" and isinstance(value, float) and abs(value) < 2**31:
        return f"write {int(value)}"
    if kind == "float_type" and isinstance(value, str) and (power := _POWER.fullmatch(value)) is not None:
        return f"a power of ten is written 1e{power[1]}"
    if kind in ("int_type", "float_type") and isinstance(value, str) and (unit := _UNIT.fullmatch(value)) is not None:
        return f"the number alone: {unit[1]}"
    if kind == "float_type" and isinstance(value, str) and (share := _PERCENT.fullmatch(value)) is not None:
        return f"a share of 1: {float(share[1]) / 100:g}"
    if kind == "float_type" and isinstance(value, str) and (both := _BOTH_WAYS.fullmatch(value)) is not None:
        return f"one number, which is meant both ways: {both[1]}"
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.isalnum():
        return "digits without quotes, such as " + ("1" if kind == "int_type" else "0.5")
    return None


A_WORD = "a word, such as"
_UNIT = Pattern(r"(-?\d{1,9}(?:\.\d{1,9})?)\s*(?:°|[A-Za-z]{2,12})")
_PERCENT = Pattern(r"(\d{1,3}(?:\.\d{1,9})?)\s*%")
_BOTH_WAYS = Pattern(r"-(\d{1,9}(?:\.\d{1,9})?)\s*(?:\.\.\.?|to|:|,)\s*\+?\1")
_POWER = Pattern(r"(?:1\s*\*\s*)?10\s*(?:\^|\*\*)\s*\(?(-?\d{1,3})\)?")
_SIZES = r"(\d{1,5})\s*[xX*×]\s*(\d{1,5})(?:\s*[xX*×]\s*(\d{1,5}))?"


def _of_form(message: str, value: object) -> str | None:
    """A value as the list, or the number of a list, that is wanted."""
    wants_list = "[" in message or message == "must be a list"
    if isinstance(value, str) and wants_list and (found := re.fullmatch(_SIZES, value)) is not None:
        return f"write [{', '.join(n for n in found.groups() if n)}]"
    if message.startswith("must be a list") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"write [{value}]"
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and message == "must be text":
        return f"write {value[0]}, without brackets"
    if isinstance(value, list) and 1 <= len(value) <= 2 and all(type(v) in (int, float) for v in value):
        if len(value) == 1:
            return f"write {value[0]}, without brackets"
        is_number = message in ("must be a number", "must be an integer")
        return f"write {max(value)}, one number" if is_number else None
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


_TYPES = ("str", "int", "float", "bool", "none")


def _is_branch(part: str | int) -> bool:
    """Whether a part of pydantic's path names one of a value's types, rather than a key of the text."""
    return isinstance(part, str) and (part in _TYPES or part.endswith("]") or part.startswith("constrained-"))


def translate_errors(error: ValidationError, model: type[BaseModel], name: str = "") -> list[InitErrorDetails]:
    """The errors of ``model``'s fields as sentences; ``name`` is what a person calls the model, ``""`` the file."""
    return [_restated(e, model, name) for e in refused(error)]


def _restated(e: Refused, model: type[BaseModel], name: str) -> InitErrorDetails:
    path, key = e.path, e.path[-1] if e.path else ""
    words = [part for part in path if isinstance(part, str)]
    owner = ".".join(filter(None, (name, *(part for part in path[:-1] if isinstance(part, str))))) or "a run file"
    if e.is_sentence:
        said = config_error(e.kind, e.message, e.help)
    elif e.kind == "unknown_key":
        fields = _fields(model, path[:-1])
        hint = suggested("parameter", key, fields, known_are(fields, key) if fields else "it takes none")
        said = config_error(e.kind, f"{owner} has no {'parameter' if name else 'key'} {shown(key)}", hint)
    elif e.kind == "missing_key":
        main = getattr(model, "main", None) if name and len(path) == 1 else None
        inner = str(key).upper() if main == key else f"{{{key}: {str(key).upper()}}}"
        word = _only(model, key) if not name else str(key).upper()
        hint = f"{{{name}: {inner}}}" if name and len(path) == 1 else f"add {key}: {word}"
        said, path = config_error(e.kind, f"{owner} needs {shown(key)}", hint), path[:-1]
    else:
        help = e.help
        if help and help.startswith("write [") and len(path) == 1:
            shown_value = help.removeprefix("write ")
            inner = shown_value if getattr(model, "main", None) == key else f"{{{key}: {shown_value}}}"
            help = f"write {{{name}: {inner}}}" if name else f"{key}: {shown_value}"
        if help and help.startswith(A_WORD) and isinstance(e.value, float) and "probability" in model.model_fields:
            help = f"{{{name}: {{probability: {e.value:g}}}}}"
        said = config_error("value", f"{'.'.join(filter(None, (name, *words)))} {e.message}", help)
    return InitErrorDetails(type=said, loc=(*((name,) if name else ()), *path), input=e.value)


def _only(model: type[BaseModel], key: object) -> str:
    """The one value that a field takes, else its name in capitals."""
    values = get_args(model.model_fields[key].annotation) if key in model.model_fields else ()
    return str(values[0]) if len(values) == 1 else str(key).upper()


def _fields(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """Names of the fields of ``model``, or of the model below it at ``path``."""
    for part in path:
        held = model.model_fields[part].annotation if part in model.model_fields else None
        inner = next((m for m in (held, *get_args(held)) if isinstance(m, type) and issubclass(m, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def must_be_integer(name: str, value: object) -> int:
    """An argument of a function that is an integer, of whatever type of them. Raises TypeError."""
    try:
        if not isinstance(value, bool):
            return index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise TypeError(f"{name} must be an integer, got {value!r}")
