"""Members of a kind of declaration as texts write them: ``NAME``, ``{NAME: main}`` or ``{NAME: {argument: value}}``.

The one reader of that form: arguments of ops, losses and metrics of heads, and fields of run files go through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ValidationError, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import plain, shown
from archspec.ir.json_schema import DECLARATION
from archspec.ir.validation import refuse, restated, told

Member = TypeVar("Member", bound=Declaration)


def declared(kind: type[Declaration], word: str) -> Any:
    """The field type of one member of a kind; ``word`` is what a person calls the kind, with its article."""
    return Annotated[
        Any,
        BeforeValidator(lambda value, info: member(kind, value, word, info)),
        WithJsonSchema({DECLARATION: kind.__name__}),
    ]


def member(kind: type[Member], value: Any, word: str, info: ValidationInfo | None = None) -> Member:
    """The member that a value names, with its arguments. Raises PydanticCustomError, or ValidationError whose errors
    are sentences."""
    if isinstance(value, kind):
        return value
    name, args = named(value, word, kind)
    found = kind.find(name)
    if found is None:
        joined = _joined(kind, name, info.context if info else None)
        if joined is not None:
            noun = word.split(" ", 1)[1]
            raise told("unknown_name", f"there is no {noun} {shown(name)}", joined)
        raise unknown(name, word, kind.names())
    return made(found, args, info.context if info else None)


_JOINED = re.compile(r"([A-Za-z_]\w{0,60})(?:\s*[:=(]\s*|\s+)([^\s():=][^()]{0,100}?)\s*\)?\s*")
_PAIR = re.compile(r"(\w{1,60})\s*[=:]\s*([^\s,=:]{1,60})")


def _joined(kind: type[Member], text: str, context: Any) -> str | None:
    """What to write where a name and its value are one word, ``resize 32`` or ``adam(0.003)``, if they fit together."""
    match = _JOINED.fullmatch(text[:200])
    found = kind.find(match[1]) if match else None
    if match is None or found is None:
        return None
    pairs = _PAIR.findall(match[2])
    parts = [_scalar(part) for part in re.split(r"[\s,]+", match[2].strip("[]"))]
    args: Any = {name: _scalar(value) for name, value in pairs} if pairs else parts if len(parts) > 1 else parts[0]
    try:
        made(found, args, context)
    except (ValidationError, PydanticCustomError):
        return None
    inner = ", ".join(f"{name}: {plain(value)}" for name, value in args.items()) if pairs else plain(args)
    return f"a colon stands between name and value: {{{match[1]}: {f'{{{inner}}}' if pairs else inner}}}"


def _scalar(text: str) -> Any:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def named(value: Any, word: str, kind: type[Declaration] | None = None) -> tuple[str, Any]:
    """Split ``NAME`` or ``{NAME: arguments}`` into name and arguments."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, dict) and len(value) == 1:
        (name, args), *_ = value.items()
        if isinstance(name, str):
            return name, {} if args is None else args
    if isinstance(value, dict) and len(value) > 1:
        (name, main), *others = value.items()
        found = kind.find(name) if kind is not None and isinstance(name, str) else None
        if found is not None and found.main and all(other in found.model_fields for other, _ in others):
            inner = ", ".join(f"{k}: {plain(v)}" for k, v in {found.main: main, **dict(others)}.items())
            hint = f"arguments stand within: {{{name}: {{{inner}}}}}"
            raise refuse(f"must be the name of {word}, or {{name: arguments}}", hint)
    raise refuse(f"must be the name of {word}, or {{name: arguments}}")


def unknown(name: str, word: str, known: Iterable[str]) -> PydanticCustomError:
    """The error of a name that is no member's."""
    noun = word.split(" ", 1)[1]
    return told("unknown_name", f"there is no {noun} {shown(name)}", suggested(name, noun, known))


def suggested(name: str, noun: str, known: Iterable[str]) -> str:
    """What to write instead of a name that is no ``noun``'s."""
    from archspec.ir import aliases

    known = tuple(known)
    return aliases.suggested(noun, name, known) or f"known are {', '.join(known)}"


def made(found: type[Member], args: Any, context: Any = None) -> Member:
    """The member with its arguments; a value that is no map is its main argument. Raises as ``member`` does."""
    if not isinstance(args, dict):
        if found.main is None:
            hint = f"write {{{found.name}: {{argument: value}}}}" if found.model_fields else f"write {found.name}"
            raise told("value", f"{found.name} takes no single value, got {shown(args)}", hint)
        args = {found.main: args}
    try:
        return found.model_validate(args, context=context)
    except ValidationError as error:
        # Pydantic puts the outer fields' names before these places, so they must be the text's own.
        raise ValidationError.from_exception_data(found.name, restated(error, found, found.name)) from None
