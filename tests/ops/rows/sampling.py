"""Draws at inference are their means; what they are in training is in ``test_sampling.py``."""

from tests.ops.rows import Row


def _mean(weights, mean, log_variance):
    return mean


ROWS = [
    Row("sample_normal", {}, ((5,), (5,)), _mean),
    Row("sample_normal", {"inference": "mean"}, ((4, 3, 2), (4, 3, 2)), _mean),
]
