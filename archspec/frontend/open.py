"""From a file and what is set to a graph, or to all mistakes, with the sizes that would do where a size is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from archspec.frontend.arguments import Arguments
from archspec.frontend.assemble import Shapes, elaborated
from archspec.frontend.calls import file_of
from archspec.frontend.document import Document, document
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.files import Library
from archspec.frontend.inputs import symbols
from archspec.frontend.parameters import near_variant, parameters
from archspec.frontend.scope import Bundle, StepResult
from archspec.frontend.walk import MAX_LAYERS
from archspec.frontend.yaml_source import MAX_DEPTH, MAX_NODES
from archspec.ir.diagnostics import Diagnostic, Source, SpecError, did_you_mean, known_are, shown, typed
from archspec.ir.graph import Graph
from archspec.ir.tensors import TensorSpec


def load_graph(path: Path, name: str, variant: str | None, set: Mapping[str, Any]) -> Graph:
    """The graph of one variant of a file. Raises SpecError, OSError."""
    library = Library()
    found = library.open(path, name)
    return _graph(found, library, variant, set)


def ports_of(path: Path, name: str, variant: str | None) -> dict[str, TensorSpec]:
    """What who uses a file can take of it besides its result: the named steps of its body, ``stem`` and ``c[4]``. None
    of a file of networks. Raises SpecError, OSError."""
    library = Library()
    walk = Elaborator(library)
    if elaboration(library.open(path, name), library, variant, {}, walk, thorough=False) is None:
        raise SpecError(walk.problems.values())
    return dict(_flat(walk.end.scope.names)) if walk.end is not None else {}


def _flat(results: Mapping[Any, Any], within: str = "") -> Iterator[tuple[str, TensorSpec]]:
    """Results by name, members of families by name and index."""
    for key, value in results.items():
        name = f"{within}[{key}]" if within else str(key)
        if isinstance(value, Bundle):
            yield from _flat(value.elements, name)
        elif isinstance(value, StepResult):
            yield name, value.spec


def from_text(
    text: str,
    name: str,
    variant: str | None,
    set: Mapping[str, Any],
    *,
    max_layers: int = MAX_LAYERS,
    neighbours: bool = True,
) -> Graph:
    """The graph of a spec given as text. Raises SpecError."""
    library = Library()
    found = document(Source(name, text))
    library.documents[name] = found
    return _graph(found, library, variant, set, max_layers=max_layers, neighbours=neighbours)


def elaboration(
    found: Document, library: Library, variant: str | None, set: Mapping[str, Any], walk: Elaborator, *, thorough: bool
) -> Graph | None:
    """The graph of one variant, or None where ``walk`` has kept mistakes. Raises SpecError for a variant or a value of
    ``set`` that the file does not know."""
    given = _settings(found, set)
    walk.sizes = given["sizes"]
    return elaborated(
        walk,
        found,
        variant=_known(found, variant),
        args=given["args"],
        shapes=given["shapes"],
        thorough=thorough,
    )


def parameters_of(
    found: Document, library: Library, variant: str | None, set: Mapping[str, Any], walk: Elaborator
) -> Mapping[str, Any]:
    """The parameters of one variant. Mistakes are reported to ``walk``. Raises SpecError as ``elaboration`` does."""
    given = _settings(found, set)["args"]
    return file_of(walk, found, given, found.span("name"), variant=_known(found, variant)).params


def helped(
    problems: Iterable[Diagnostic], found: Document, library: Library, variant: str | None, set: Mapping[str, Any]
) -> list[Diagnostic]:
    """The mistakes of one variant, with the sizes that would do where a size is at fault."""
    problems = list(problems)
    given = _settings(found, set)
    if given["shapes"] or not all(d.code in ("H01", "H02") for d in problems):
        return problems
    from archspec.frontend.neighbours import size_hints

    return size_hints(problems, found, library, _known(found, variant), given["args"])


def _known(found: Document, variant: str | None) -> str | None:
    """The variant that is meant; the file's own name means none. Raises SpecError."""
    if variant is None or variant in found.spec.variants:
        return variant
    if variant == found.spec.name:
        return None
    from archspec.frontend import catalogue

    known = [*found.spec.variants]
    hint = catalogue.owner(variant) or (near_variant(variant, found.spec.name, known) if known else "the spec has none")
    message = f"{found.spec.name} has no variant {shown(variant)}"
    raise SpecError([Diagnostic("V01", message, typed("--variant", variant), hint)])


def _graph(
    found: Document,
    library: Library,
    variant: str | None,
    set: Mapping[str, Any],
    *,
    max_layers: int = MAX_LAYERS,
    neighbours: bool = True,
) -> Graph:
    walk = Elaborator(library, max_layers=max_layers)
    graph = elaboration(found, library, variant, set, walk, thorough=False)
    if graph is None:
        problems = walk.problems.values()
        raise SpecError(helped(problems, found, library, variant, set) if neighbours else problems)
    return graph


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
        span = typed("--set", text)
        if name in declared:
            given["args"][name] = (plain(value), span)
        elif name in inputs:
            shape = plain(value)
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
            hint = did_you_mean(name, known) or (known_are(known, name) if known else "it has none")
            if name == "variant" and found.spec.variants:
                hint = f"a variant is no parameter and has a key of its own: variant: {value}"
            problems.append(Diagnostic("P01", f"{found.spec.name} has no parameter '{name}'", span, hint))
    if problems:
        raise SpecError(problems)
    return given


class Unbounded(ValueError):
    """Values that are given in Python are more than a text may hold, or hold themselves."""


def plain(value: object) -> Any:
    """Lists and maps of a reader, or tuples of a caller, as plain lists and dicts. Raises Unbounded for more levels or
    values than a text may have."""
    left = MAX_NODES

    def copy(value: object, level: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Unbounded(f"more than {MAX_NODES:,} values")
        if not isinstance(value, (list, tuple, Mapping)):
            return value
        if level == MAX_DEPTH:
            raise Unbounded(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            return {k: copy(v, level + 1) for k, v in value.items()}
        return [copy(v, level + 1) for v in value]

    return copy(value, 0)


def must_be_bounded(given: Mapping[str, Any]) -> None:
    """Raises SpecError for values of keywords that no text could hold, before anything tries to show them."""
    problems = []
    for name, value in given.items():
        try:
            plain(value)
        except Unbounded as error:
            problems.append(Diagnostic("Y07", str(error), typed(f"{name} =", "…")))
    if problems:
        raise SpecError(problems)
