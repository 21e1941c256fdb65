"""``Normalization`` of Keras's, which keeps what it learnt from data among its weights: to an op they are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archspec.backend.archive import Archive, StoredLayer
from archspec.backend.importers.keras_calls import Calls, LayerCall
from archspec.ir.graph import Graph


def is_adapted(call: LayerCall) -> bool:
    """Whether a call is of one that has learnt."""
    return call.kind == "Normalization" and call.config.get("mean") is None


def with_statistics(calls: Calls, stored: Mapping[str, StoredLayer]) -> Calls:
    """The calls with means and variances in the place of the weights, so far as these are there."""
    out = []
    for call in calls.calls:
        if is_adapted(call) and call.layer in stored:
            mean, variance, *_ = (array.read().ravel().tolist() for array in stored[call.layer].arrays.values())
            call = replace(call, config={**call.config, "mean": mean, "variance": variance})
        out.append(call)
    return replace(calls, calls=tuple(out))


def without_statistics(archive: Archive, graph: Graph) -> Archive:
    """What a graph with ``normalize`` takes of a file: the statistics are arguments of layers, which are compared."""
    if archive.calls is None or not any(node.op.name == "normalize" for node in graph.nodes):
        return archive
    learnt = {call.layer for call in archive.calls.calls if is_adapted(call)}
    if not learnt:
        return archive
    left = tuple(layer for layer in archive.layers if layer.name not in learnt)
    wiring = archive.wiring
    if wiring is not None:
        vertices = (replace(v, arrays=None) if v.layer in learnt else v for v in wiring.vertices)
        wiring = replace(wiring, vertices=tuple(vertices))
    return replace(archive, layers=left, wiring=wiring, calls=with_statistics(archive.calls, archive.by_name))
