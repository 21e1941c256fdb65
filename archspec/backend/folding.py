"""Weights out of compiled networks, in which normalisation is part of kernels and biases of zeros come and go.

Kernels tell which layer is which. A normalisation behind one becomes the identity and the kernel's bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from archspec.backend.archive import Archive, Stored, StoredLayer, WeightsError, filled
from archspec.backend.matching import Matching
from archspec.ir.diagnostics import listed
from archspec.ir.graph import Graph, Node
from archspec.ir.tensors import WeightSpec

if TYPE_CHECKING:
    from archspec.backend.rules import Rules

MOMENTS = {"moving_mean", "moving_variance"}


def unfolded(archive: Archive, graph: Graph, rules: Rules | None) -> tuple[dict[str, StoredLayer], list[str]]:
    """Layer of the graph → layer with the node's weights, and what to know of them. Raises WeightsError."""
    owners = [node for node in graph.owners() if node.weights]
    norms = {node.layer: node for node in owners if {w.name for w in node.weights} >= MOMENTS}
    nodes = [replace(node, weights=tuple(_kernels(node))) for node in owners if node.layer not in norms]
    layers = [StoredLayer(stored.name, _kept(stored, nodes)) for stored in archive.layers]
    kept, known = rules.apply(nodes, layers) if rules else (layers, {})
    matching = Matching(nodes, kept, archive, graph, known)
    found = matching.run()
    full = {node.layer: node for node in owners}
    out: dict[str, StoredLayer] = {}
    for layer, stored in found.items():
        node, bias = full[layer], archive.by_name[stored.name].arrays.get("bias")
        norm = _norm_behind(node, graph, norms)
        roles = {w.name.rpartition("/")[2] for w in node.weights}
        if norm is None and "bias" not in roles and bias is not None and bias.read().any():
            raise WeightsError(
                f"{node.span}: {stored.name} of the file adds a bias, {layer!r} has none, and no batch_norm behind it"
            )
        kernels = {w.name: array for w, array in zip(_kernels(node), stored.arrays.values(), strict=True)}
        arrays = {w.name: kernels.get(w.name) or _bias(w, None if norm else bias) for w in node.weights}
        out[layer] = StoredLayer(stored.name, arrays)
        if norm is not None:
            out[norm.layer] = StoredLayer(stored.name, _identity(norm, bias))
    if left := [node for name, node in norms.items() if name not in out]:
        raise WeightsError(
            f"{left[0].span}: {left[0].layer!r} stands behind no kernel of its own; such a file does not say which "
            "numbers are its"
        )
    identities = [name for name in out if name in norms]
    said = f"normalisation is part of kernels in the file; as identities came {listed(identities)}"
    return out, [*([said] if identities else []), *matching.notes()]


def _kernels(node: Node) -> list[WeightSpec]:
    """The one array beside a bias, or the two of a recurrent layer. Raises WeightsError."""
    rest = [w for w in node.weights if w.name.rpartition("/")[2] != "bias"]
    if len(rest) != 1 and [w.name.rpartition("/")[2] for w in rest] != ["kernel", "recurrent_kernel"]:
        names = ", ".join(w.name for w in node.weights)
        raise WeightsError(f"{node.span}: {node.layer!r} has {names}, which are not followed into a compiled network")
    return rest


def _kept(stored: StoredLayer, nodes: list[Node]) -> dict[str, Stored]:
    """The arrays by which a layer is known: all but the bias, which may have been put in."""
    arrays = {role: array for role, array in stored.arrays.items() if role != "bias"}
    return arrays if len(arrays) > 1 else {"kernel": _as_wide(stored, nodes)}


def _as_wide(stored: StoredLayer, nodes: list[Node]) -> Stored:
    """The kernel in the shape of a node's that has other axes of length 1 in front: one along time has no height, and
    a product of vectors may be a convolution of single positions."""
    kernel = stored.arrays["kernel"]
    shapes = {node.weights[0].shape for node in nodes}
    if kernel.shape in shapes:
        return kernel
    for shape in sorted(shapes):
        if _without_ones(shape) == _without_ones(kernel.shape):
            return _reshaped(kernel, shape)
    return kernel


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A kernel's shape without the axes of length 1 in front of the last two, which are channels."""
    ones = next((i for i, n in enumerate(shape[:-2]) if n != 1), max(len(shape) - 2, 0))
    return shape[ones:]


def _reshaped(kernel: Stored, shape: tuple[int, ...]) -> Stored:
    return Stored(shape, lambda: kernel.read().reshape(shape))


def _norm_behind(node: Node, graph: Graph, norms: Mapping[str, Node]) -> Node | None:
    """The normalisation that alone reads a node."""
    readers = [other for other in graph.nodes if any(t.node == node.name for t in other.inputs)]
    return norms.get(readers[0].layer) if len(readers) == 1 else None


def _bias(weight: WeightSpec, bias: Stored | None) -> Stored:
    return bias or filled(weight.shape, 0.0)


def _identity(norm: Node, bias: Stored | None) -> dict[str, Stored]:
    """Weights by which a normalisation adds a bias and does nothing else."""
    epsilon = getattr(norm.op, "epsilon", 1e-3)
    out = {}
    for weight in norm.weights:
        if weight.name == "beta":
            out["beta"] = _bias(weight, bias)
        elif weight.name == "moving_mean" and bias is not None and all(w.name != "beta" for w in norm.weights):
            out["moving_mean"] = Stored(weight.shape, lambda: -bias.read())
        else:
            value = {"gamma": 1.0, "moving_mean": 0.0, "moving_variance": 1 - epsilon}[weight.name]
            out[weight.name] = filled(weight.shape, value)
    return out
