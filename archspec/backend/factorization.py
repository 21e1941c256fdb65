"""Factors of kernels by truncated singular value decomposition, and how far what they compute is from what was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.analysis.factorization import PARTS, Kernel
from archspec.ir.graph import Graph, Output, Tensor

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Decomposed:
    """A kernel by its singular values, in falling order: ``left`` (rows, k), ``values`` (k), ``right`` (k, columns)."""

    left: np.ndarray
    values: np.ndarray
    right: np.ndarray
    shape: tuple[int, ...]

    def energy(self, rank: int) -> float:
        """The share of the sum of squared singular values that the first ``rank`` of them have: 1 minus the squared
        distance of the product of the factors from the kernel, by the kernel's squared length. 1 for zeros alone."""
        squares = self.values.astype("float64") ** 2
        return float(squares[:rank].sum() / squares.sum()) if squares.any() else 1.0

    def rank_of(self, energy: float) -> int:
        """The smallest rank with at least this share, 0 … 1, of the energy."""
        import numpy as np

        squares = np.cumsum(self.values.astype("float64") ** 2)
        if not squares[-1]:
            return 1
        return min(len(squares), int(np.searchsorted(squares / squares[-1], energy)) + 1)

    def factors(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """The kernels of the two layers, float32: the singular values are in the first."""
        first = (self.left[:, :rank] * self.values[:rank]).reshape(*self.shape[:-1], rank)
        return first.astype("float32"), self.right[:rank].astype("float32")


def decomposed(kernel: np.ndarray) -> Decomposed:
    """The singular value decomposition of a kernel whose last axis are its outputs. Raises ValueError for NaN and
    infinity."""
    import numpy as np

    matrix = kernel.reshape(-1, kernel.shape[-1])
    if not np.isfinite(matrix).all():
        raise ValueError("it has weights that are no numbers")
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return Decomposed(left, values, right, kernel.shape)


def in_factors(
    values: Mapping[str, np.ndarray],
    ranks: Mapping[str, int],
    found: Mapping[str, Decomposed],
    kernels: Mapping[str, Kernel],
) -> dict[str, dict[str, np.ndarray]]:
    """Weights by ``layer/weight`` as those of the graph with two layers in place of those in ``ranks``, by layer and
    weight."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for name, value in values.items():
        layer, _, weight = name.rpartition("/")
        if layer not in ranks:
            out.setdefault(layer, {})[weight] = value
        elif weight == kernels[layer].name:
            first, second = found[layer].factors(ranks[layer])
            kernel = kernels[layer].nodes[0].weights[0].shape
            out.setdefault(f"{layer}.{PARTS[0]}", {})[weight] = first
            # What follows windows is a convolution with a window of one place.
            out.setdefault(f"{layer}.{PARTS[1]}", {})[weight] = second.reshape(*(1,) * (len(kernel) - 2), *second.shape)
        else:
            out.setdefault(f"{layer}.{PARTS[1]}", {})[weight] = value
    return out


@dataclass(frozen=True, slots=True)
class Distance:
    """How far what one network gives is from what another gives. ``largest`` is the largest difference of two numbers,
    ``relative`` the length of the difference by that of what was given before; of whole numbers, such as classes,
    ``differing`` is the share of them that are others."""

    largest: float
    relative: float
    differing: float | None = None


def distances(
    graphs: tuple[Graph, Graph],
    weights: tuple[Mapping[str, Any], Mapping[str, Any]],
    also: Sequence[tuple[Tensor, Tensor]],
    inputs: Mapping[str, np.ndarray],
) -> tuple[dict[str, Distance], list[Distance]]:
    """How far the outputs of a second network are from those of a first, by their names, and the tensors in ``also``,
    each of the first and of the second, for ``inputs`` by their names, with a batch axis."""
    import keras

    from archspec.backend.build import compile
    from archspec.backend.weights import assign

    given = []
    for side, graph in enumerate(graphs):
        outputs = [*graph.outputs, *(Output(f"layer_{k}", pair[side]) for k, pair in enumerate(also))]
        model = compile(replace(graph, outputs=tuple(outputs), training=None))
        assign(model, weights[side])
        found = model(dict(inputs) if len(inputs) > 1 else next(iter(inputs.values())), training=False)
        found = found if isinstance(found, dict) else {outputs[0].name: found}
        given.append([keras.ops.convert_to_numpy(found[output.name]) for output in outputs])
        del model, found
    names = [output.name for output in graphs[0].outputs]
    made = [_distance(*pair) for pair in zip(*given, strict=True)]
    return dict(zip(names, made, strict=False)), made[len(names) :]


def _distance(before: np.ndarray, after: np.ndarray) -> Distance:
    import numpy as np

    if before.dtype.kind not in "fc":
        return Distance(0.0, 0.0, float((before != after).mean()) if before.size else 0.0)
    ours = before.astype("float64")
    apart = after.astype("float64") - ours
    length = float(np.linalg.norm(ours))
    largest = float(np.abs(apart).max()) if apart.size else 0.0
    return Distance(largest, float(np.linalg.norm(apart)) / length if length else largest)


def drawn(graph: Graph, count: int) -> dict[str, np.ndarray]:
    """Examples for a network's inputs, 0 … 1, integers 0 or 1, the same at every call; open sizes are 8."""
    import numpy as np

    draw, out = np.random.default_rng(0), {}
    for name, spec in graph.inputs.items():
        shape = (count, *(n or 8 for n in spec.shape))
        out[name] = draw.random(shape, "float32") if "float" in spec.dtype else draw.integers(0, 2, shape)
        out[name] = out[name].astype(spec.dtype)
    return out
