"""Values of a spec file in JSON Schema: arguments of ops and blocks, members of other kinds, and expressions in the
place of either."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from archspec.ir.declaration import Declaration
from archspec.ir.json_schema import Json, call, closed

NAME = "[A-Za-z_][A-Za-z0-9_]*"
EXPRESSION: Json = {"$ref": "#/$defs/expression"}
TYPES: dict[str, Json] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "list": {"type": "array"},
    "block": {"$ref": "#/$defs/block_value"},
    "any": {},
}
_KINDS = {"Initializer": "initializer", "Regularizer": "regularizer", "Constraint": "constraint"}
"""Annotations of arguments that take a member of a kind, by the module of ops that declares it."""


def or_expression(*choices: Json) -> Json:
    """One of these, or an expression."""
    return {"anyOf": [*choices, EXPRESSION]}


def section(document: object, key: str) -> Json:
    """A section of a file that may be malformed: a map by names, empty where there is none."""
    value = document.get(key) if isinstance(document, dict) else None
    return {name: v for name, v in value.items() if isinstance(name, str)} if isinstance(value, dict) else {}


def taken_by(member: type[Declaration]) -> Json:
    """The arguments of a declaration, opened for expressions, with the strings below its fields as descriptions."""
    taken = _taken_by(member)
    return {**taken, "properties": dict(taken["properties"])}


# Models are read once: the schema of each file has the arguments of all ops.
@functools.cache
def _taken_by(member: type[Declaration]) -> Json:
    docs = member.field_docs()
    schema = member.model_json_schema()
    properties: dict[str, Json] = {}
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        annotation = member.annotation(name)
        if annotation in ("Activation", "AnyActivation"):
            opened: Json = {"$ref": "#/$defs/activation"}
        elif annotation in _KINDS:
            opened = {"anyOf": [{"$ref": f"#/$defs/{_KINDS[annotation]}"}, {"type": "null"}]}
        else:
            opened = _opened(field)
        properties[name] = {**opened, "description": docs.get(name, "")}
    taken = closed(properties)
    if schema.get("additionalProperties"):
        taken["additionalProperties"] = True
    return {**taken, "required": schema.get("required", [])}


def kinds() -> dict[str, Json]:
    """Definitions of the kinds besides ops that a spec names: a member's name, or a map of it and its arguments."""
    from importlib import import_module

    out: dict[str, Json] = {}
    for word in ("loss", "metric", *_KINDS.values()):
        kind: type[Declaration] = getattr(import_module(f"archspec.ops.{word}"), word.capitalize())
        calls, bare = {}, []
        for member in kind.all():
            taken = taken_by(member)
            required = taken.pop("required")
            where = f"{word}.{member.name}.arguments"
            out[where] = taken
            calls[member.name] = call(f"#/$defs/{where}", required, member.main, member.summary())
            if not required:
                bare.append(member.name)
        one = {**closed(calls), "minProperties": 1, "maxProperties": 1}
        out[word] = or_expression({"enum": bare}, one)
    return out


def _opened(schema: Json) -> Json:
    """``schema`` with an expression allowed wherever a value is."""
    extra: Json = {key: schema[key] for key in ("default", "description") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in extra and key != "title"}
    if not rest:
        return extra
    if "anyOf" in rest:
        choices = [_opened(choice) for choice in rest["anyOf"]]
        flat = [one for choice in choices for one in choice.get("anyOf", [choice]) if one != EXPRESSION]
        return {**or_expression(*flat), **extra}
    if isinstance(rest.get("items"), dict):
        rest["items"] = _opened(rest["items"])
    if isinstance(rest.get("prefixItems"), list):
        rest["prefixItems"] = [_opened(item) for item in rest["prefixItems"]]
    return {**or_expression(rest), **extra}


def parameters(params: Mapping[str, Any]) -> Json:
    """Arguments of a block or file, from its ``params``."""
    properties, required = {}, []
    for name, declared in params.items():
        extra: Json = {}
        if isinstance(declared, dict):
            kind, default = declared.get("type"), declared.get("default")
            is_required = "default" not in declared
            extra = {"description": declared["doc"]} if isinstance(declared.get("doc"), str) else {}
        elif isinstance(declared, str) and declared in TYPES:
            kind, default, is_required = declared, None, True
        else:
            kind, default, is_required = None, declared, False
        if isinstance(declared, dict) and isinstance(declared.get("choices"), list):
            schema: Json = {"enum": declared["choices"]}
        else:
            schema = dict(TYPES.get(kind, {})) if isinstance(kind, str) else _type_of(default)
            limits = {"min": "minimum", "max": "maximum"}
            if isinstance(declared, dict):
                schema |= {limits[key]: declared[key] for key in limits if isinstance(declared.get(key), (int, float))}
        properties[name] = {**(or_expression(schema) if schema else {}), **extra}
        if is_required:
            required.append(name)
    return {**closed(properties), "required": required}


def _type_of(default: object) -> Json:
    """What may replace a default: a value of its type (also a one-op map for a name, which may be an op's)."""
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, (int, float)):
        return {"type": "number"}
    if isinstance(default, str):
        return {"type": ["string", "object"]}
    if isinstance(default, list):
        return {"type": "array"}
    return {}
