"""Members of a kind of declaration as texts write them: ``NAME``, ``{NAME: main}`` or ``{NAME: {argument: value}}``.

The one reader of that form: arguments of ops, losses and metrics of heads, and fields of run files go through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ValidationError, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from archspec.ir import aliases
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import known_are, listed, plain, shown
from archspec.ir.json_schema import DECLARATION
from archspec.ir.patterns import Pattern
from archspec.ir.validation import config_error, refuse, translate_errors

Member = TypeVar("Member", bound=Declaration)


def declared(kind: type[Declaration], word: str) -> Any:
    """The field type of one member of a kind; ``word`` is what a person calls the kind, with its article."""
    return Annotated[
        Any,
        BeforeValidator(lambda value, info: member(kind, value, word, info)),
        WithJsonSchema({DECLARATION: kind.__name__}),
    ]


def member(kind: type[Member], value: object, word: str, info: ValidationInfo | None = None) -> Member:
    """The member that a value names, with its arguments. Raises PydanticCustomError, or ValidationError whose errors
    are sentences."""
    if isinstance(value, kind):
        return value
    context = info.context if info else None
    noun = word.split(" ", 1)[1]
    try:
        name, args = named(value, word)
    except PydanticCustomError as error:
        ours = translated(kind, value, noun, context)
        raise error if ours is None else refuse(error.context["message"], f"write {ours}") from None  # type: ignore[index]
    found = kind.find(name)
    if found is None:
        help = _joined(kind, name, context)
        is_called = args not in ({}, None) or "(" in name
        if help is None and is_called and (ours := translated(kind, value, noun, context)):
            help = f"write {ours}"
        raise unknown(name, word, kind.names(), help)
    return made(found, args, context)


TYPES = ("type", "name", "class", "class_name", "_target_", "kind", "method")
"""Keys below which other formats write what archspec writes as the one key."""
ARGUMENTS = ("args", "config", "params", "kwargs", "init_args")
"""Keys below which other formats write arguments."""


def translated(kind: type[Declaration], value: object, noun: str, context: object = None) -> str | None:
    """A member as archspec writes it, out of what other formats write: ``{type: adam, lr: 0.01}``, ``Adam(lr=0.01)``,
    ``[adam, 0.01]``, names of other libraries. None unless it can be read."""
    name, args = _split(kind, value)
    found = kind.find(aliases.same(noun, name, kind.names()) or "")
    if found is None:
        return None
    if isinstance(args, dict):
        fields = found.model_fields
        ours = {key: key if key in fields else aliases.same("parameter", key, fields) for key in args}
        if None in ours.values():
            return None
        args = {ours[key]: given for key, given in args.items()}
        if set(args) == {found.main}:
            args = args[found.main]
    for given in (args, _rising(args)):
        try:
            made(found, given, context)
        except (ValidationError, PydanticCustomError):
            continue
        args = given
        break
    else:
        return None
    text = found.name if args == {} else f"{{{found.name}: {plain(args)}}}"
    return None if "…" in text else text


def _split(kind: type[Declaration], value: object) -> tuple[str, Any]:
    """Name and arguments of a value of whatever form; ``""`` for no name."""
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and not isinstance(value[1], str):
            return value[0], value[1]
        return _split(kind, value[0]) if len(value) == 1 else ("", None)
    if isinstance(value, str):
        match = _JOINED.fullmatch(value[:200])
        if match is None:
            return value.removesuffix("()"), {}
        pairs = _PAIR.findall(match[2])
        return match[1], {k: scalar(v) for k, v in pairs} if pairs else scalar(match[2])
    if not isinstance(value, dict) or not value:
        return "", None
    if key := next((k for k in TYPES if isinstance(value.get(k), str)), None):
        rest = {k: v for k, v in value.items() if k != key}
        inner = rest.pop(next(iter(rest)), None) if len(rest) == 1 and next(iter(rest)) in ARGUMENTS else None
        return str(value[key]).rpartition(".")[2], {**(inner if isinstance(inner, dict) else {}), **rest}
    (name, args), *others = value.items()
    if others:
        found = kind.find(str(name))
        args = {found.main if found is not None else "": args, **dict(others)}
    return str(name), {} if args is None else args


def _rising(args: object) -> Any:
    """Arguments whose lists of numbers rise."""
    if isinstance(args, dict):
        return {key: _rising(value) for key, value in args.items()}
    return sorted(args) if isinstance(args, list) and all(type(v) in (int, float) for v in args) else args


_JOINED = Pattern(r"([A-Za-z_]\w{0,60})(?:\s*[:=(]\s*|\s+)([^\s():=][^()]{0,100}?)\s*\)?\s*")
_PAIR = Pattern(r"(\w{1,60})\s*[=:]\s*([^\s,=:]{1,60})")


def _joined(kind: type[Member], text: str, context: object) -> str | None:
    """What to write where a name and its value are one word, ``resize 32`` or ``adam(0.003)``, if they fit together."""
    match = _JOINED.fullmatch(text[:200])
    found = kind.find(match[1]) if match else None
    if match is None or found is None:
        return None
    pairs = _PAIR.findall(match[2])
    parts = [scalar(part) for part in re.split(r"[\s,]+", match[2].strip("[]"))]
    args: Any = {name: scalar(value) for name, value in pairs} if pairs else parts if len(parts) > 1 else parts[0]
    try:
        made(found, args, context)
    except (ValidationError, PydanticCustomError):
        return None
    inner = ", ".join(f"{name}: {plain(value)}" for name, value in args.items()) if pairs else plain(args)
    return f"write {{{match[1]}: {f'{{{inner}}}' if pairs else inner}}}: a colon stands between name and value"


def scalar(text: str) -> Any:
    """A number or truth value out of its text, else the text."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def named(value: object, word: str) -> tuple[str, Any]:
    """Split ``NAME`` or ``{NAME: arguments}`` into name and arguments."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict) and len(value) == 1:
        (name, args), *_ = value.items()
        if isinstance(name, str):
            return name, {} if args is None else args
    alone = value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else None
    raise refuse(f"must be the name of {word}, or {{name: arguments}}", alone and f"one, without brackets: {alone}")


def unknown(name: str, word: str, known: Iterable[str], help: str | None = None) -> PydanticCustomError:
    """The error of a name that is no member's; the help is what is suggested, unless another is given."""
    noun = word.split(" ", 1)[1]
    return config_error("unknown_name", f"there is no {noun} {shown(name)}", help or suggested(name, noun, known))


def suggested(name: str, noun: str, known: Iterable[str]) -> str:
    """What to write instead of a name that is no ``noun``'s."""
    known = tuple(known)
    return aliases.suggested(noun, name, known) or known_are(known, name)


def made(found: type[Member], args: object, context: object = None) -> Member:
    """The member with its arguments; a value that is no map is its main argument. Raises as ``member`` does."""
    if not isinstance(args, dict):
        if found.main is None:
            hint = _by_name(found, args, context) if found.model_fields else f"write {found.name}"
            raise config_error("value", f"{found.name} takes no single value, got {shown(args)}", hint)
        args = {found.main: args}
    try:
        return found.model_validate(args, context=context)
    except ValidationError as error:
        # Pydantic puts the outer fields' names before these places, so they must be the text's own.
        raise ValidationError.from_exception_data(found.name, translate_errors(error, found, found.name)) from None


def _by_name(found: type[Member], value: object, context: object) -> str:
    """How arguments are given to what takes none alone."""
    if (told := aliases.alias(f"{found.name} value", plain(value).replace(".", "_"))) is not None:
        return told
    required = [name for name, field in found.model_fields.items() if field.is_required()]
    if not required:
        if (given := _in_order(found, value, context)) is not None:
            return f"write {{{found.name}: {given}}}"
        return f"write {found.name} alone; what else it takes goes by name: {listed(found.model_fields)}"
    field = _taking(found, value, context)
    given = ", ".join(f"{name}: {plain(value) if name == field else '…'}" for name in required)
    return f"write {{{found.name}: {{{given}}}}}"


def _in_order(found: type[Member], value: object, context: object) -> str | None:
    """A value, or a list of several, as the first arguments by name; None where they do not take it."""
    values = value if isinstance(value, list) else [value]
    if not values or len(values) > len(found.model_fields) or any(isinstance(v, (bool, str)) for v in values):
        return None
    args = dict(zip(found.model_fields, values, strict=False))
    try:
        made(found, args, context)
    except (ValidationError, PydanticCustomError):
        return None
    return plain(args)


def _taking(found: type[Declaration], value: object, context: object) -> str | None:
    """The first argument that takes a value by itself."""
    for field in found.model_fields:
        try:
            found.model_validate({field: value}, context=context)
        except ValidationError:
            continue
        return field
    return None
