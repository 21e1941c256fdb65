"""JSON Schema (draft 2020-12) of a spec file, for editors and other tools.

Built from the ops' own models, the prelude, and the blocks, networks and imports of the file it is for. Every value
may also be an expression. It knows names and types; shapes, scopes and counts are for ``archspec check``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.frontend.arguments import ONE_WORD
from archspec.frontend.expectations import FIGURES
from archspec.ir.json_schema import DIALECT, Json, call, closed, list_of, map_of
from archspec.ops.base import Op

EXPRESSION: Json = {"$ref": "#/$defs/expression"}
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_TYPES: dict[str, Json] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "list": {"type": "array"},
    "block": {"$ref": "#/$defs/block_value"},
    "any": {},
}


def file_schema(document: Any, prelude: Any, used: Mapping[str, Any]) -> Json:
    """The schema for ``document`` (a spec file's values, or None for any file).

    ``prelude`` is the values of the prelude's file, ``used`` those of the files that the document imports, by the name
    it gives them. What is malformed in them is left out, so that an editor has a schema while a file is being written.
    """
    document = document if isinstance(document, dict) else {}
    blocks = _section(prelude, "blocks")
    blocks |= {**_section(document, "blocks"), **_section(document, "networks")}
    defaults = _section(document, "defaults")
    calls: dict[str, Json] = {}
    arguments: dict[str, Json] = {}
    bare: list[str] = []

    def add(name: str, taken: Json, main: str | None, doc: str, *, operands: bool = False) -> None:
        required = [argument for argument in taken.pop("required") if argument not in _section(defaults, name)]
        properties = taken["properties"]
        for word, other in ONE_WORD.items():
            if word in properties:
                properties.setdefault(other, properties[word])
        arguments[name] = taken
        operand_list = {**list_of({"$ref": "#/$defs/reference"}), "minItems": 1}
        calls[name] = call(f"#/$defs/{name}.arguments", required, main, doc, *([operand_list] if operands else []))
        if not required:
            bare.append(name)

    for op in Op.all():
        add(op.name, _op_arguments(op), op.main, op.summary(), operands=op.is_merge)
    for name, block in blocks.items():
        parameters = _parameters(_section(block, "params"))
        add(name, parameters, next(iter(parameters["properties"]), None), _doc(block))
    for name, other in used.items():
        parameters = _parameters(_section(other, "params"))
        parameters["properties"]["variant"] = _or_expression({"enum": sorted(_section(other, "variants"))})
        add(name, {**parameters, "required": []}, None, _doc(other))
    for name in _block_parameters(document, blocks.values()):
        calls.setdefault(name, {"description": "a block that is passed as an argument"})
        bare.append(name)
    return {
        "$schema": DIALECT,
        "title": f"archspec: {document['name']}" if isinstance(document.get("name"), str) else "archspec spec file",
        **_file(document, arguments),
        "$defs": {f"{name}.arguments": taken for name, taken in arguments.items()} | _definitions(calls, bare),
    }


def _file(document: Json, callables: Iterable[str]) -> Json:
    named = {"$ref": "#/$defs/names"}
    parameters = _parameters(_section(document, "params"))
    settings = {
        "type": "object",
        "properties": parameters["properties"],
        "additionalProperties": not parameters["properties"],
    }
    figures = {"$ref": "#/$defs/figures"}
    variants = _section(document, "variants")
    block = {"$ref": "#/$defs/block"}
    properties: dict[str, Json] = {
        "archspec": {"const": 1, "description": "version of the language"},
        "name": {"type": "string", "pattern": f"^{_NAME}$"},
        "doc": {"anyOf": [{"type": "string"}, {"type": "object"}], "description": "what this is, for readers"},
        "use": {**map_of({"type": "string"}), "description": "other files, by the name they are called by here"},
        "params": {**map_of({"$ref": "#/$defs/parameter"}), "description": "the file's parameters"},
        "defaults": {
            "type": "object",
            "description": "arguments for calls that are written in this file",
            "properties": {name: {"$ref": f"#/$defs/{name}.arguments"} for name in callables}
            | {"residual": closed({"project": {"$ref": "#/$defs/project"}})},
            "additionalProperties": False,
        },
        "inputs": {**map_of({"$ref": "#/$defs/input"}), "description": "the model's inputs: shapes, channels last"},
        "blocks": {**map_of(block), "description": "functions: every call makes new weights"},
        "networks": {**map_of(block), "description": "objects: every call uses the same weights"},
        "body": {"$ref": "#/$defs/chain"},
        "heads": {**map_of({"$ref": "#/$defs/head"}), "description": "the model's outputs"},
        "variants": {**map_of(settings), "description": "named sets of arguments"},
        "expect": {
            "anyOf": [
                figures,
                {
                    "type": "object",
                    "properties": dict.fromkeys([*variants, str(document.get("name"))], figures),
                    "additionalProperties": False,
                },
            ],
            "description": "figures that the file must agree with, and where they are from",
        },
        "train": {
            **closed(
                {
                    "inputs": map_of({"anyOf": [{"$ref": "#/$defs/input"}, {"$ref": "#/$defs/drawn"}]}),
                    "body": {"$ref": "#/$defs/chain"},
                    "steps": list_of({"$ref": "#/$defs/update"}),
                    "together": {"type": ["boolean", "string"]},
                    "average": map_of({"type": ["number", "string"]}),
                }
            ),
            "description": "forward graph and updates of a training step over several networks",
        },
    }
    for key in ("use", "params", "inputs", "blocks", "networks", "heads", "variants"):
        properties[key]["propertyNames"] = named
    return {**closed(properties), "required": ["archspec", "name"]}


def _definitions(calls: Mapping[str, Json], bare: Iterable[str]) -> dict[str, Json]:
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
        "as": {"type": "string", "pattern": rf"^{_NAME}(\[.+\])?$", "description": "name of the result"},
        "from": {
            "anyOf": [reference, {**list_of(reference), "minItems": 1}, {**map_of(reference), "minProperties": 1}],
            "description": "what the step takes instead of the step before it",
        },
        "when": _or_expression({"type": "boolean", "description": "where false, the step is the identity"}),
        "repeat": {"$ref": "#/$defs/loop", "description": "sequential: each turn takes the output of the last"},
        "each": {"$ref": "#/$defs/loop", "description": "parallel: every turn takes the same input, or its own 'from'"},
        "merge": {**_or_expression({"enum": merges}), "description": "how results meet"},
    }
    names = sorted({*calls, *structure})
    # A number, or one with a unit.
    counted = {"anyOf": [integer, {"type": "string", "pattern": r"^\s*\d"}]}
    figure = {"anyOf": [*counted["anyOf"], closed({"min": counted, "max": counted})]}
    figures: dict[str, Json] = {**dict.fromkeys(FIGURES, figure), "output_shape": {"type": "array"}}
    activations = sorted(op.name for op in Op.all() if op.is_activation)
    return {
        "expression": {"type": "string", "pattern": "^=", "description": "an expression"},
        "names": {"pattern": f"^{_NAME}$"},
        "reference": {
            "type": "string",
            "pattern": rf"^{_NAME}(\.{_NAME}|\[.+\])*( if .+ else .+)?$",
            "description": "a name, name.port or name[expr]; two of them with a condition between",
        },
        "activation": _or_expression(
            {"enum": activations},
            {"type": "object", "propertyNames": {"enum": activations}, "minProperties": 1, "maxProperties": 1},
            {"type": "null"},
        ),
        "chain": {"type": "array", "items": {"$ref": "#/$defs/step"}},
        "step": {
            "anyOf": [
                {"enum": sorted({*bare}), "description": "an op or block without arguments"},
                chain,
                {
                    **closed({**calls, **structure, **modifiers}),
                    "oneOf": [
                        *({"required": [name]} for name in names),
                        {"propertyNames": {"enum": ["as", "from"]}, "required": ["as"]},
                    ],
                    "not": {"required": ["repeat", "each"]},
                },
            ]
        },
        "loop": _or_expression(integer, {**map_of(_or_expression(integer, {"type": "array"})), "minProperties": 1}),
        "project": {"anyOf": [{"enum": ["auto", "none"]}, chain]},
        "block_value": {"type": ["string", "object", "array"], "description": "a block"},
        "parameter": {
            "anyOf": [
                {"enum": list(_TYPES), "description": "a type: the parameter is required"},
                {
                    "type": ["null", "boolean", "number", "string", "array"],
                    "description": "a default, which gives the type",
                },
                {
                    **closed(
                        {
                            "type": {"enum": list(_TYPES)},
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
        "size": {"type": ["integer", "null", "string"], "minimum": 1, "description": "a size; null or a symbol: open"},
        "input": _or_expression(
            list_of({"$ref": "#/$defs/size"}),
            {
                **closed({"shape": _or_expression(list_of({"$ref": "#/$defs/size"})), "dtype": {"type": "string"}}),
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
                        "loss": _one_of("Loss", "archspec.ops.loss"),
                        "weight": _or_expression({"type": "number"}),
                        "train_only": _or_expression({"type": "boolean"}),
                        "metrics": list_of(_one_of("Metric", "archspec.ops.metric")),
                    }
                ),
            ]
        },
        "drawn": {
            "anyOf": [
                closed({"normal": _or_expression(list_of({"$ref": "#/$defs/size"}))}),
                closed(
                    {
                        "uniform": _or_expression(list_of({"$ref": "#/$defs/size"})),
                        "low": _or_expression({"type": "number"}),
                        "high": _or_expression({"type": "number"}),
                    }
                ),
                closed({"label": _or_expression(integer)}),
            ],
            "description": "noise, or the number of a class",
        },
        "update": {
            **closed(
                {
                    "update": list_of({"$ref": "#/$defs/names"}),
                    "minimize": list_of({"type": "object"}),
                    "turns": _or_expression(integer),
                    "constraint": closed(dict.fromkeys(("clip", "max_norm"), _or_expression({"type": "number"}))),
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


def _one_of(kind: str, module: str) -> Json:
    """A declaration of another kind, by name or as ``{NAME: arguments}``."""
    from importlib import import_module

    names = list(getattr(import_module(module), kind).names())
    return _or_expression(
        {"enum": names},
        {"type": "object", "propertyNames": {"enum": names}, "minProperties": 1, "maxProperties": 1},
    )


def _op_arguments(op: type[Op]) -> Json:
    """The op's own schema, opened for expressions, with the strings below its fields as descriptions."""
    docs = op.field_docs()
    schema = op.model_json_schema()
    properties: dict[str, Json] = {}
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        annotation = op.__annotations__.get(name, "")
        opened = {"$ref": "#/$defs/activation"} if annotation == "Activation" else _opened(field)
        properties[name] = {**opened, "description": docs.get(name, "")}
    return {**closed(properties), "required": schema.get("required", [])}


def _opened(schema: Json) -> Json:
    """``schema`` with an expression allowed wherever a value is."""
    extra: Json = {key: schema[key] for key in ("default", "description") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in extra and key != "title"}
    if not rest:
        return extra
    if "anyOf" in rest:
        choices = [_opened(choice) for choice in rest["anyOf"]]
        flat = [one for choice in choices for one in choice.get("anyOf", [choice]) if one != EXPRESSION]
        return {**_or_expression(*flat), **extra}
    if isinstance(rest.get("items"), dict):
        rest["items"] = _opened(rest["items"])
    if isinstance(rest.get("prefixItems"), list):
        rest["prefixItems"] = [_opened(item) for item in rest["prefixItems"]]
    return {**_or_expression(rest), **extra}


def _parameters(params: Mapping[str, Any]) -> Json:
    """Arguments of a block or file, from its ``params``."""
    properties, required = {}, []
    for name, declared in params.items():
        extra: Json = {}
        if isinstance(declared, dict):
            kind, default = declared.get("type"), declared.get("default")
            is_required = "default" not in declared
            extra = {"description": declared["doc"]} if isinstance(declared.get("doc"), str) else {}
        elif isinstance(declared, str) and declared in _TYPES:
            kind, default, is_required = declared, None, True
        else:
            kind, default, is_required = None, declared, False
        if isinstance(declared, dict) and isinstance(declared.get("choices"), list):
            schema: Json = {"enum": declared["choices"]}
        else:
            schema = dict(_TYPES.get(kind, {})) if isinstance(kind, str) else _type_of(default)
            limits = {"min": "minimum", "max": "maximum"}
            if isinstance(declared, dict):
                schema |= {limits[key]: declared[key] for key in limits if isinstance(declared.get(key), (int, float))}
        properties[name] = {**(_or_expression(schema) if schema else {}), **extra}
        if is_required:
            required.append(name)
    return {**closed(properties), "required": required}


def _type_of(default: Any) -> Json:
    """What may replace a default: a value of its type (also a one-op map for a name, which may be an op's)."""
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, int):
        return {"type": "number"}
    if isinstance(default, float):
        return {"type": "number"}
    if isinstance(default, str):
        return {"type": ["string", "object"]}
    if isinstance(default, list):
        return {"type": "array"}
    return {}


def _block_parameters(document: Json, blocks: Iterable[Any]) -> set[str]:
    """Parameters that hold a block, of the file and of its blocks: they may stand where an op does."""
    out = set()
    for params in (_section(document, "params"), *(_section(block, "params") for block in blocks)):
        for name, declared in params.items():
            if "block" in (declared, declared.get("type") if isinstance(declared, dict) else None):
                out.add(name)
    return out


def _section(document: Any, key: str) -> Json:
    value = document.get(key) if isinstance(document, dict) else None
    return {name: v for name, v in value.items() if isinstance(name, str)} if isinstance(value, dict) else {}


def _doc(block: Any) -> str:
    doc = block.get("doc") if isinstance(block, dict) else None
    return doc if isinstance(doc, str) else ""


def _or_expression(*choices: Json) -> Json:
    return {"anyOf": [*choices, EXPRESSION]}
