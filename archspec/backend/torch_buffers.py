"""What state dicts of PyTorch hold besides weights: masks, positions and frequencies, which follow from sizes.

An array is left out only if its numbers are what its name says; what else it may be stays a layer of the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from archspec.backend.archive import StoredLayer, WeightsError
from archspec.ir.diagnostics import listed
from archspec.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np

MAX_NUMBERS = 1 << 26
"""Numbers that are looked at: a mask of 8,192 steps."""


def without_buffers(layers: Sequence[StoredLayer], graph: Graph) -> tuple[list[StoredLayer], list[str]]:
    """The layers that are weights, and what was left out.

    Raises WeightsError where a mask or frequencies say that the file's network computes something else.
    """
    kept: list[StoredLayer] = []
    found: dict[str, list[str]] = defaultdict(list)
    for stored in layers:
        if (told := _told(stored)) is None:
            kept.append(stored)
            continue
        name, what, array = told
        found[what].append(name)
        if what == CAUSAL:
            _compare_causal(name, graph)
        if what == FREQUENCIES:
            _compare_rotary(name, array, graph)
    return kept, [f"not taken from the file, {what}: {listed(names)}" for what, names in found.items()]


def _told(stored: StoredLayer) -> tuple[str, str, np.ndarray] | None:
    """The name, the kind and the numbers of what is no weight; None of anything else."""
    if len(stored.arrays) > 1:
        return None
    ((role, array),) = stored.arrays.items()
    # transformers' GPT-2 and GPT-NeoX call the mask of an attention its bias.
    name = stored.name if role == "weight" else f"{stored.name}.{role}"
    kind = BUFFERS.get(name.rpartition(".")[2])
    if kind is None or prod(array.shape) > MAX_NUMBERS:
        return None
    what, holds = kind
    numbers = array.read()
    return (name, what, numbers) if holds(numbers) else None


def _is_lower_triangle(mask: np.ndarray) -> bool:
    import numpy as np

    *rest, rows, columns = (1, 1, *mask.shape)
    return mask.ndim > 2 and set(rest) == {1} and rows == columns > 1 and bool((mask == np.tri(rows)).all())


def _counts_up(positions: np.ndarray) -> bool:
    import numpy as np

    return positions.dtype.kind in "iu" and bool((positions == np.arange(positions.shape[-1])).all())


def _is_geometric(frequencies: np.ndarray) -> bool:
    import numpy as np

    if frequencies.ndim != 1 or len(frequencies) < 2 or frequencies[0] != 1 or not (frequencies > 0).all():
        return False
    steps = np.diff(np.log(frequencies.astype("float64")))
    return bool(steps[0] < 0) and bool(np.allclose(steps, steps[0], rtol=1e-2))


def _compare_causal(name: str, graph: Graph) -> None:
    attentions = [(node, getattr(node.op, "causal", None)) for node in graph.owners()]
    attentions = [(node, causal) for node, causal in attentions if causal is not None]
    if attentions and not any(causal for _, causal in attentions):
        node, _ = attentions[0]
        raise WeightsError(
            f"{node.span}: {name!r} of the file is a causal mask, and {node.layer!r} is not causal: true"
        )


def _compare_rotary(name: str, frequencies: np.ndarray, graph: Graph) -> None:
    base = float(frequencies[1]) ** -len(frequencies)
    for node in graph.owners():
        ours = getattr(node.op, "rotary", None)
        if ours is not None and abs(ours / base - 1) > 1e-2:
            raise WeightsError(
                f"{node.span}: {name!r} of the file has the frequencies of a rotary base of {base:.6g}, {node.layer!r} "
                f"one of {ours:g}"
            )


CAUSAL, FREQUENCIES = "causal masks", "frequencies of positions"
BUFFERS: Mapping[str, tuple[str, Callable[[np.ndarray], bool]]] = {
    "bias": (CAUSAL, _is_lower_triangle),
    "masked_bias": ("numbers that masks put in", lambda number: number.size == 1),
    "inv_freq": (FREQUENCIES, _is_geometric),
    "position_ids": ("positions", _counts_up),
    "token_type_ids": ("types of tokens, all alike", lambda types: not types.any()),
    "total_ops": ("counts of a profiler", lambda count: count.size == 1),
    "total_params": ("counts of a profiler", lambda count: count.size == 1),
}
"""Last words of names → what such an array is, and whether its numbers are that."""
