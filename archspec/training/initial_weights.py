"""Weights that a run starts from, out of files of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph, Node
from archspec.training.errors import TaskError

if TYPE_CHECKING:
    from archspec.backend.archive import Archive, StoredLayer


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """``layer/weight`` → array, and what to know of them: what the files do not say."""

    values: dict[str, Any]
    notes: tuple[str, ...]


def initial_weights(graph: Graph, weights: Path | Mapping[str, Path]) -> InitialWeights:
    """Those of layers that the file has under the same names in the same shapes; of several files each is for the
    layers below a name, with or without which it has them. Raises TaskError.

    Where a single file has other names, it must be the whole network's.
    """
    from archspec.backend.archive import WeightsError
    from archspec.backend.importers import opened
    from archspec.backend.weights import arrays, matched, unsaid

    notes: list[str] = []
    try:
        if not isinstance(weights, Path):
            out: dict[str, Any] = {}
            for name, path in weights.items():
                archive = opened(path)
                below, found = _below(archive, graph, name)
                if not below:
                    owners = [n.layer for n in graph.owners() if n.weights]
                    near = did_you_mean(name, list(graph.networks)) or f"layers are {', '.join(owners[:4])}, …"
                    raise TaskError(
                        f"{shown(name)} is no layer and no network", at=("train", "weights", name), help=near
                    )
                if missing := [layer for layer in below if layer not in found]:
                    raise WeightsError(f"{path}: it has no layer {missing[0]} of that shape")
                out |= arrays(archive, graph, found)
                notes += unsaid(archive, graph, found)
            return InitialWeights(out, tuple(dict.fromkeys(notes)))
        archive = opened(weights)
        if (fitting := _of_equal_names(archive, graph)) is None:
            fitting, notes = matched(archive, graph)
        if not fitting:
            raise WeightsError(f"{weights}: no layer has the shapes that the network has")
        return InitialWeights(arrays(archive, graph, fitting), (*notes, *unsaid(archive, graph, fitting)))
    except WeightsError as error:
        raise TaskError(str(error), at=("train", "weights")) from None


def other_settings(graph: Graph, weights: Path | Mapping[str, Path]) -> Iterator[tuple[tuple[str, ...], str]]:
    """In what layers that start from a file are computed otherwise than the file says: the key, and a sentence.

    A file of arrays alone says nothing; where names differ ``initial_weights`` refuses. Raises WeightsError, OSError.
    """
    from archspec.backend.importers import opened
    from archspec.backend.importers.keras_settings import differences

    for name, path in {"": weights}.items() if isinstance(weights, Path) else weights.items():
        archive = opened(path)
        pairs = _below(archive, graph, name)[1] if name else _of_equal_names(archive, graph)
        for _, difference in differences(graph, pairs or {}, archive.settings or {}):
            yield ("train", "weights", *([name] if name else [])), difference


def _of_equal_names(archive: Archive, graph: Graph) -> dict[str, StoredLayer] | None:
    """The layers that a file has under their names, of those whose shapes fit; None where it has none of the names."""
    if archive.layout != "keras":
        return None
    owners = [node for node in graph.owners() if node.weights and node.layer in archive.by_name]
    fitting = {n.layer: stored for n in owners if _fits(stored := archive.by_name[n.layer], n)}
    return fitting if owners else None


def _below(archive: Archive, graph: Graph, name: str) -> tuple[list[str], dict[str, StoredLayer]]:
    """The layers below a name, and those of the file that fit them, under their names or without that name."""
    below = [n for n in graph.owners() if n.weights and (n.layer == name or n.layer.startswith(f"{name}."))]
    found = {
        node.layer: archive.by_name[at]
        for node in below
        for at in (node.layer, node.layer.removeprefix(f"{name}."))
        if at in archive.by_name and _fits(archive.by_name[at], node)
    }
    return [node.layer for node in below], found


def _fits(stored: StoredLayer, node: Node) -> bool:
    return list(stored.shapes) == [weight.shape for weight in node.weights]
