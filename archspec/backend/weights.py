"""Weights from elsewhere into a spec: which array is which weight, or a refusal.

Four ways, the first that applies: rules that a person wrote; equal names, as in files that archspec wrote; equal
wiring, where the source tells it; else the order of the file, which then must have the spec's shapes in the spec's
order, or leave no choice where it has not. Nothing is guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Archive, StoredLayer, WeightsError
from archspec.backend.build import weight_name
from archspec.backend.layouts import converted, in_order, node_label, stored_label
from archspec.backend.tracing import Orders
from archspec.backend.wiring import Wiring, corresponding
from archspec.ir.graph import Graph, Node

if TYPE_CHECKING:
    import keras
    import numpy as np

    from archspec.backend.rules import Rules
    from archspec.ir.counterpart import Side


def transfer(source: keras.Model, graph: Graph, model: keras.Model) -> dict[str, str]:
    """Give ``model``, compiled from ``graph``, the weights of another Keras model; what went where, by layer names.

    Raises WeightsError unless wiring and shapes leave exactly one way.
    """
    from archspec.backend.importers import keras_config

    archive = keras_config.archive(source)
    pairs = match(archive, graph)
    assign(model, arrays(archive, graph, pairs))
    return {layer: stored.name for layer, stored in pairs.items()}


def match(archive: Archive, graph: Graph, rules: Rules | None = None) -> dict[str, StoredLayer]:
    """Layer of the graph → layer of the archive, for all that hold weights. Raises WeightsError."""
    nodes: Sequence[Node] = [node for node in graph.owners() if node.weights]
    layers: Sequence[StoredLayer] = archive.layers
    if rules:
        nodes, layers, pairs = rules.apply(nodes, layers)
        if pairs:
            return _checked(pairs, nodes, layers, archive)
    if {node.layer for node in nodes} <= archive.by_name.keys():
        return _checked({node.layer: archive.by_name[node.layer] for node in nodes}, nodes, layers, archive)
    if archive.wiring and not rules:
        names = corresponding(archive.wiring, Wiring.of(graph))
        return {layer: archive.by_name[name] for layer, name in names.items()}
    return _in_order(nodes, layers, archive)


def arrays(
    archive: Archive, graph: Graph, pairs: Mapping[str, StoredLayer], sides: Mapping[str, Side] | None = None
) -> dict[str, np.ndarray]:
    """``layer/weight`` → float32 array as Keras has it; ``sides`` says where channels are that could be first or last.

    Raises WeightsError, also for NaN and infinity; OSError.
    """
    import numpy as np

    orders = Orders(graph, sides) if archive.layout == "torch" else None
    out = {}
    for node in graph.owners():
        if stored := pairs.get(node.layer):
            read = converted(node, stored, archive.layout, orders.of(node) if orders else (None, None))
            for weight, array in zip(node.weights, read, strict=True):
                if array.shape != weight.shape:
                    raise WeightsError(
                        f"{stored.name!r}: {array.shape} is not {node.layer}/{weight.name} {weight.shape}"
                    )
                array = array.astype("float32")
                if not np.isfinite(array).all():
                    raise WeightsError(
                        f"{stored.name!r} holds NaN or infinity where {node.layer}/{weight.name} should be"
                    )
                out[f"{node.layer}/{weight.name}"] = array
    return out


def read(path: Path, graph: Graph, rules: Rules | None = None) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The weights of a graph out of a file, and which layer of the file each of its layers is.

    Raises WeightsError with the file's name, OSError.
    """
    from archspec.backend.importers import opened

    archive = opened(path)
    try:
        pairs = match(archive, graph, rules)
        values = arrays(archive, graph, pairs, rules.sides if rules else None)
        return values, {layer: stored.name for layer, stored in pairs.items()}
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def write(path: Path, values: Mapping[str, np.ndarray]) -> None:
    """Keep weights by ``layer/weight`` in a .npz file. Raises ValueError for another suffix, OSError."""
    import numpy as np

    from archspec.backend.export import write_atomically

    if path.suffix != ".npz":
        raise ValueError(f"the name of a file of weights must end in .npz, got {path.name!r}")
    write_atomically(path, lambda beside: np.savez(beside, **values))  # type: ignore[arg-type]


def assign(model: keras.Model, values: Mapping[str, Any]) -> None:
    """Set weights of a compiled model by ``layer/weight``. Raises WeightsError for names that it has not."""
    left = dict(values)
    for layer in model.layers:
        for variable in layer.weights:
            value = left.pop(f"{layer.name}/{weight_name(variable, layer.name)}", None)
            if value is not None:
                variable.assign(value)
    if left:
        raise WeightsError(f"the model has no {', '.join(sorted(left)[:4])}")


def _checked(
    pairs: dict[str, StoredLayer], nodes: Sequence[Node], layers: Sequence[StoredLayer], archive: Archive
) -> dict[str, StoredLayer]:
    """Pairs by name: every layer on both sides once, and of one shape. Raises WeightsError."""
    for node in nodes:
        stored = pairs.get(node.layer)
        if stored is None:
            raise WeightsError(f"nothing in the file is {node.layer}; {_example(layers)}")
        if stored_label(in_order(stored, node), archive.layout) != node_label(node, archive.layout):
            raise WeightsError(f"{_said(stored)} of the file is not {_wanted(node)}")
    used = Counter(stored.name for stored in pairs.values())
    if twice := [name for name, n in used.items() if n > 1]:
        raise WeightsError(f"{twice[0]!r} of the file would be used {used[twice[0]]} times")
    if rest := [stored for stored in layers if stored.name not in used]:
        raise WeightsError(f"the spec has no place for {', '.join(map(_said, rest[:4]))}{_more(rest)}")
    return pairs


def _in_order(nodes: Sequence[Node], layers: Sequence[StoredLayer], archive: Archive) -> dict[str, StoredLayer]:
    """Pairs by order and shape. Raises WeightsError where shapes leave a choice."""
    found = [stored_label(stored, archive.layout) for stored in layers]
    wanted = [node_label(node, archive.layout) for node in nodes]
    surplus, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    says = []
    if surplus:
        odd = [stored for stored, shape in zip(layers, found, strict=True) if shape in surplus]
        says.append(f"the file has {', '.join(map(_said, odd[:4]))}{_more(odd)}")
    if missing:
        lost = [node for node, shape in zip(nodes, wanted, strict=True) if shape in missing]
        says.append(f"the spec has {', '.join(map(_wanted, lost[:4]))}{_more(lost)}")
    if says:
        raise WeightsError("the layers differ in shape: " + "; ".join(says))
    pairs: dict[str, StoredLayer] = {}
    for start, stop in _segments(found, wanted, archive.is_ordered):
        if stop - start > 1 and len(set(found[start:stop])) < stop - start:
            alike = [s.name for s, shape in zip(layers, found, strict=True) if shape == _repeated(found[start:stop])]
            raise WeightsError(
                f"the order of the file is not the spec's from {layers[start].name!r} and {nodes[start].layer!r} on, "
                f"and {', '.join(map(repr, alike[:4]))} have one shape: say in rules which is which"
            )
        by_shape = dict(zip(found[start:stop], layers[start:stop], strict=True))
        pairs.update((node.layer, by_shape[node_label(node, archive.layout)]) for node in nodes[start:stop])
    return pairs


def _segments(found: list[Any], wanted: list[Any], is_ordered: bool) -> list[tuple[int, int]]:
    """The shortest stretches of both sequences that hold the same shapes; one stretch where order means nothing."""
    if not is_ordered:
        return [(0, len(found))]
    out, start, open_ = [], 0, Counter[Any]()
    for i, (f, w) in enumerate(zip(found, wanted, strict=True)):
        open_[f] += 1
        open_[w] -= 1
        if not any(open_.values()):
            out.append((start, i + 1))
            start = i + 1
    return out


def _repeated(labels: list[Any]) -> Any:
    return Counter(labels).most_common(1)[0][0]


def _said(stored: StoredLayer) -> str:
    return f"{stored.name} {', '.join(map(str, stored.shapes))}"


def _wanted(node: Node) -> str:
    return f"{node.layer} {', '.join(str(w.shape) for w in node.weights)}"


def _more(rest: Sequence[Any]) -> str:
    return f" and {len(rest) - 4} more" if len(rest) > 4 else ""


def _example(layers: Sequence[StoredLayer]) -> str:
    return f"the file's names are like {', '.join(repr(s.name) for s in layers[:3])}" if layers else "the file is empty"
