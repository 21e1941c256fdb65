"""Weights from elsewhere into a spec: which array is which weight, or a refusal.

Four ways: rules that a person wrote, for what they name; equal names, as in files that archspec wrote; equal wiring,
where the source tells it; else shapes, and evidence that tells those apart which are alike (``matching``). Nothing is
guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import Archive, StoredLayer, WeightsError
from archspec.backend.build import weight_name
from archspec.backend.ends import in_order_of
from archspec.backend.folding import unfolded
from archspec.backend.importers.keras_statistics import without_statistics
from archspec.backend.layouts import (
    converted,
    heads_of_keys,
    in_order,
    node_label,
    refuse_gates,
    refuse_turned,
    roles_and_shapes,
    stored_label,
)
from archspec.backend.matching import Matching, compare_shapes, copies, ignoring, more, node_said, stored_said
from archspec.backend.torch_buffers import without_buffers
from archspec.backend.torch_kernels import computed
from archspec.backend.torch_modules import gathered
from archspec.backend.tracing import Orders
from archspec.backend.wiring import Wiring, marked, match_graphs
from archspec.ir.diagnostics import listed, shown
from archspec.ir.graph import Graph, Node

if TYPE_CHECKING:
    import keras
    import numpy as np

    from archspec.backend.rules import Rules

EPSILON = 1e-5
"""What PyTorch's and Caffe's normalisation adds to the variance unless told otherwise."""
ARRAYS_ALONE = (
    "the file holds arrays alone: the order of layers, layers without weights, activations, padding, strides and "
    "epsilon were not compared"
)
"""What to know of weights out of a file that tells nothing else of its network."""


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
    """Layer of the graph → layer of the archive, for all that hold weights.

    Raises WeightsError, also where the file says that a layer computes something else.
    """
    return matched(archive, graph, rules)[0]


def matched(archive: Archive, graph: Graph, rules: Rules | None = None) -> tuple[dict[str, StoredLayer], list[str]]:
    """``match``, and what to know of how layers were told apart."""
    archive, notes = in_order_of(graph, without_statistics(archive, graph))
    if archive.layout == "torch":
        weights, left_out = without_buffers(rules.kept(archive.layers) if rules else archive.layers, graph)
        archive, notes = replace(archive, layers=tuple(weights)), [*notes, *left_out]
    pairs, told = _pairs(archive, graph, rules)
    notes += told
    if archive.settings is not None:
        from archspec.backend.importers.keras_settings import compare

        compare(graph, pairs, archive.settings, rules)
    if archive.calls is not None:
        from archspec.backend import comparison

        comparison.compare(graph, pairs, archive.calls, rules)
    if archive.layout == "torch":
        for node in graph.owners():
            if node.layer in pairs:
                refuse_turned(node, pairs[node.layer])
        refuse_gates(graph)
    return pairs, notes


def _pairs(archive: Archive, graph: Graph, rules: Rules | None) -> tuple[dict[str, StoredLayer], list[str]]:
    if archive.is_folded:
        return unfolded(archive, graph, rules)
    nodes: Sequence[Node] = [node for node in graph.owners() if node.weights]
    layers: Sequence[StoredLayer] = archive.layers
    if archive.layout == "torch":
        wanted = [roles_and_shapes(node) for node in nodes]
        layers = computed(layers, wanted, rules)
        layers = gathered(layers, wanted, list(map(heads_of_keys, nodes)), rules.fused if rules else None)
    known: dict[str, StoredLayer] = {}
    if rules:
        layers, known = rules.apply(nodes, layers)
        _check([node for node in nodes if node.layer in known], known, archive)
    by_name = {stored.name: stored for stored in layers if stored not in known.values()}
    rest = [node for node in nodes if node.layer not in known]
    if {node.layer for node in rest} <= by_name.keys():
        known |= {node.layer: by_name[node.layer] for node in rest}
        if archive.settings is not None:
            # Another padding or stride is often why shapes behind it differ, and says more than they do.
            from archspec.backend.importers.keras_settings import compare

            compare(
                graph,
                {node.layer: known[node.layer] for node in nodes if _is_alike(node, known)},
                archive.settings,
                rules,
            )
        _check(rest, known, archive)
        used = {stored.name for stored in known.values()}
        if left := [stored for stored in layers if stored.name not in used]:
            said = ignoring([stored.name for stored in left])
            raise WeightsError(f"the spec has no place for {', '.join(map(stored_said, left[:4]))}{more(left)}{said}")
        return known, []
    if archive.wiring and known and rules and not rules.ignore:
        compare_shapes(layers, nodes, archive.layout)
        source = marked(archive.wiring, {stored.name: layer for layer, stored in known.items()})
        try:
            names = match_graphs(source, marked(Wiring.of(graph), {layer: layer for layer in known}))
            return {layer: archive.by_name[name] for layer, name in names.items()}, []
        except WeightsError:
            pass  # wired in another way, the rest may still be told by shapes and names
    if archive.wiring and not (rules and rules.are_of_layers):
        try:
            compare_shapes(layers, nodes, archive.layout)
        except WeightsError:
            # What they are computed with is often why shapes behind differ, and says more than they do.
            _compare_by_axes(archive, graph, rules)
            raise
        names = match_graphs(archive.wiring, Wiring.of(graph))
        return {layer: archive.by_name[name] for layer, name in names.items()}, []
    twice = copies(layers, nodes, known.values()) if archive.layout == "torch" else []
    layers = [stored for stored in layers if all(stored is not copy for copy, _ in twice)]
    matching = Matching(nodes, layers, archive, graph, known)
    found = matching.run()
    notes = [
        f"{copy.name} and {same.name} of the file hold the same numbers: they are one layer" for copy, same in twice
    ]
    return found, [*notes, *matching.notes()]


def _compare_by_axes(archive: Archive, graph: Graph, rules: Rules | None) -> None:
    """Raises WeightsError for a setting that differs, where the wiring tells layers by the axes of their arrays."""
    if archive.settings is None or archive.wiring is None:
        return
    from archspec.backend.importers.keras_settings import compare

    try:
        names = match_graphs(archive.wiring.by_axes(), Wiring.of(graph).by_axes())
    except WeightsError:
        return
    compare(graph, {layer: archive.by_name[name] for layer, name in names.items()}, archive.settings, rules)


def arrays(
    archive: Archive, graph: Graph, pairs: Mapping[str, StoredLayer], rules: Rules | None = None
) -> dict[str, np.ndarray]:
    """``layer/weight`` → float32 array as Keras has it; rules say of channels what a file may leave open.

    Raises WeightsError, also for NaN and infinity; OSError.
    """
    import numpy as np

    orders = Orders(graph, rules.sides if rules else None) if archive.layout == "torch" else None
    rotary = rules.rotary if rules else None
    out = {}
    for node in graph.owners():
        if stored := pairs.get(node.layer):
            read = converted(node, stored, archive.layout, orders.of(node) if orders else (None, None), rotary)
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


@dataclass(frozen=True, slots=True)
class Imported:
    """Weights out of a file: by ``layer/weight``, which layer of the file each layer is, and what to know of them."""

    values: dict[str, np.ndarray]
    names: dict[str, str]
    notes: tuple[str, ...]


def imported(path: Path, graph: Graph, rules: Rules | None = None) -> Imported:
    """The weights of a graph out of a file. Raises WeightsError with the file's name, OSError."""
    from archspec.backend.importers import opened

    archive = opened(path)
    try:
        pairs, notes = matched(archive, graph, rules)
        values = arrays(archive, graph, pairs, rules)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    names = {layer: stored.name for layer, stored in pairs.items()}
    return Imported(values, names, (*notes, *unsaid(archive, graph, pairs, rules)))


def read(path: Path, graph: Graph, rules: Rules | None = None) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The weights of a graph out of a file, and which layer of the file each of its layers is.

    Raises WeightsError with the file's name, OSError.
    """
    found = imported(path, graph, rules)
    return found.values, found.names


def unsaid(
    archive: Archive, graph: Graph, pairs: Mapping[str, StoredLayer], rules: Rules | None = None
) -> Iterator[str]:
    """What a file does not say, and a spec must."""
    if archive.layout == "torch":
        silent: dict[tuple[str, str, str], list[Node]] = {}
        for node in graph.owners():
            op: Any = node.op.within
            for argument in op.torch_does_not_say if node.layer in pairs else ():
                has = getattr(op, argument)
                if has is None:
                    continue
                silent.setdefault((argument, op.name, getattr(has, "name", None) or shown(has)), []).append(node)
        for (argument, name, has), found_in in silent.items():
            yield f"{found_in[0].span}: the file does not say the {argument} of {name}; {_have(found_in)} {has}"
        found = [(node, getattr(node.op, "epsilon", EPSILON)) for node in graph.owners() if node.layer in pairs]
        if other := [(node, epsilon) for node, epsilon in found if epsilon != EPSILON]:
            node, epsilon = other[0]
            yield (
                f"{node.span}: the file does not say epsilon; {_have([n for n, _ in other])} {epsilon:g}, the default "
                f"of PyTorch and Caffe is {EPSILON:g}"
            )
    if archive.settings is None:
        yield ARRAYS_ALONE
    elif rules:
        left = [f"{name} ({said['class']})" for name, said in archive.settings.items() if rules.is_unchecked(name)]
        if left:
            yield f"not compared with the spec, as the rules say: {listed(left)}"


def _have(nodes: Sequence[Node]) -> str:
    """The first of several nodes and how many more there are, as the subject of what they have."""
    return f"{nodes[0].layer} and {len(nodes) - 1} more have" if len(nodes) > 1 else f"{nodes[0].layer} has"


def write(path: Path, values: Mapping[str, np.ndarray]) -> None:
    """Keep weights by ``layer/weight`` in a .npz file. Raises ValueError for another suffix, OSError."""
    import numpy as np

    from archspec.storage.atomic import write_atomically

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


def _check(nodes: Sequence[Node], pairs: Mapping[str, StoredLayer], archive: Archive) -> None:
    """Raises WeightsError where a pair differs in shape."""
    for node in nodes:
        stored = pairs[node.layer]
        if stored_label(in_order(stored, node), archive.layout) != node_label(node, archive.layout):
            raise WeightsError(f"{node.span}: {stored_said(stored)} of the file is not {node_said(node)}")


def _is_alike(node: Node, pairs: Mapping[str, StoredLayer]) -> bool:
    """Whether a pair has as many arrays, of as many axes: whether both are one kind of layer."""
    return [len(shape) for shape in pairs[node.layer].shapes] == [len(weight.shape) for weight in node.weights]
