"""Dense by numpy's matrix product, distances by their definition."""

import numpy as np

from tests.ops.rows import Row


def dense(activation=lambda y: y):
    def oracle(weights, x):
        return activation(x @ weights["kernel"] + weights.get("bias", 0.0))

    return oracle


def softmax(y):
    return np.exp(y) / np.exp(y).sum(-1, keepdims=True)


def rbf(weights, x):
    return np.square(x[..., None] - weights["centers"]).sum(-2)


ROWS = [
    Row("dense", {"units": 5}, ((3,),), dense()),
    Row("dense", {"units": 5, "bias": False}, ((3,),), dense()),
    Row("dense", {"units": 1}, ((1,),), dense()),
    Row("dense", {"units": 5}, ((4, 3),), dense()),
    Row("dense", {"units": 5, "activation": "relu"}, ((4, 2, 3),), dense(lambda y: np.maximum(y, 0))),
    Row("dense", {"units": 2, "bias": False}, ((2, 3, 2, 4),), dense()),
    Row("dense", {"units": 5, "activation": "softmax"}, ((3,),), dense(softmax)),
    Row(
        "dense", {"units": 5, "activation": {"leaky_relu": 0.1}}, ((3,),), dense(lambda y: np.where(y > 0, y, 0.1 * y))
    ),
    Row("dense", {"units": 6, "activation": "scaled_tanh"}, ((3,),), dense(lambda y: 1.7159 * np.tanh(2 * y / 3))),
    Row("rbf", {"units": 10}, ((84,),), rbf),
    Row("rbf", {"units": 1}, ((4, 3),), rbf),
]
