"""Words of JSON Schema (draft 2020-12) that the schemas of spec files and of run files share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DECLARATION = "x-declaration"
"""The key by which a field's schema says that its value is a member of a kind of declaration, which it names."""


def closed(properties: Mapping[str, Json]) -> Json:
    """A map with these keys and no others."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def map_of(schema: Json) -> Json:
    """A map by any keys."""
    return {"type": "object", "additionalProperties": schema}


def list_of(schema: Json) -> Json:
    """A list."""
    return {"type": "array", "items": schema}


def call(arguments: str, required: Iterable[str], main: str | None, description: str, *others: Json) -> Json:
    """What may stand behind the name of an op, a block or a declaration: nothing, the main argument, a map of
    arguments (whose definition is at the reference ``arguments``), or one of ``others``."""
    required = list(required)
    choices: list[Json] = [{"$ref": arguments, "required": required} if required else {"$ref": arguments}]
    if not required:
        choices.append({"type": "null"})
    if main and not [argument for argument in required if argument != main]:
        choices.append({"$ref": f"{arguments}/properties/{main}"})
    return {"anyOf": [*choices, *others], "description": description}
