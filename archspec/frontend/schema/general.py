"""What the schema of any spec file adds to that of one file: rules that hold where a file has no names of its own.

The schema of any file cannot know what a file's own blocks, networks and imports are called and take, so that a step
may have any name. But a file without such names has ops and the prelude's blocks alone; a file that does not itself
define what other libraries call an op does not call it so; and where no ``defaults`` stand every call has its required
arguments. These are rules about all steps of a file, and are told by its sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.ir.aliases import FAMILIES, rows
from archspec.ir.json_schema import Json, list_of, map_of

_SECTIONS = ("use", "params", "blocks", "networks")
"""Sections that give names to what a step may call."""
_NAMING: Json = {
    "anyOf": [
        {"required": ["use"]},
        {"required": ["blocks"]},
        {"required": ["networks"]},
        {
            "required": ["params"],
            "properties": {
                "params": {
                    "type": "object",
                    "not": map_of({"not": {"anyOf": [{"const": "block"}, {"$ref": "#/$defs/is_block"}]}}),
                }
            },
        },
    ]
}
"""Files whose steps may have names of their own: a parameter may hold a block."""


def rules() -> list[Json]:
    """Rules for the whole file; ``definitions`` has what they refer to."""
    elsewhere: Json = {"$ref": "#/$defs/elsewhere"}
    theirs = {"properties": {key: {"propertyNames": {"not": elsewhere}} for key in _SECTIONS}}
    known = {"properties": {"defaults": {"propertyNames": {"$ref": "#/$defs/known_name"}}}}
    held = {"if": {"type": "string"}, "then": {"$ref": "#/$defs/known_name"}}
    blocks = {"if": {"$ref": "#/$defs/is_block"}, "then": {"properties": {"default": held}}}
    defining = {"anyOf": [{"required": [key]} for key in ("use", "blocks", "networks")]}
    return [
        {"if": defining, "else": {"properties": {"params": {"additionalProperties": blocks}}}},
        {"if": _NAMING, "else": {"allOf": [_everywhere("known"), known]}},
        {"if": theirs, "then": _everywhere("ours")},
        {"if": {"required": ["defaults"]}, "else": _everywhere("complete")},
    ]


def definitions(
    arguments: Mapping[str, Json], required: Mapping[str, tuple[list[str], str | None]], words: Iterable[str]
) -> dict[str, Json]:
    """Chains of steps by names that are known (``words`` are the structural words and modifiers of a step), and chains
    whose calls have what they need: ``required`` has the required arguments of every name, and its main argument."""
    bare = sorted(name for name, (needed, _) in required.items() if not needed)
    complete: dict[str, Json] = {}
    for name, (needed, main) in required.items():
        if needed:
            # A map of other names is the main argument.
            by_name = {"propertyNames": {"enum": [*arguments[name]["properties"]]}}
            complete[name] = {"not": {"type": "null"}, "if": by_name, "then": {"required": needed}}
            if [argument for argument in needed if argument != main]:
                complete[name]["type"] = "object"
    words = sorted(words)
    elsewhere = {name for kind, (name, *_) in rows() if kind in FAMILIES["op"]} - {*required, *words}
    foreign = {"$ref": "#/$defs/elsewhere"}
    return {
        "elsewhere": {"enum": sorted(elsewhere), "description": "what other libraries call ops"},
        "ours": _chain("ours", {"not": foreign}, {"propertyNames": {"not": foreign}}),
        "is_block": {"type": "object", "required": ["type"], "properties": {"type": {"const": "block"}}},
        "known_name": {"enum": sorted({*required, "residual"})},
        "known": _chain("known", {"enum": sorted(required)}, {"propertyNames": {"enum": sorted({*required, *words})}}),
        "complete": _chain("complete", {"not": {"enum": sorted({*required} - {*bare})}}, {"properties": complete}),
    }


def _chain(at: str, word: Json, taken: Json) -> Json:
    """A chain whose every step, at any depth, is ``word`` where it is a text and ``taken`` where it is a map."""
    chain = {"$ref": f"#/$defs/{at}"}
    deeper: dict[str, Json] = {
        "do": chain,
        "branches": list_of(chain),
        "residual": {
            "if": {"type": "object"},
            "then": {"properties": {"body": chain, "project": chain}},
            "else": chain,
        },
    }
    step = {
        "if": {"type": "string"},
        "then": word,
        "else": {
            "if": {"type": "array"},
            "then": chain,
            "else": {**taken, "properties": {**taken.get("properties", {}), **deeper}},
        },
    }
    return {"items": step}


def _everywhere(at: str) -> Json:
    """A file all of whose chains are ``at``."""
    chain = {"$ref": f"#/$defs/{at}"}
    body = {"properties": {"body": chain}}
    head = {"if": {"type": "array"}, "then": chain, "else": body}
    blocks = {"additionalProperties": body}
    sections = {"body": chain, "heads": {"additionalProperties": head}, "train": body}
    return {"properties": {**sections, "blocks": blocks, "networks": blocks}}
