"""Where a file gives its names: what is said of one that is not known where it is used."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any, NamedTuple

from archspec.frontend.document import SHAPE_WORDS, Document
from archspec.frontend.scope import NOTHING, POISON, Bundle, Scope, StepResult
from archspec.frontend.steps import Step, chains_in, steps_of
from archspec.frontend.yaml_source import Map, Seq
from archspec.ir.diagnostics import Span, did_you_mean, plain
from archspec.ops.base import Op

MAX_LISTED = 12


class Definitions(NamedTuple):
    """The lines where ``as`` gives each name, and the lines where the parts of the file begin, with what they are."""

    lines: Mapping[str, list[int]]
    loops: Mapping[str, int]
    """The line of the first loop that has each variable."""
    starts: list[int]
    parts: list[str]

    def part(self, line: int) -> str:
        """The body, block, network or head that a line is in."""
        at = bisect_right(self.starts, line)
        return self.parts[at - 1] if at else ""


def definitions(document: Document) -> Definitions:
    """Where a file gives its names. Read only once."""
    tree = document.tree
    if tree.memo is None:
        lines: dict[str, list[int]] = {}
        loops: dict[str, int] = {}
        for chain in _chains(tree):
            for step in _steps(chain):
                if step.name is not None:
                    lines.setdefault(step.name.partition("[")[0], []).append(step.modifier_span("as").line)
                for turns in (step.repeat, step.each):
                    if type(turns) is Map:
                        for name in turns:
                            loops.setdefault(name, turns.key_span(name).line)
        parts = sorted(_parts(tree))
        tree.memo = Definitions(lines, loops, [line for line, _ in parts], [part for _, part in parts])
    found: Definitions = tree.memo
    return found


def _parts(tree: Map) -> Iterator[tuple[int, str]]:
    for key in tree:
        yield tree.key_span(key).line, key
        section = tree[key]
        if key in ("blocks", "networks", "heads") and isinstance(section, Map):
            for name in section:
                yield section.key_span(name).line, f"{key[:-1]} '{name}'"


def _chains(tree: Map) -> Iterator[Seq]:
    sections = [tree.get(key) for key in ("blocks", "networks", "heads")]
    for part in (tree, tree.get("train"), *(v for s in sections if isinstance(s, Map) for v in s.values())):
        body = part.get("body") if isinstance(part, Map) else part
        if isinstance(body, Seq):
            yield body


def _steps(chain: Seq) -> Iterator[Step]:
    todo = [chain]
    while todo:
        for step in steps_of(todo.pop())[0]:
            if step is not None:
                yield step
                todo.extend(chains_in(step))


def unknown_help(name: str, scope: Scope, at: Span, *, is_result: bool) -> str | None:
    """The help for a name that means nothing at a place. ``is_result`` says whether a step's result is wanted."""
    if name in ("null", "none", "true", "false"):
        if name in ("true", "false"):
            return "a truth value stands alone: =deep in place of deep == true, =not deep in place of deep == false"
        return "an expression has no null: compare with a value, or with []"
    if name in ("params", "inputs", "self", "args", "cfg", "config", "hparams", "blocks", "body"):
        rest = re.search(rf"\b{name}\.(\w+)", at.source.line(at.line)[at.column - 1 :][:80], re.ASCII)
        if rest is not None and scope.get(rest[1]) is not NOTHING:
            return f"names stand alone: {rest[1]} instead of {name}.{rest[1]}"
    compared = re.search(rf"\b(\w+)\s*[=!]=\s*{name}\b", at.source.line(at.line)[at.column - 1 :][:80], re.ASCII)
    if compared is not None and isinstance(scope.get(compared[1]), str):
        return f'a word has quotes: {compared[0][: -len(name)]}"{name}"'
    document: Document = scope.frame.file.document
    if document.source is at.source and (placed := _elsewhere(definitions(document), name, at)):
        return placed
    known = scope.known()
    variables = _variables(scope)
    if (said := _meant(name, scope, at, known, variables, is_result=is_result)) is not None:
        return said
    if line := definitions(document).loops.get(name) if document.source is at.source and not variables else None:
        return f"'{name}' is a variable of the loop at line {line}, not known outside: write its value here"
    if is_result and document.source is at.source and (step := _unnamed(document, name, at)) is not None:
        written = f"{step.op}" if step.args is None else f"{step.op}: {plain(step.args)}"
        return f"a result is taken by the name that as gives, at line {step.span.line}: {{{written}, as: {name}}}"
    near = _other_number(name, known) or did_you_mean(name, known)
    if near is not None and (is_result or len(name) > 2 or not variables):
        return near
    if variables and not is_result:
        are = "loop variables here are" if len(variables) > 1 else "the loop variable here is"
        return f"{are} {', '.join(variables)}"
    fits = [k for k in dict.fromkeys(known) if _is_wanted(scope, k, is_result=is_result)]
    if not fits and not is_result and not iskeyword(name):
        return f"a block and a file see their own parameters: params: {{{name}: int}}"
    return f"known here are {', '.join(fits[-MAX_LISTED:])}" if fits else None


_SIZE = re.compile(rf"(?:([A-Za-z_]\w*?)_)?({'|'.join(SHAPE_WORDS)})", re.ASCII)


def _meant(name: str, scope: Scope, at: Span, known: list[str], variables: list[str], *, is_result: bool) -> str | None:
    """What a name means that means nothing as it is: something of the file that is taken otherwise."""
    document: Document = scope.frame.file.document
    declared = document.spec.params
    if declared is not None and name in declared and document.source is at.source:
        line = declared.key_span(name).line
        return f"'{name}' is given later, at line {line}: a parameter is given before it is read"
    if not is_result and (name in scope.frame.file.callees or Op.find(name) is not None):
        return f"the name of an op or block has no '=': {name}"
    base, _, index = name.rpartition("_")
    if not base and (numbered := re.fullmatch(r"([A-Za-z_]+?)(\d{1,6})", name[:64], re.ASCII)) is not None:
        base, index = numbered.groups()
    family = scope.get(base) if base else None
    if isinstance(family, Bundle) and (index.isdigit() or index in variables):
        return f'members of a family go by index: "{base}[{index}]"'
    if is_result:
        return None
    if (size := _SIZE.fullmatch(name)) is not None:
        of = size[1] if size[1] in known else "prev"
        if size[1] is None or size[1] in known or size[1] in ("in", "out"):
            return f"sizes are taken of a result: {'input' if size[1] == 'in' else of}.{size[2]}"
    if name in (document.spec.inputs or {}):
        return f"a block does not see the file's inputs; what it is given is called input: input.{SHAPE_WORDS[0]}"
    is_looped = scope.parent is not None and not variables
    if is_looped and (len(name) == 1 or name in definitions(document).loops):
        return f"a loop gives its variable a name: {{{name}: …}}"
    return None


def _unnamed(document: Document, name: str, at: Span) -> Step | None:
    """The last step before a place whose op is taken for the name of its result."""
    found, base = None, re.sub(r"_\d+$", "", name)
    for chain in _chains(document.tree):
        for step in _steps(chain):
            is_before = (step.span.line, step.span.column) < (at.line, at.column)
            if step.op in (name, base) and step.name is None and step.span.source is at.source and is_before:
                found = step
    return found


def _elsewhere(found: Definitions, name: str, at: Span) -> str | None:
    """Where in the file a name is given that is not there yet, or not seen from here."""
    lines = found.lines.get(name, [])
    here = found.part(at.line)
    if later := [line for line in lines if line >= at.line and found.part(line) == here]:
        if later == [at.line] and _is_own(name, at):
            return f"'{name}' is what this step gives: it takes another result, or prev"
        return f"'{name}' is given later, at line {later[0]}: a name is given before it is used"
    for line in lines:
        part = found.part(line)
        if part != here and part.partition(" ")[0] in ("block", "network", "head"):
            return f"'{name}' is a name within {part} (line {line}), not seen here"
    return None


def _is_own(name: str, at: Span) -> bool:
    """Whether a step within one line takes the name that it gives."""
    line = at.source.line(at.line)
    start = line.rfind("{", 0, at.column - 1)
    end = line.find("}", at.column - 1)
    return re.search(rf"(?<!\w)as:\s*[\"']?{name}\b", line[start + 1 : end if end >= 0 else None]) is not None


def _variables(scope: Scope) -> list[str]:
    out: list[str] = []
    inner: Scope | None = scope
    while inner is not None:
        out += inner.variables
        inner = inner.parent
    return out


def _other_number(name: str, known: list[str]) -> str | None:
    """A known name that differs from an unknown one in its number: C5 for C6."""
    match = re.fullmatch(r"([A-Za-z_]+)(\d{1,6})", name[:64], re.ASCII)
    if match is None:
        return None
    numbers = [int(k[len(match[1]) :]) for k in known if re.fullmatch(rf"{match[1]}\d{{1,6}}", k, re.ASCII)]
    near = min(numbers, key=lambda n: abs(n - int(match[2])), default=None)
    return None if near is None else f"did you mean '{match[1]}{near}'?"


def _is_wanted(scope: Scope, name: str, *, is_result: bool) -> bool:
    if name in ("prev", "input"):
        return False
    value: Any = scope.get(name)
    return isinstance(value, (StepResult, Bundle)) is is_result and value is not POISON
