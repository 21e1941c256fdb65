"""From a file and what is set to a graph, or to all mistakes, with the sizes that would do where a size is at fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

from archspec.frontend.arguments import Arguments
from archspec.frontend.assemble import Shapes, assemble, expected
from archspec.frontend.document import Document, document, expectations
from archspec.frontend.files import Library
from archspec.frontend.inputs import symbols
from archspec.frontend.parameters import parameters
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError, did_you_mean, shown
from archspec.ir.graph import Graph


def opened(path: Path, name: str, variant: str | None, set: Mapping[str, Any]) -> Graph:
    """The graph of one variant of a file. Raises SpecError, OSError."""
    library = Library()
    found = library.open(path, name)
    return _graph(found, library, variant, set)


def every(path: Path, name: str, variant: str | None, set: Mapping[str, Any]) -> list[Graph]:
    """The graphs of all variants of a file, or of the one that is named, with what the file expects of them.

    Also looks at what no call reaches. Raises SpecError with what is wrong in any.
    """
    library = Library()
    found = library.open(path, name)
    variants: list[str | None] = [variant] if variant else list(found.spec.variants)
    if not variants or (not variant and _stands_alone(found)):
        variants.insert(0, None)
    graphs: list[Graph] = []
    problems = {(d.code, d.span.order): d for d in expectations(found)}
    is_expected = not problems and not set
    for each in variants:
        try:
            graph = _graph(found, library, each, set, thorough=True)
            graphs.append(replace(graph, expect=expected(found, each)) if is_expected else graph)
        except SpecError as error:
            for d in error.diagnostics:
                problems.setdefault((d.code, d.span.order), d)
    if problems:
        raise SpecError(problems.values())
    return graphs


def from_text(
    text: str, name: str, set: Mapping[str, Any], *, max_layers: int | None = None, neighbours: bool = True
) -> Graph:
    """The graph of a spec given as text. Raises SpecError."""
    library = Library()
    found = document(Source(name, text))
    library.documents[name] = found
    return _graph(found, library, None, set, max_layers=max_layers, neighbours=neighbours)


def _stands_alone(found: Document) -> bool:
    """Whether a file is a network without a variant: every parameter has a default."""
    from archspec.frontend.parameters import REQUIRED

    return all(p.default is not REQUIRED for p in parameters(found.spec.params)[0].values())


def _graph(
    found: Document,
    library: Library,
    variant: str | None,
    set: Mapping[str, Any],
    *,
    max_layers: int | None = None,
    neighbours: bool = True,
    thorough: bool = False,
) -> Graph:
    if variant is not None and variant not in found.spec.variants:
        if variant == found.spec.name:
            variant = None
        else:
            known = [*found.spec.variants]
            hint = did_you_mean(variant, known) or (f"known are {', '.join(known)}" if known else "the spec has none")
            at = Span(Source("--variant", variant), 1, 1, max(1, len(variant)))
            raise SpecError([Diagnostic("V01", f"{found.spec.name} has no variant {shown(variant)}", at, hint)])
    given = _settings(found, set)
    try:
        return assemble(found, library, variant=variant, max_layers=max_layers, thorough=thorough, **given)
    except SpecError as error:
        if not neighbours or given["shapes"] or not all(d.code in ("H01", "H02") for d in error.diagnostics):
            raise
        from archspec.frontend.neighbours import with_sizes

        raise with_sizes(error, found, library, variant, given["args"]) from None


class _Given(TypedDict):
    args: Arguments
    shapes: Shapes
    sizes: dict[str, int]


def _settings(found: Document, set: Mapping[str, Any]) -> _Given:
    """``--set`` values, placed in what was typed: of parameters, else of inputs (a shape) or sizes left open by name.

    Raises SpecError.
    """
    declared = parameters(found.spec.params)[0]
    inputs = found.spec.inputs or {}
    opened = symbols(found.spec.inputs)
    given: _Given = {"args": {}, "shapes": {}, "sizes": {}}
    problems = []
    for name, value in set.items():
        text = f"{name}={value if isinstance(value, (str, int, float)) else shown(value)}"
        span = Span(Source("--set", text), 1, 1, len(text))
        if name in declared:
            given["args"][name] = (_plain(value), span)
        elif name in inputs:
            shape = _plain(value)
            if isinstance(shape, list) and all(n is None or (type(n) is int and n > 0) for n in shape):
                given["shapes"][name] = tuple(shape)
            else:
                message = f"the shape of input '{name}' must be a list of sizes, got {shown(value)}"
                problems.append(Diagnostic("T01", message, span, f"--set {name}='[224, 224, 3]'"))
        elif name in opened:
            if type(value) is int and value > 0:
                given["sizes"][name] = value
            else:
                problems.append(Diagnostic("T01", f"size {name} must be a positive integer, got {shown(value)}", span))
        else:
            known = [*declared, *inputs, *sorted(opened)]
            hint = did_you_mean(name, known) or (f"known are {', '.join(known)}" if known else "it has none")
            problems.append(Diagnostic("P01", f"{found.spec.name} has no parameter '{name}'", span, hint))
    if problems:
        raise SpecError(problems)
    return given


def _plain(value: Any) -> Any:
    """Lists and maps of a reader, or tuples of a caller, as plain lists and dicts."""
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value
