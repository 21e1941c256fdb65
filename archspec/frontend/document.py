"""What a spec file says, validated: pydantic models of everything but the steps, which ``steps`` reads.

The models ignore places. ``document`` joins them: an error's path is walked through the text's values to its span.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from archspec.frontend.forms import form_hint, head_form, head_hint
from archspec.frontend.yaml_source import Map, Seq, read, span
from archspec.ir.aliases import suggested
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean, known_are, shown
from archspec.ir.patterns import Pattern
from archspec.ir.validation import Refused, refuse, refused

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)
RESERVED = frozenset(("prev", "input"))
SHAPE_WORDS = ("channels", "height", "width", "length", "rank")

STRICT = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)


def _chain(value: object) -> Seq:
    if not isinstance(value, Seq):
        raise refuse("must be a list of steps")
    return value


def _section(value: object) -> Map:
    if not isinstance(value, Map):
        raise refuse("must be a map")
    return value


def _inputs(value: object) -> Map | Seq:
    if isinstance(value, Map) or (isinstance(value, Seq) and all(isinstance(v, str) for v in value)):
        return value
    raise refuse("must be a map of names to shapes, or a list of names")


Chain = Annotated[Any, PlainValidator(_chain)]
"""A list of steps, as the text has it."""
Section = Annotated[Any, PlainValidator(_section)]
"""A map whose values are read later, as the text has it."""
Inputs = Annotated[Any, PlainValidator(_inputs)]
Text = Annotated[str, Field(min_length=1)]


def _listed(what: str) -> Any:
    """A list of ``what`` that holds some, as the text has it."""

    def check(value: object) -> Seq:
        if not isinstance(value, Seq) or not value:
            raise refuse(f"must be a list of {what}")
        return value

    return PlainValidator(check)


class BlockSection(BaseModel):
    """A function of the language: parameters, inputs, steps."""

    model_config = STRICT

    doc: str = ""
    params: Section = None
    inputs: Inputs = None
    results: Annotated[Any, _listed("names")] = None
    body: Chain


class Head(BaseModel):
    """An output of the model; ``weight``, ``train_only`` and the losses are raw values."""

    model_config = STRICT

    from_: Annotated[Any, Field(alias="from")] = None
    body: Chain = None
    loss: Any = None
    weight: Any = 1.0
    train_only: Any = False
    metrics: Any = None


class TrainSection(BaseModel):
    """A training graph: what examples bring besides, a chain, and what is minimised, in steps or at once."""

    model_config = STRICT

    inputs: Section = None
    body: Chain = None
    steps: Annotated[Any, _listed("steps")] = None
    minimize: Annotated[Any, _listed("losses")] = None
    together: Any = False
    average: Section = None


class ArchitectureSpec(BaseModel):
    """A spec file."""

    model_config = STRICT

    archspec: Literal[1]
    name: Text
    doc: str | dict[str, Any] = ""
    use: dict[str, Text] = {}
    params: Section = None
    defaults: dict[str, Section] = {}
    inputs: Section = None
    blocks: dict[str, BlockSection] = {}
    networks: dict[str, BlockSection] = {}
    body: Chain = None
    heads: Section = None
    variants: dict[str, Section] = {}
    expect: Section = None
    train: TrainSection | None = None

    @property
    def title(self) -> str:
        """``doc`` as one line: the text, or the title of its map."""
        return self.doc if isinstance(self.doc, str) else str(self.doc.get("title", ""))


class Document:
    """A validated file: ``spec`` is what it says, ``tree`` where."""

    def __init__(self, source: Source, tree: Map, spec: ArchitectureSpec):
        self.source, self.tree, self.spec = source, tree, spec
        self.made: dict[Any, dict[tuple[str, ...], dict[Any, Any]]] = {}
        """What calls of its blocks made, for elaborations to come: by call, by the parameters read, by their values."""
        self.made_nodes = 0

    def span(self, *path: str | int) -> Span:
        """Where the value at a path is written."""
        return place(self.tree, path)

    def key_span(self, *path: str | int) -> Span:
        """Where the last key of a path is written."""
        return place(self.tree, path, key=True)


def place(tree: Map | Seq, path: Sequence[str | int], *, key: bool = False) -> Span:
    """Where the value (or key) at a path is written; the innermost place, where the path goes on below what is."""
    at: Any = tree
    found = span(tree)
    for i, part in enumerate(path):
        if isinstance(at, Map) and isinstance(part, str) and part in at:
            wants_key = at[part] is None or (key and i == len(path) - 1)
            found = at.key_span(part) if wants_key else at.value_span(part)
        elif isinstance(at, Seq) and isinstance(part, int) and part < len(at):
            found = at.value_span(part)
        else:
            break
        at = at[part]
    return found


def document(source: Source) -> Document:
    """Read and validate a file. Raises SpecError with every error that can be told without its steps."""
    tree = read(source)
    if not isinstance(tree, Map):
        start = "a spec starts with 'archspec: 1'"
        raise SpecError([Diagnostic("S02", f"a spec file is a map, got {shown(tree)}", Span(source, 1, 1), start)])
    if "archspec" not in tree:
        from archspec.frontend.other_sections import of_other_program

        hint: str | None
        at = span(tree)
        if "archspec_run" in tree:
            message, hint = "this is a run file, not a spec", "archspec train takes it"
        elif (other := of_other_program(tree)) is not None:
            message, hint = "a spec starts with 'archspec: 1'", other
        else:
            near = next((k for k in tree if did_you_mean(k, ["archspec"])), None)
            message, hint = (
                "a spec starts with 'archspec: 1'",
                "did you mean 'archspec'?" if near else "write archspec: 1 as the first line",
            )
            at = tree.key_span(near) if near else at
        raise SpecError([Diagnostic("S02", message, at, hint)])
    try:
        spec = ArchitectureSpec.model_validate(tree)
    except ValidationError as error:
        raise SpecError([_located(e, tree) for e in _those_that_count(refused(error))]) from None
    found = Document(source, tree, spec)
    if problems := [*_names(found), *_heads(found)]:
        raise SpecError(problems)
    return found


_KEYS: dict[str, type[BaseModel]] = {"blocks": BlockSection, "networks": BlockSection, "train": TrainSection}


def _those_that_count(errors: list[Refused]) -> list[Refused]:
    """The mistakes but for what ``train`` lacks where it holds what a run file says."""
    from archspec.frontend.other_sections import OF_RUNS

    is_of_runs = any(e.kind == "unknown_key" and e.path[0] == "train" and e.path[-1] in OF_RUNS for e in errors)
    return [e for e in errors if not (is_of_runs and e.kind == "missing_key" and e.path[0] == "train")]


def _located(error: Refused, tree: Map) -> Diagnostic:
    from archspec.frontend.intended_words import intended_word
    from archspec.frontend.other_sections import elsewhere, other_section

    path = error.path
    owner = ".".join(str(p) for p in path[:-1])
    if error.kind == "unknown_key":
        model = _KEYS.get(str(path[0]), ArchitectureSpec) if len(path) > 1 else ArchitectureSpec
        keys = [f.alias or name for name, f in model.model_fields.items()]
        what = f"unknown top-level key {shown(path[-1])}" if not owner else f"{owner} has no key {shown(path[-1])}"
        return Diagnostic(
            "S01",
            what,
            place(tree, path, key=True),
            intended_word(str(path[-1]), keys.__contains__)
            or (None if owner else other_section(str(path[-1]), tree.get(str(path[-1]))))
            or (elsewhere(str(path[-1])) if owner in ("", "train") else None)
            or suggested("block key" if path[0] in ("blocks", "networks") else "key", path[-1], keys, known_are(keys)),
        )
    if error.kind == "value" and (hint := form_hint(path, error.value, _first(tree))):
        return Diagnostic("S02", f"{'.'.join(map(str, path))} {error.message}", place(tree, path), hint)
    if error.kind == "missing_key":
        hint = {"name": "name: my_net", "archspec": "archspec: 1"}.get(str(path[-1])) if not owner else None
        return Diagnostic("S02", f"{owner or 'a spec'} needs {shown(path[-1])}", place(tree, path[:-1], key=True), hint)
    help = "write archspec: 1, the version of the language" if path == ("archspec",) else error.help
    return Diagnostic("S02", f"{'.'.join(map(str, path))} {error.message}", place(tree, path), help)


def _other_name(name: str, what: str) -> str:
    """What to do with a name that two sections give."""
    word = what.rpartition(" ")[2]
    return f"used files, parameters, inputs, blocks and networks share their names: call it {name}_{word}, or otherwise"


def _first(tree: Map) -> str:
    """The name of the file's first parameter."""
    section = tree.get("params")
    return next(iter(section), "PARAMETER") if isinstance(section, Map) else "PARAMETER"


_CALLED = Pattern(r"([A-Za-z_]\w*)\s*\(\s*(\w*).*\)")
"""A name with parameters in brackets."""


def worded(name: str) -> str | None:
    """The help for what is no name: one that is near to it."""
    if (called := _CALLED.fullmatch(name[:64])) is not None:
        return f"its parameters stand under params: {called[1]}: {{params: {{{called[2] or '…'}: int}}, body: […]}}"
    if (assigned := re.fullmatch(r"([A-Za-z_]\w*)\s*=\s*(\S.*)", name[:64], re.ASCII)) is not None:
        return f"a colon stands between a name and its value: {assigned[1]}: {assigned[2]}"
    if (indexed := re.fullmatch(r"([A-Za-z]\w*?)_?\$?\{+\s*(\w+)\s*\}+", name[:64], re.ASCII)) is not None:
        return f'within a loop a name has an index of its own: as: {indexed[1]}, outside "{indexed[1]}[{indexed[2]}]"'
    plain = re.sub(r"\W+", "_", name[:64], flags=re.ASCII).strip("_")
    plain = f"_{plain}" if plain[:1].isdigit() else plain
    return f"write {plain}" if plain else None


def check_name(name: str, what: str, at: Span) -> Diagnostic | None:
    """The error of a name that the language does not take."""
    if not NAME.match(name):
        return Diagnostic(
            "S03", f"{what} {shown(name)} must be letters, digits and _, not starting with a digit", at, worded(name)
        )
    if name in RESERVED:
        return Diagnostic("S03", f"{what} cannot be '{name}': the word is reserved", at)
    return None


def _names(found: Document) -> list[Diagnostic]:
    out = []
    spec, tree = found.spec, found.tree
    if bad := check_name(spec.name, "a spec's name", tree.value_span("name")):
        out.append(bad)
    seen: dict[str, str] = {}
    for section, what in (
        ("use", "a used file"),
        ("params", "a parameter"),
        ("inputs", "an input"),
        ("blocks", "a block"),
        ("networks", "a network"),
    ):
        entries = tree.get(section)
        if not isinstance(entries, Map):
            continue
        for name in entries:
            at = entries.key_span(name)
            if bad := check_name(name, what, at):
                out.append(bad)
            elif name in seen:
                out.append(
                    Diagnostic("N02", f"'{name}' is already defined under {seen[name]}", at, _other_name(name, what))
                )
            seen.setdefault(name, section)
    for section in ("blocks", "networks"):
        for name, block in (tree.get(section) or {}).items():
            for i, result in enumerate(block.get("results") or ()):
                if not isinstance(result, str):
                    message = f"an item of {section}.{name}.results must be a name, got {shown(result)}"
                    out.append(Diagnostic("S02", message, block["results"].value_span(i), "as: NAME gives a step one"))
    for section in ("heads", "variants"):
        entries = tree.get(section)
        if not isinstance(entries, Map):
            continue
        for name in entries:
            if bad := check_name(name, "a head" if section == "heads" else "a variant", entries.key_span(name)):
                out.append(bad)
    if spec.body is None and not spec.networks and not spec.blocks:
        out.append(
            Diagnostic(
                "S02", "a spec needs a body, networks or blocks", span(tree), "body: [conv: 32, flatten, dense: 10]"
            )
        )
    if spec.body is not None and not spec.inputs:
        out.append(Diagnostic("S02", "a body needs inputs", tree.key_span("body"), "inputs: {image: [224, 224, 3]}"))
    if spec.train is not None:
        from archspec.frontend.train_section import train_faults

        out += train_faults(tree)
    return out


def _heads(found: Document) -> list[Diagnostic]:
    out = []
    spec, tree = found.spec, found.tree
    if spec.heads and spec.body is None:
        out.append(Diagnostic("S02", "heads need a body", tree.key_span("heads")))
    for name, head in (spec.heads or {}).items():
        if isinstance(head, Seq):
            continue
        try:
            Head.model_validate(head if head is not None else {})
        except ValidationError as error:
            keys = [f.alias or n for n, f in Head.model_fields.items()]
            for e in refused(error):
                path = ("heads", name, *e.path)
                if e.kind == "unknown_key":
                    hint = head_hint(head, str(e.path[-1]), keys)
                    message = f"a head has no key {shown(e.path[-1])}"
                    out.append(Diagnostic("S01", message, place(tree, path, key=True), hint))
                else:
                    message = (
                        "a head is a map or a list of steps" if not e.path else f"a head's {e.path[-1]} {e.message}"
                    )
                    out.append(Diagnostic("S02", message, place(tree, path), _head_hint(path, e.value) or e.help))
    return out


def _head_hint(path: Sequence[str | int], value: object) -> str | None:
    return head_form(str(path[1]), value) if len(path) == 2 else form_hint(path, value)
