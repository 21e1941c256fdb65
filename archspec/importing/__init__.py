"""Files of other programs that say a network → specs, with the weights where a file has them.

A format is a folder of ``formats``: it says which files are its own (``SUFFIXES``, and ``WEIGHTS`` for those of weights
that may come along), and ``read`` makes a ``ReadNetwork`` of one, without Keras or TensorFlow. What follows is the same
for all: the ops infer shapes, which are compared with what the file's own program says; ``archspec.writing`` writes the
spec, reads it again and compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from archspec.importing.network import ReadNetwork, refused, whole
from archspec.ir.diagnostics import Diagnostic, Span, SpecError, in_order
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np

FOLDER = Path(__file__).parent / "formats"


@dataclass(frozen=True, slots=True)
class ImportedNetwork:
    """A spec's text and its graph, what was left out, figures by the rules of the file's own program, and its weights
    by ``layer/weight``; None where there are none."""

    text: str
    graph: Graph
    warnings: tuple[Diagnostic, ...]
    notes: tuple[str, ...]
    weights: dict[str, np.ndarray] | None


def readers() -> Iterator[ModuleType]:
    """The modules of all formats."""
    for path in sorted(FOLDER.glob("*/__init__.py")):
        yield import_module(f"{__name__}.formats.{path.parent.name}")


def imported(path: Path, weights: Path | None = None, *, wants_weights: bool = False) -> ImportedNetwork:
    """The spec of a file's network; ``weights`` is a file of weights apart from it.

    Raises SpecError (I01 to I05, and codes of the language where an op refuses a layer), OSError.
    """
    kinds = {suffix: module for module in readers() for suffix in module.SUFFIXES}
    module = kinds.get(path.suffix.lower())
    if module is None:
        raise refused("I01", f"networks are not read from such a file; the kinds are {', '.join(kinds)}", whole(path))
    if weights is not None and weights.suffix.lower() not in module.WEIGHTS:
        known = (
            f"those of {path.suffix} end in {' or '.join(module.WEIGHTS)}"
            if module.WEIGHTS
            else (f"a {path.suffix} file has no file of weights beside it")
        )
        raise refused("I05", f"weights are not read from such a file; {known}", whole(weights))
    network: ReadNetwork = module.read(path, weights)
    graph = _graph(network, path)
    text, written = _written(network, graph, path)
    wants_weights = wants_weights or weights is not None
    values = _weights(network, graph, weights or path) if wants_weights or network.arrays else {}
    found = network.draft.weights_of(graph, values, written) if wants_weights else None
    return ImportedNetwork(text, written, in_order(network.warnings), tuple(network.notes), found)


def _graph(network: ReadNetwork, path: Path) -> Graph:
    """The graph, whose shapes are those that the file's own program has. Raises SpecError."""
    from archspec.writing.draft import RefusedSteps

    try:
        graph = network.draft.graph()
    except RefusedSteps as error:
        raise SpecError(
            replace(said, span=origin or whole(path), help=None, notes=()) for origin, said in error.found
        ) from None
    found: dict[Span, Diagnostic] = {}
    for name, shape in network.shapes.items():
        node, origin = graph.by_name.get(name), network.draft.origin(name)
        if node is not None and shape is not None and node.output.shape != shape:
            found.setdefault(origin, _differs(origin, shape, node.output.shape))
    if found:
        raise SpecError(found.values())
    return graph


def _differs(origin: Span, theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> Diagnostic:
    return Diagnostic("I04", f"its output is {_said(theirs)} there, and {_said(ours)} as an op", origin)


def _said(shape: tuple[Any, ...]) -> str:
    return "×".join("?" if size is None else str(size) for size in shape) or "a number"


def _written(network: ReadNetwork, graph: Graph, path: Path) -> tuple[str, Graph]:
    from archspec.frontend import loads
    from archspec.writing import Unwritable, spec_text

    try:
        text = spec_text(graph)
    except Unwritable as error:
        raise refused("I02", f"no spec says this network: {error}", whole(path)) from None
    return text, loads(text, f"{graph.name}.yaml", neighbours=False)


def _weights(network: ReadNetwork, graph: Graph, path: Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of all nodes that have weights. Raises SpecError."""
    import numpy as np

    values: dict[str, dict[str, np.ndarray]] = {}
    for node in graph.nodes:
        stored = network.arrays.get(node.name, {})
        for weight in node.weights:
            origin = network.draft.origin(node.name)
            if weight.name not in stored:
                if not network.arrays:
                    raise refused(
                        "I05", "it holds no weights; give the file that does as a second argument", whole(path)
                    )
                raise refused("I05", f"{path.name} has no {weight.name} for this layer", origin)
            array = np.asarray(stored[weight.name](), "float32")
            if array.shape != weight.shape:
                raise refused("I05", f"its {weight.name} is {array.shape}, a {node.op.name} has {weight.shape}", origin)
            if not np.isfinite(array).all():
                raise refused("I05", f"its {weight.name} holds NaN or infinity", origin)
            values.setdefault(node.name, {})[weight.name] = array
    return values


def ordered_weights(path: Path, graph: Graph) -> dict[str, np.ndarray] | None:
    """Weights by ``layer/weight`` out of a file that says no names and no shapes, in the order of the graph's layers;
    None for other files. Raises SpecError (I05) where they do not fit, OSError."""
    for module in readers():
        if path.suffix.lower() in module.WEIGHTS and hasattr(module, "ordered"):
            found = module.ordered(path, graph)
            values = {f"{layer}/{name}": read() for layer, arrays in found.items() for name, read in arrays.items()}
            _check_order(path, values)
            return values
    return None


def _check_order(path: Path, values: dict[str, np.ndarray]) -> None:
    """Raises SpecError where numbers cannot be what they were taken for: another order gives variances below 0."""
    for name, array in values.items():
        if name.endswith("/moving_variance") and not (array >= 0).all():
            said = f"{name} would have numbers below 0: its layers are in another order than the spec's"
            raise refused("I05", said, whole(path), "archspec import takes the network's own file beside it")
