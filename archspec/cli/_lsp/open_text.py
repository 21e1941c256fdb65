"""What is known of one text that is open in an editor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from archspec.cli import _run_check
from archspec.cli._lsp.places import Places
from archspec.frontend import analyse
from archspec.frontend.findings import Analysis
from archspec.frontend.symbols import Symbol, refuse_shared
from archspec.ir.diagnostics import Diagnostic, Source, Span, in_order, meant_by


@dataclass(frozen=True, slots=True)
class Mending:
    """A change that a diagnostic proposes: what stands from one offset to another becomes ``new``."""

    title: str
    start: int
    end: int
    new: str


@dataclass(slots=True)
class OpenText:
    """A text as it was at one moment, analysed. ``path`` need not exist, or hold the same."""

    path: Path
    places: Places
    analysis: Analysis = field(default_factory=Analysis)
    findings: tuple[Diagnostic, ...] = ()
    """Errors and warnings of ``check``, in the order of the text."""
    hints: tuple[Diagnostic, ...] = ()
    """What ``lint`` adds."""
    symbols: Sequence[Symbol] = ()

    @property
    def source(self) -> Source:
        """The text, under its file's name."""
        return Source(str(self.path), self.places.text)

    def span(self, said: Diagnostic) -> Span:
        """Where this text has a part in a finding: of one in another file, the call that leads there."""
        here = (span for span in (said.span, *(note.span for note in said.notes)) if span.source.name == str(self.path))
        return next(here, Span(self.source, 1, 1))

    def reach(self, span: Span) -> tuple[int, int]:
        """First and last offset of a span."""
        start = self.places.offset(span.line, span.column)
        return start, min(start + span.length, len(self.places.text))

    def mendings(self, said: Diagnostic) -> Iterator[Mending]:
        """What would put a finding right: the word that its help names, or taking out what does nothing."""
        from archspec.analysis.removal import is_same, removed

        start, end = self.reach(said.span)
        text = self.places.text
        meant = meant_by(said.help)
        if meant is not None and said.span.source.name == str(self.path):
            if text[start : start + 1] in ("'", '"'):
                start, end = start + 1, end - 1
            yield Mending(f"Replace by '{meant}'", start, end, meant)
        if self.analysis.graphs and (without := removed(text, said)) is not None:
            then = analyse(str(self.path), data=without.encode(), folder=self.path.parent)
            if is_same(self.analysis, then):
                yield Mending("Take out what does nothing", 0, len(text), without)


def read(path: Path, places: Places, before: OpenText | None = None) -> OpenText:
    """Analyse a text of a spec or run file. Where it cannot be read, names are those that were known ``before``."""
    out = OpenText(path, places)
    source = out.source
    if _run_check.is_run(source):
        out.findings = tuple(_run_check.faults(source, path.parent))
        return out
    out.analysis = analyse(str(path), data=places.text.encode("utf-8", "replace"), folder=path.parent)
    figures: list[Diagnostic] = []
    if not out.analysis.errors and out.analysis.document is not None:
        from archspec.analysis.expect import unmet
        from archspec.analysis.practice import findings

        figures = [said for graph in out.analysis.graphs for said in unmet(graph)]
        out.hints = tuple(findings(out.analysis))
    out.findings = in_order([*out.analysis.diagnostics, *figures])
    out.symbols = out.analysis.symbols
    if not len(out.symbols) and before is not None:
        out.symbols = before.symbols
    return out


def renamed(text: OpenText, symbol: Symbol, name: str) -> list[tuple[int, int]]:
    """First and last offsets of the places of a name that get another. Raises ValueError for what is no name, a name
    that is shared, and one that has a meaning where it would stand."""
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is None:
        raise ValueError(f"'{name}' is no name: letters, digits and _, no digit first")
    refuse_shared(symbol)
    places = sorted(text.reach(replace(span, given=None)) for span in symbol.places)
    if text.analysis.graphs and not text.analysis.errors:
        _refuse_taken(text, places, name)
    return places


def _refuse_taken(text: OpenText, places: Sequence[tuple[int, int]], name: str) -> None:
    """Raises ValueError where the text with another name in these places is wrong, or says another network."""
    from archspec.writing.equality import is_same

    new, at = "", 0
    for start, end in places:
        new, at = f"{new}{text.places.text[at:start]}{name}", end
    new += text.places.text[at:]
    then = analyse(str(text.path), data=new.encode("utf-8", "replace"), folder=text.path.parent)
    if then.errors:
        raise ValueError(f"'{name}' cannot stand here: {then.errors[0].message}")
    if len(then.graphs) != len(text.analysis.graphs) or not all(map(is_same, then.graphs, text.analysis.graphs)):
        raise ValueError(f"'{name}' is taken: the network would be another")


def hover(text: OpenText, line: int, column: int) -> str | None:
    """Markdown about what stands at a place: a name's tensor and costs, what a step's op is and makes."""
    from archspec.report.format import exact, quantity

    parts: list[str] = []
    symbol = text.analysis.symbols.at(line, column)
    nodes = text.analysis.symbols.nodes_at(line, column)
    if symbol is not None:
        spec = f": `{symbol.spec}`" if symbol.spec is not None else ""
        parts.append(f"**{symbol.name}** ({symbol.kind}){spec}")
    if not nodes:
        # Those of a call stand in the block's text, and are known by the name that the step gives.
        steps = (s for s in text.analysis.symbols if s.kind == "step" and s.definition.line == line)
        nodes = [node for step in steps for node in step.nodes]
    for node in nodes[:8]:
        inputs = ", ".join(str(spec) for spec in node.input_specs)
        outputs = ", ".join(str(spec) for spec in node.outputs)
        cost = node.cost()
        params = sum(weight.size for weight in node.weights)
        parts.append(
            f"`{node.name}`: {node.op.name}, `{inputs}` → `{outputs}`, "
            f"{exact(params)} parameters, {quantity(cost.macs)} MACs"
        )
    if len(nodes) > 8:
        parts.append(f"… and {len(nodes) - 8} more nodes")
    if (about := _about(word_at(text.places, line, column))) is not None and (symbol is None):
        parts.append(about)
    return "\n\n".join(parts) or None


def word_at(places: Places, line: int, column: int) -> str:
    """The word around a place."""
    at = places.offset(line, column)
    before = re.search(r"\w*$", places.text[:at])
    after = re.match(r"\w*", places.text[at:])
    return (before[0] if before else "") + (after[0] if after else "")


def _about(word: str) -> str | None:
    """What an op is, and what it takes."""
    from archspec.ops.base import Op
    from archspec.report.vocabulary import entry

    op = Op.find(word) if word else None
    if op is None:
        return None
    found = entry(op)
    lines = [f"**{found.name}**: {found.doc.replace('``', '`')}", ""]
    for argument in found.arguments:
        default = "required" if argument.default is None else f"default {argument.default}"
        lines.append(f"- `{argument.name}`: {argument.type}, {default}. {argument.doc}".replace("``", "`").rstrip())
    return "\n".join(lines)
