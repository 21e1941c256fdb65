"""JSON Schema (draft 2020-12) of run files, for editors and other tools.

Built from the models of a run file's sections, and from every member of the kinds that it names: sources, transforms,
tasks, optimizers, schedules and what these name in turn. It knows names, types and limits of values; whether they fit a
spec and its data is for ``archspec check``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from archspec.data.arguments import written
from archspec.ir.declaration import Declaration, field_docs
from archspec.ir.json_schema import DECLARATION, DIALECT, Json, call, closed
from archspec.training.document import RunSpec


def run_schema() -> Json:
    """The schema of any run file."""
    definitions: dict[str, Json] = {}
    file = _model(RunSpec, definitions)
    while missing := sorted(_named([file, definitions]) - definitions.keys()):
        for kind in missing:
            _define(_kinds()[kind], definitions)
    return {"$schema": DIALECT, "title": "archspec run file", **file, "$defs": definitions}


def _kinds() -> dict[str, type[Declaration]]:
    return {kind.__name__: kind for kind in Declaration.__subclasses__()}


def _named(definitions: object) -> set[str]:
    """Kinds of declarations that schemas refer to."""
    if isinstance(definitions, list):
        return {name for value in definitions for name in _named(value)}
    if not isinstance(definitions, dict):
        return set()
    own = {definitions["$ref"].removeprefix("#/$defs/")} if isinstance(definitions.get("$ref"), str) else set()
    return {name for name in own if name in _kinds()} | {n for v in definitions.values() for n in _named(v)}


def _define(kind: type[Declaration], definitions: dict[str, Json]) -> None:
    """Define a kind: the name of a member, or a map of one name and its arguments."""
    calls, bare = {}, []
    for member in kind.all():
        taken = _model(member, definitions)
        required = taken.pop("required", [])
        where = f"{kind.__name__}.{member.name}.arguments"
        definitions[where] = taken
        calls[member.name] = call(f"#/$defs/{where}", required, member.main, member.summary())
        if not required:
            bare.append(member.name)
    one = {**closed(calls), "minProperties": 1, "maxProperties": 1}
    definitions[kind.__name__] = {"anyOf": [{"enum": bare}, one] if bare else [one]}


def _model(model: type[BaseModel], definitions: dict[str, Json]) -> Json:
    """The schema of a model, with the strings below its fields as descriptions; models within go to ``definitions``."""
    schema = model.model_json_schema()
    inner = {one.__name__: one for one in _within(model)}
    for name in schema.get("$defs", {}):
        if name not in definitions:
            definitions[name] = {}
            definitions[name] |= _model(inner[name], definitions)
    docs = field_docs(model)
    properties: dict[str, Json] = {}
    for name, field in schema.get("properties", {}).items():
        opened = _opened({key: value for key, value in field.items() if key != "default"})
        default = model.model_fields[name].get_default()
        if isinstance(default, Declaration):
            opened["default"] = written(default)
        elif isinstance(default, (str, int, float)):
            opened["default"] = default
        properties[name] = opened | ({"description": docs[name]} if name in docs else {})
    out = {**closed(properties), "description": " ".join((model.__doc__ or "").split("\n\n")[0].split())}
    return out | ({"required": schema["required"]} if "required" in schema else {})


def _within(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in a type, or in the fields of a model."""
    parts = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        parts = tuple(field.annotation for field in annotation.model_fields.values())
    for part in parts:
        yield from _within(part)


def _opened(schema: object) -> Any:
    """A schema without pydantic's titles, in which members of kinds are references to the kinds' definitions."""
    if isinstance(schema, list):
        return [_opened(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    if DECLARATION in schema:
        return {"$ref": f"#/$defs/{schema[DECLARATION]}"}
    return {
        key: {name: _opened(value) for name, value in held.items()} if key == "properties" else _opened(held)
        for key, held in schema.items()
        if key != "title"
    }
