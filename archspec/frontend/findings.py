"""All that can be said of a spec: the graphs of its variants, what is wrong, and what is hardly meant."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.frontend import lint
from archspec.frontend.document import Document, document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.expectations import expectations, expected
from archspec.frontend.files import Library, find
from archspec.frontend.ignored import heeded
from archspec.frontend.lint.rule import Subject
from archspec.frontend.open import elaboration, helped, parameters_of
from archspec.frontend.parameters import REQUIRED, parameters
from archspec.frontend.reading import decoded
from archspec.frontend.trace import Trace
from archspec.frontend.walk import MAX_LAYERS, MAX_STEPS, Failed
from archspec.ir.diagnostics import MAX_DIAGNOSTICS, Diagnostic, Source, Span, SpecError, in_order
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    from archspec.frontend.symbols import Symbols

OTHERS = 500
"""Steps and layers that may be elaborated for further variants once one has mistakes, which are mostly those of all."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a spec.

    ``graphs`` are those of every variant, none where there are errors; ``diagnostics`` are errors and warnings, in the
    order of the text. ``partial`` is there in place of graphs that cannot be made: the inputs and nodes of the first
    variant with mistakes, as far as they could be made, without outputs.
    """

    graphs: tuple[Graph, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    partial: Graph | None = None
    document: Document | None = None
    """What the file says, where it can be read."""
    traces: tuple[Trace, ...] = ()
    """Which steps made which nodes, for each graph."""
    files: tuple[Path, ...] = ()
    """What was looked for to know this: the file and those that it uses, whether they are there or not."""

    @property
    def symbols(self) -> Symbols:
        """The names of the text with their places, and what they come to in the first graph, or as far as one could be
        made; none where the text cannot be read."""
        from archspec.frontend.symbol_reader import symbols_of
        from archspec.frontend.symbols import Symbols

        if self.document is None:
            return Symbols()
        graph = self.graph or self.partial
        return symbols_of(self.document, graph.nodes if graph else (), graph.inputs if graph else {})

    @property
    def graph(self) -> Graph | None:
        """The first graph, if there is one."""
        return self.graphs[0] if self.graphs else None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """What leaves no graph."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What can be built and is hardly meant."""
        return tuple(d for d in self.diagnostics if d.severity == "warning")

    def accepted(self) -> list[Graph]:
        """The graphs. Raises SpecError where there are errors."""
        if self.errors:
            raise SpecError(self.errors)
        return list(self.graphs)


def analysis(
    name: str, variant: str | None, set: Mapping[str, Any], data: bytes | None, folder: Path | None
) -> Analysis:
    """The analysis of what a person names, or of ``data`` in a folder, reported under the name. Raises nothing."""
    library = Library()
    found: Document | None = None
    try:
        if data is not None:
            found = library.documents[name] = document(decoded(data, name))
            if folder is not None:
                library.lies_in(found, folder)
            made = _analysed(found, library, variant, set)
            return replace(made, document=found, files=tuple(library.asked))
        path, reported, named = find(name)
        found = library.open(path, reported)
        made = _analysed(found, library, variant or named, set)
        return replace(made, document=found, files=tuple(library.asked))
    except SpecError as error:
        return Analysis(diagnostics=error.diagnostics, document=found, files=tuple(library.asked))
    except OSError as error:
        at = Span(Source(name, ""), 1, 1)
        said = Diagnostic("F01", error.strerror or str(error), at)
        return Analysis(diagnostics=(said,), files=tuple(library.asked))


def _analysed(found: Document, library: Library, variant: str | None, set: Mapping[str, Any]) -> Analysis:
    variants: list[str | None] = [variant] if variant else list(found.spec.variants)
    if not variants or (not variant and _stands_alone(found)):
        variants.insert(0, None)
    problems = {(d.code, d.span.order): d for d in expectations(found)}
    is_expected = not problems and not set
    graphs: list[Graph] = []
    traces: list[Trace] = []
    partial: Graph | None = None
    left: int | None = OTHERS if problems else None
    called: builtins.set[int] = builtins.set()
    for each in _most_doubtful_first(variants, found, library, set):
        is_first = left is None
        walk = Elaborator(library, max_layers=left or MAX_LAYERS, max_steps=left or MAX_STEPS, trace=Trace())
        # A block that an earlier variant calls, or that was looked at without arguments, need not be looked at again.
        walk.called |= called
        graph = elaboration(found, library, each, set, walk, thorough=True)
        called |= walk.called
        if graph is None:
            told: list[Diagnostic] = list(walk.problems.values())
            if not is_first:
                # The limits are this search's own.
                told = [d for d in told if d.code not in ("B01", "B02")]
            if partial is None and told:
                told = helped(told, found, library, each, set)
                partial = Graph(found.spec.name, walk.inputs, tuple(walk.nodes), (), variant=each)
                left = OTHERS if left is None else left
            for d in told:
                problems.setdefault((d.code, d.span.order), d)
        elif not problems:
            assert walk.trace is not None
            walk.trace.close(walk.nodes, graph)
            traces.append(walk.trace)
            graphs.append(replace(graph, expect=expected(found, each)) if is_expected else graph)
        if left is not None and not is_first:
            left -= walk.steps + len(walk.nodes)
            if left <= 0:
                break
    order = sorted(range(len(graphs)), key=lambda i: variants.index(graphs[i].variant))
    graphs, traces = [graphs[i] for i in order], [traces[i] for i in order]
    found_odd = lint.of_declarations(found)
    if not problems:
        found_odd += lint.of_graphs(Subject(found, tuple(graphs), tuple(traces)))
    diagnostics = in_order([*problems.values(), *heeded(found_odd)])[:MAX_DIAGNOSTICS]
    if problems:
        return Analysis((), diagnostics, partial)
    return Analysis(tuple(graphs), diagnostics, partial, traces=tuple(traces))


def _most_doubtful_first(
    variants: list[str | None], found: Document, library: Library, set: Mapping[str, Any]
) -> list[str | None]:
    """The variants in the order in which a mistake is likely, so that it shows before much is elaborated: those whose
    parameters are wrong without a step, then those with values of other kinds than most variants have."""
    if len(variants) < 2:
        return variants
    kinds = [{name: _kind(value) for name, value in found.spec.variants.get(v or "", {}).items()} for v in variants]
    usual = {
        name: Counter(kind[name] for kind in kinds if name in kind).most_common(1)[0][0]
        for name in {name for kind in kinds for name in kind}
    }
    odd = [sum(kind[name] != usual[name] for name in kind) for kind in kinds]
    wrong = [_is_wrongly_given(found, library, v, set) for v in variants]
    order = sorted(range(len(variants)), key=lambda i: (not wrong[i], -odd[i]))
    return [variants[i] for i in order]


LARGE = 10_000
"""Of sizes and counts in specs, few are larger."""


def _kind(value: object) -> Any:
    """What sort of value it is: its type, and of numbers whether they are positive and of a usual size."""
    if isinstance(value, list):
        return ("list", frozenset(_kind(item) for item in value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (type(value).__name__, value > 0, value > LARGE)
    return (type(value).__name__, value[:1] == "=" if isinstance(value, str) else None)


def _is_wrongly_given(found: Document, library: Library, variant: str | None, set: Mapping[str, Any]) -> bool:
    """Whether the parameters of a variant can be had: its arguments, and the defaults of what it does not give."""
    walk = Elaborator(library, fails_fast=True)
    try:
        parameters_of(found, library, variant, set, walk)
    except Failed:
        return True
    except SpecError:
        return False  # What was typed is wrong, whatever the variant.
    return False


def _stands_alone(found: Document) -> bool:
    """Whether a file is a network without a variant: every parameter has a default."""
    return all(p.default is not REQUIRED for p in parameters(found.spec.params)[0].values())
