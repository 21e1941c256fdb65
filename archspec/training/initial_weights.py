"""Weights that a run starts from, out of files of others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph
from archspec.training.errors import TaskError


def initial_weights(graph: Graph, weights: Path | Mapping[str, Path]) -> dict[str, Any]:
    """``layer/weight`` → array, for layers that the file has under the same names in the same shapes; of several files
    each is for the layers below a name, with or without which it has them. Raises TaskError.

    Where a single file has other names, it must be the whole network's.
    """
    from archspec.backend.archive import WeightsError
    from archspec.backend.importers import opened
    from archspec.backend.weights import arrays, match

    owners = [n.layer for n in graph.owners() if n.weights]
    shapes = {n.layer: [w.shape for w in n.weights] for n in graph.owners()}
    try:
        if not isinstance(weights, Path):
            out: dict[str, Any] = {}
            for name, path in weights.items():
                archive = opened(path)
                below = [layer for layer in owners if layer == name or layer.startswith(f"{name}.")]
                if not below:
                    near = did_you_mean(name, list(graph.networks)) or f"layers are {', '.join(owners[:4])}, …"
                    raise TaskError(
                        f"{shown(name)} is no layer and no network", at=("train", "weights", name), help=near
                    )
                found = {
                    layer: archive.by_name[at]
                    for layer in below
                    for at in (layer, layer.removeprefix(f"{name}."))
                    if at in archive.by_name and list(archive.by_name[at].shapes) == shapes[layer]
                }
                if missing := [layer for layer in below if layer not in found]:
                    raise WeightsError(f"{path}: it has no layer {missing[0]} of that shape")
                out |= arrays(archive, graph, found)
            return out
        archive = opened(weights)
        named = {layer: archive.by_name[layer] for layer in owners if layer in archive.by_name}
        if archive.layout == "keras" and named:
            fitting = {name: stored for name, stored in named.items() if list(stored.shapes) == shapes[name]}
            if not fitting:
                raise WeightsError(f"{weights}: no layer has the shapes that the network has")
            return arrays(archive, graph, fitting)
        return arrays(archive, graph, match(archive, graph))
    except WeightsError as error:
        raise TaskError(str(error), at=("train", "weights")) from None
