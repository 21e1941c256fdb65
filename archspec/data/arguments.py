"""Field types of run files (declarations by name, lists), and the words for what is wrong with a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ops.arguments import named

T = TypeVar("T")


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Items = Annotated[tuple[T, ...], BeforeValidator(_listed)]
"""A list."""


def declared(kind: type[Declaration], word: str) -> Any:
    """The field type of one member of a kind, written ``NAME``, ``{NAME: main}`` or ``{NAME: {argument: value}}``.

    ``word`` is what a person calls the kind, with its article.
    """

    def read(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, kind):
            return value
        name, args = named(value, word)
        member = kind.find(name)
        if member is None:
            noun = word.split(" ", 1)[1]
            hint = did_you_mean(name, kind.names()) or f"the {noun}s are {', '.join(kind.names())}"
            raise told("unknown_name", f"there is no {noun} {shown(name)}", hint)
        if not isinstance(args, dict):
            if member.main is None:
                raise told(
                    "value", f"{name} takes no single value, got {shown(args)}", "write {name: {argument: value}}"
                )
            args = {member.main: args}
        try:
            return member.model_validate(args, context=info.context)
        except ValidationError as error:
            # Pydantic puts the outer fields' names before these places, so they must be the text's own.
            raise ValidationError.from_exception_data(name, restated(error, member, name)) from None

    return Annotated[Any, BeforeValidator(read)]


def told(kind: str, message: str, help: str | None = None) -> PydanticCustomError:
    """An error whose message is a sentence already: ``unknown_key``, ``missing_key``, ``unknown_name`` or ``value``."""
    return PydanticCustomError(kind, "{message}", {"message": message, "help": help})


def restated(error: ValidationError, model: type[BaseModel], name: str = "") -> list[InitErrorDetails]:
    """The errors of ``model``'s fields as sentences; ``name`` is what a person calls the model, ``""`` the file."""
    return [_restated(e, model, name) for e in error.errors(include_url=False)]


def _restated(error: Any, model: type[BaseModel], name: str) -> InitErrorDetails:
    loc, value, kind, context = error["loc"], error["input"], error["type"], error.get("ctx") or {}
    fields = _fields(model, loc[:-1])
    message: str
    hint: str | None
    own = ".".join(str(part) for part in loc if isinstance(part, str))
    subject = ".".join(filter(None, (name, own)))
    owner = ".".join(filter(None, (name, *(p for p in loc[:-1] if isinstance(p, str)))))
    if kind in ("unknown_key", "missing_key", "unknown_name", "value"):
        said = told(kind, context["message"], context.get("help"))
    elif kind == "extra_forbidden":
        hint = did_you_mean(loc[-1], fields) or (f"known are {', '.join(fields)}" if fields else "it takes none")
        said = told(
            "unknown_key", f"{owner or 'a run file'} has no {'argument' if name else 'key'} {shown(loc[-1])}", hint
        )
    elif kind == "missing":
        said = told("missing_key", f"{owner or 'a run file'} needs {shown(loc[-1])}")
        loc = loc[:-1]
    else:
        hint = context.get("help")
        if kind == "literal_error":
            words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            message, hint = f"must be one of {', '.join(words)}", did_you_mean(value, words)
        elif kind == "argument":
            message = context["message"]
        elif kind in _WORDS:
            message = _WORDS[kind].format(**context)
        else:
            message = f"is wrong ({error['msg'].lower()})"
        quoted = shown(value)
        said = told("value", f"{subject} {message}" + ("" if quoted in message else f", got {quoted}"), hint)
    return InitErrorDetails(type=said, loc=(*((name,) if name else ()), *loc), input=value)


_WORDS = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be a map",
    "dict_type": "must be a map",
    "string_too_short": "must not be empty",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
}


def _fields(model: type[BaseModel], path: Iterable[Any]) -> list[str]:
    """Names of the fields of ``model``, or of the model below it at ``path``."""
    for part in path:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def written(declaration: Declaration) -> Any:
    """What ``declared`` reads as this declaration, in its shortest form: plain values for YAML."""
    args = {
        name: _plain(getattr(declaration, name))
        for name, field in type(declaration).model_fields.items()
        if field.is_required() or getattr(declaration, name) != field.default
    }
    if not args:
        return declaration.name
    main = declaration.main
    if main is not None and set(args) == {main} and not isinstance(args[main], dict):
        return {declaration.name: args[main]}
    return {declaration.name: args}


def _plain(value: Any) -> Any:
    if isinstance(value, Declaration):
        return written(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
