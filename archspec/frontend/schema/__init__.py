"""JSON Schema (draft 2020-12) of spec files, for editors and other tools: of one file, or of any.

Built from the ops' own models, the prelude, and the blocks, networks and imports of the file it is for. Every value
may also be an expression. It knows names and types; shapes, scopes and counts are for ``archspec check``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archspec.frontend.arguments import ONE_WORD
from archspec.frontend.schema import general
from archspec.frontend.schema.file import STRUCTURE, definitions, sections
from archspec.frontend.schema.values import or_expression, parameters, section, taken_by
from archspec.frontend.steps import MODIFIERS
from archspec.ir.json_schema import DIALECT, Json, call, list_of
from archspec.ops.base import Op


def file_schema(document: object, prelude: object, used: Mapping[str, Any]) -> Json:
    """The schema for ``document`` (a spec file's values), or of any spec file where that is None.

    ``prelude`` is the values of the prelude's file, ``used`` those of the files that the document imports, by the name
    it gives them. What is malformed in them is left out, so that an editor has a schema while a file is being written.
    """
    is_any, document = document is None, document if isinstance(document, dict) else {}
    blocks = section(prelude, "blocks")
    blocks |= {**section(document, "blocks"), **section(document, "networks")}
    defaults = section(document, "defaults")
    calls: dict[str, Json] = {}
    arguments: dict[str, Json] = {}
    needed: dict[str, tuple[list[str], str | None]] = {}

    def add(name: str, taken: Json, main: str | None, doc: str, *, operands: bool = False) -> None:
        required = [argument for argument in taken.pop("required") if argument not in section(defaults, name)]
        properties = taken["properties"]
        for word, other in ONE_WORD.items():
            if word in properties:
                properties.setdefault(other, properties[word])
        needed[name], arguments[name] = (required, main), taken
        operand_list = {**list_of({"$ref": "#/$defs/reference"}), "minItems": 1}
        # Whether a file gives arguments by its defaults is not known of any file: ``general`` asks for them.
        asked = [] if is_any else required
        calls[name] = call(f"#/$defs/{name}.arguments", asked, main, doc, *([operand_list] if operands else []))

    for op in Op.all():
        add(op.name, taken_by(op), op.main, op.summary(), operands=op.is_merge)
    for name, block in blocks.items():
        taken = parameters(section(block, "params"))
        add(name, taken, next(iter(taken["properties"]), None), _doc(block))
    for name, other in used.items():
        taken = parameters(section(other, "params"))
        taken["properties"]["variant"] = or_expression({"enum": sorted(section(other, "variants"))})
        add(name, {**taken, "required": []}, None, _doc(other))
    bare = [name for name, (required, _) in needed.items() if is_any or not required]
    for name in _block_parameters(document, blocks.values()):
        calls.setdefault(name, {"description": "a block that is passed as an argument"})
        bare.append(name)
    made = {
        "$schema": DIALECT,
        "title": f"archspec: {document['name']}" if isinstance(document.get("name"), str) else "archspec spec file",
        **sections(document, arguments, is_any=is_any),
        "$defs": {f"{name}.arguments": taken for name, taken in arguments.items()}
        | definitions(calls, bare, is_any=is_any),
    }
    if is_any:
        made["allOf"] = general.rules()
        made["$defs"] |= general.definitions(arguments, needed, (*STRUCTURE, *MODIFIERS))
    return made


def _block_parameters(document: Json, blocks: Iterable[Any]) -> set[str]:
    """Parameters that hold a block, of the file and of its blocks: they may stand where an op does."""
    out = set()
    for params in (section(document, "params"), *(section(block, "params") for block in blocks)):
        for name, declared in params.items():
            if "block" in (declared, declared.get("type") if isinstance(declared, dict) else None):
                out.add(name)
    return out


def _doc(block: object) -> str:
    doc = block.get("doc") if isinstance(block, dict) else None
    return doc if isinstance(doc, str) else ""
