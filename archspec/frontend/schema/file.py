"""The sections of a spec file in JSON Schema, and what they are made of: steps, references, inputs, heads, updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.frontend.arithmetic import FUNCTIONS
from archspec.frontend.expectations import FIGURES
from archspec.frontend.inputs import DTYPES
from archspec.frontend.schema.values import NAME, TYPES, kinds, or_expression, parameters, section
from archspec.frontend.steps import ITEMS
from archspec.ir.json_schema import Json, closed, list_of, map_of
from archspec.ir.training import GradientPenalty
from archspec.ops.base import Op
from archspec.ops.loss import Loss

STRUCTURE = ("do", "branches", "residual")
_WORDS = "|".join((*FUNCTIONS, "and", "or", "not", "in", "if", "else"))
# Text in quotes may be anything. Elsewhere: words that may stand before a bracket, other words, and none of the
# characters of other languages' expressions.
_EXPRESSION = rf"""^=("[^"]*"|'[^']*'|({_WORDS})(?!\w)|[A-Za-z_]\w*(?!\w|\s*\()|!=|[^"'A-Za-z_&|^?;$@{{}}\\!])+$"""
_PRODUCT = r"^[\w\s.()+-]*\w\s*(\*\*?|//)\s*[\w(][\w\s.()*+/-]*$"
"""What is computed from names and numbers, and lacks its ``=``."""
_FIGURE: Json = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d"}]}
"""A count, or one with a unit."""


def sections(document: Json, callables: Iterable[str], *, is_any: bool) -> Json:
    """The sections of a file; ``callables`` are names that its steps may have. Of any file (``is_any``) there may be
    others."""
    named = {"$ref": "#/$defs/names"}
    taken = parameters(section(document, "params"))
    settings = {
        "type": "object",
        "properties": taken["properties"],
        "additionalProperties": is_any or not taken["properties"],
    }
    figures = {"$ref": "#/$defs/figures"}
    variants = dict.fromkeys([*section(document, "variants"), str(document.get("name"))], figures)
    of_variants = {**map_of(figures), "propertyNames": named} if is_any else closed(variants)
    block = {"$ref": "#/$defs/block"}
    properties: dict[str, Json] = {
        "archspec": {"const": 1, "description": "version of the language"},
        "name": {"type": "string", "pattern": f"^{NAME}$"},
        "doc": {"anyOf": [{"type": "string"}, {"type": "object"}], "description": "what this is, for readers"},
        "use": {
            **map_of({"type": "string", "minLength": 1}),
            "description": "other files, by the name they are called by here",
        },
        "params": {**map_of({"$ref": "#/$defs/parameter"}), "description": "the file's parameters"},
        "defaults": {
            "type": "object",
            "description": "arguments for calls that are written in this file",
            "properties": {name: {"$ref": f"#/$defs/{name}.arguments"} for name in callables}
            | {"residual": closed({"project": {"$ref": "#/$defs/project"}})},
            "additionalProperties": {"type": "object"} if is_any else False,
        },
        "inputs": {**map_of({"$ref": "#/$defs/input"}), "description": "the model's inputs: shapes, channels last"},
        "blocks": {**map_of(block), "description": "functions: every call makes new weights"},
        "networks": {**map_of(block), "description": "objects: every call uses the same weights"},
        "body": {"$ref": "#/$defs/chain"},
        "heads": {**map_of({"$ref": "#/$defs/head"}), "description": "the model's outputs"},
        "variants": {**map_of(settings), "description": "named sets of arguments"},
        "expect": {
            "anyOf": [figures, of_variants],
            "description": "figures that the file must agree with, and where they are from",
        },
        "train": {
            **closed(
                {
                    "inputs": map_of({"anyOf": [{"$ref": "#/$defs/input"}, {"$ref": "#/$defs/drawn"}]}),
                    "body": {"$ref": "#/$defs/chain"},
                    "steps": list_of({"$ref": "#/$defs/update"}),
                    "minimize": {**list_of({"$ref": "#/$defs/term"}), "minItems": 1},
                    "together": {"type": ["boolean", "string"]},
                    "average": map_of({"type": ["number", "string"]}),
                }
            ),
            "oneOf": [{"required": ["minimize"]}, {"required": ["inputs", "body", "steps"]}],
            "description": "the training graph: further inputs, a chain without weights, what is minimised",
        },
    }
    for key in ("use", "params", "inputs", "blocks", "networks", "heads", "variants"):
        properties[key]["propertyNames"] = named
    return {
        **closed(properties),
        "required": ["archspec", "name"],
        "anyOf": [{"required": [key]} for key in ("body", "networks", "blocks")],
        "dependentRequired": {"body": ["inputs"], "heads": ["body"]},
    }


def definitions(calls: Mapping[str, Json], bare: Iterable[str], *, is_any: bool) -> dict[str, Json]:
    """What the sections refer to; ``calls`` has what may stand behind each name, ``bare`` the names that may stand
    alone."""
    reference = {"$ref": "#/$defs/reference"}
    merges = sorted(op.name for op in Op.all() if op.is_merge)
    chain = {"$ref": "#/$defs/chain"}
    integer = {"type": "integer", "minimum": 0}
    structure: dict[str, Json] = {
        "do": {**chain, "description": "steps as one step"},
        "branches": {"type": "array", "items": chain, "description": "chains that are applied to one input"},
        "residual": {
            "anyOf": [
                chain,
                {**closed({"body": chain, "project": {"$ref": "#/$defs/project"}}), "required": ["body"]},
            ],
            "description": "branches: [[], body]; 'merge' says how they meet (add)",
        },
    }
    modifiers: dict[str, Json] = {
        "as": {"type": "string", "pattern": rf"^{NAME}(\[.+\])?$", "description": "name of the result"},
        "from": {
            "anyOf": [reference, {**list_of(reference), "minItems": 1}, {**map_of(reference), "minProperties": 1}],
            "description": "what the step takes instead of the step before it",
        },
        "when": or_expression({"type": "boolean", "description": "where false, the step is the identity"}),
        "repeat": {"$ref": "#/$defs/loop", "description": "sequential: each turn takes the output of the last"},
        "each": {
            "anyOf": [{"$ref": "#/$defs/loop"}, {"const": ITEMS}],
            "description": "parallel: every turn takes the same input, or its own 'from'; items: of the first axis",
        },
        "merge": {
            **or_expression(
                {"enum": merges},
                {**closed({name: calls[name] for name in merges}), "minProperties": 1, "maxProperties": 1},
            ),
            "description": "how results meet",
        },
    }
    names = sorted({*calls, *structure})
    figure = {"anyOf": [*_FIGURE["anyOf"], closed({"min": _FIGURE, "max": _FIGURE})]}
    figures: dict[str, Json] = {**dict.fromkeys(FIGURES, figure), "output_shape": {"type": "array"}}
    activations = sorted(op.name for op in Op.all() if op.is_activation)
    known: Json = {
        **closed({**calls, **structure, **modifiers}),
        "oneOf": [
            *({"required": [name]} for name in names),
            {"propertyNames": {"enum": ["as", "from"]}, "required": ["as"]},
        ],
        "not": {"required": ["repeat", "each"]},
    }
    made: dict[str, Json] = {
        "expression": {"type": "string", "pattern": _EXPRESSION, "description": "an expression"},
        "arguments": {
            "if": {"type": "string", "pattern": "^="},
            "then": {"$ref": "#/$defs/expression"},
            "else": {"not": {"type": "string", "pattern": _PRODUCT}},
            "items": {"$ref": "#/$defs/arguments"},
            "additionalProperties": {"$ref": "#/$defs/arguments"},
            "description": "arguments of a block of the file's own",
        },
        "names": {"pattern": f"^{NAME}$"},
        "reference": {
            "type": "string",
            "pattern": rf"^{NAME}(\.{NAME}|\[.+\])*( if .+ else .+)?$",
            "description": "a name, name.port or name[expr]; two of them with a condition between",
        },
        "activation": or_expression(
            {"enum": activations},
            {"type": "object", "propertyNames": {"enum": activations}, "minProperties": 1, "maxProperties": 1},
            {"type": "null"},
        ),
        "chain": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "step": {
            "anyOf": [
                {"enum": sorted({*bare}), "description": "an op or block without arguments"},
                *([{"type": "string", "pattern": f"^{NAME}$"}] if is_any else []),
                chain,
                _known_or_not(known, _named_otherwise(modifiers), names) if is_any else known,
            ]
        },
        "loop": or_expression(integer, {**map_of(or_expression(integer, {"type": "array"})), "minProperties": 1}),
        "project": {"anyOf": [{"enum": ["auto", "none"]}, chain]},
        "block_value": {"type": ["string", "object", "array"], "description": "a block"},
        "parameter": {
            "anyOf": [
                {"enum": list(TYPES), "description": "a type: the parameter is required"},
                {
                    "type": ["null", "boolean", "number", "string", "array"],
                    "description": "a default, which gives the type",
                },
                {
                    **closed(
                        {
                            "type": {"enum": list(TYPES)},
                            "default": {},
                            "choices": {"type": "array", "minItems": 1},
                            "min": {"type": "number"},
                            "max": {"type": "number"},
                            "doc": {"type": "string"},
                        }
                    ),
                },
            ]
        },
        "size": {
            "type": ["integer", "null", "string"],
            "minimum": 1,
            "not": {"const": "None"},
            "description": "a size; null or a symbol: open",
        },
        "input": or_expression(
            list_of({"$ref": "#/$defs/size"}),
            {
                **closed({"shape": or_expression(list_of({"$ref": "#/$defs/size"})), "dtype": {"enum": [*DTYPES]}}),
                "required": ["shape"],
            },
        ),
        "block": closed(
            {
                "doc": {"type": "string"},
                "params": {**map_of({"$ref": "#/$defs/parameter"}), "propertyNames": {"$ref": "#/$defs/names"}},
                "inputs": {
                    "anyOf": [
                        list_of({"$ref": "#/$defs/names"}),
                        map_of({"anyOf": [{"$ref": "#/$defs/input"}, {"type": "null"}]}),
                    ]
                },
                "results": {**list_of({"$ref": "#/$defs/names"}), "minItems": 1},
                "body": chain,
            }
        )
        | {"required": ["body"]},
        "head": {
            "anyOf": [
                chain,
                closed(
                    {
                        "from": modifiers["from"],
                        "body": chain,
                        "loss": {"$ref": "#/$defs/loss"},
                        "weight": or_expression({"type": "number"}),
                        "train_only": or_expression({"type": "boolean"}),
                        "metrics": list_of({"$ref": "#/$defs/metric"}),
                    }
                ),
            ]
        },
        "drawn": {
            "anyOf": [
                closed({"normal": or_expression(list_of({"$ref": "#/$defs/size"}))}),
                closed(
                    {
                        "uniform": or_expression(list_of({"$ref": "#/$defs/size"})),
                        "low": or_expression({"type": "number"}),
                        "high": or_expression({"type": "number"}),
                    }
                ),
                closed({"label": or_expression(integer)}),
                {
                    **closed(
                        {
                            "objects": or_expression(integer),
                            "most": or_expression(integer),
                            "masks": {"anyOf": [or_expression(integer), list_of(or_expression(integer))]},
                        }
                    ),
                    "required": ["objects"],
                },
            ],
            "description": "noise, the number of a class, or the objects of a picture",
        },
        "term": {
            "type": "object",
            "properties": {
                **{name: {"type": "array", "minItems": 2, "maxItems": 2} for name in Loss.names()},
                GradientPenalty.name: {"type": "array", "minItems": 2, "maxItems": 3},
                "weight": {"type": ["number", "string"]},
                "when": or_expression({"type": "boolean"}),
                "where": {**reference, "description": "which entries of the loss count, or their weights"},
                "per": {**reference, "description": "what their sum is divided by: a mask's count, or examples"},
            },
            "oneOf": [{"required": [name]} for name in (*Loss.names(), GradientPenalty.name)],
            "description": "a loss of a result and its target, its weight and its arguments",
        },
        "update": {
            **closed(
                {
                    "update": list_of({"$ref": "#/$defs/names"}),
                    "minimize": {**list_of({"$ref": "#/$defs/term"}), "minItems": 1},
                    "turns": or_expression(integer),
                    "constraint": closed(dict.fromkeys(("clip", "max_norm"), or_expression({"type": "number"}))),
                }
            ),
            "required": ["update", "minimize"],
        },
        "figures": {
            **closed(
                {
                    **figures,
                    "training": closed(figures),
                    "networks": map_of(closed(figures)),
                    "source": {"type": "string"},
                }
            ),
            "required": ["source"],
        },
    }
    return made | kinds()


def _known_or_not(known: Json, otherwise: Json, names: Iterable[str]) -> Json:
    """A step that is a map: ``known`` where one of the names stands in it, so that editors tell what is wrong there."""
    has_none = {"propertyNames": {"not": {"enum": [*names]}}, "not": {"propertyNames": {"enum": ["as", "from"]}}}
    return {"type": "object", "if": has_none, "then": otherwise, "else": known}


def _named_otherwise(modifiers: Mapping[str, Json]) -> Json:
    """A call of something that a file names itself: a step with one key besides modifiers, which is no known name."""
    return {
        "properties": dict(modifiers),
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": {"$ref": "#/$defs/arguments"},
        "not": {"anyOf": [{"propertyNames": {"enum": [*modifiers]}}, {"required": ["repeat", "each"]}]},
        **_keys_besides([*modifiers], 1),
    }


def _keys_besides(modifiers: list[str], count: int) -> Json:
    """At most ``count`` keys besides those that are there of ``modifiers``."""
    if not modifiers:
        return {"maxProperties": count}
    first, *others = modifiers
    return {
        "if": {"required": [first]},
        "then": _keys_besides(others, count + 1),
        "else": _keys_besides(others, count),
    }
