"""Scores of a head as probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from archspec.ops.base import Op


def probabilities(scores: np.ndarray, activation: Op | None) -> np.ndarray:
    """Scores of a head as probabilities; ``activation`` is what turns them into such, None where they are already."""
    import numpy as np

    scores = np.asarray(scores, np.float64)
    if activation is not None and activation.number == "distribution":
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        out: Any = powers / powers.sum(-1, keepdims=True)
    elif activation is not None:
        out = 1 / (1 + np.exp(-scores))
    else:
        out = scores
    return np.asarray(out)
