"""A trained network out of its run directory: rebuilt from the spec, given arrays of its own names and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec.ir.graph import Graph
from archspec.training.errors import NotTrained

if TYPE_CHECKING:
    import keras

LAST, BEST = "weights.npz", "best.npz"


def weights_file(logdir: Path, *, best: bool) -> Path:
    """The file of the last or the best weights. Raises NotTrained."""
    path = logdir / (BEST if best else LAST)
    if not path.is_file():
        if best and (logdir / LAST).is_file():
            raise NotTrained(f"{logdir} kept no best weights: its run file has no 'monitor'")
        ready = (logdir / "checkpoints").is_dir()
        hint = f"; 'archspec resume {logdir}' goes on with it" if ready else ""
        raise NotTrained(f"{logdir} holds no finished run{hint}")
    return path


def trained(graph: Graph, path: Path) -> keras.Model:
    """The inference network of a graph with the weights of a file. Raises WeightsError, OSError."""
    from archspec.backend.build import compile
    from archspec.backend.weights import assign, read

    values, _ = read(path, graph.inference())
    model = compile(graph)
    assign(model, values)
    return model
