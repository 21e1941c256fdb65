"""Layers by Keras's names against NumPy; ``test_keras_layers`` has all of them."""

import numpy as np

from tests.ops.rows import Row


def product(weights, x):
    return np.einsum("abc,cde->abde", x, weights["kernel"]) + weights["bias"]


def softmax(weights, x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


EINSUM = {"layer": "EinsumDense", "equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "de"}
ROWS = [
    Row("keras", EINSUM, ((4, 5),), product),
    Row("keras", {"layer": "UnitNormalization"}, ((5,),), lambda w, x: x / np.linalg.norm(x, axis=-1, keepdims=True)),
    Row("keras", {"layer": "ELU", "alpha": 0.5}, ((3, 4),), lambda w, x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    Row("keras", {"layer": "Softmax", "axis": -1}, ((3, 4),), softmax),
    Row(
        "keras", {"layer": "Discretization", "bin_boundaries": [0, 0.5]}, ((6,),), lambda w, x: np.digitize(x, [0, 0.5])
    ),
]
