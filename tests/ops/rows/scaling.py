"""Factors and offsets by numpy."""

import numpy as np

from tests.ops.rows import Row


def standardised(mean, std):
    return lambda weights, x: (x - np.asarray(mean)) / np.asarray(std)


def gamma(weights, x):
    return x * weights["gamma"]


def unit(axis):
    return lambda weights, x: x / np.linalg.norm(x.astype("float64"), axis=axis, keepdims=True)


ROWS = [
    Row("scale", {"factor": 0.17}, ((4, 3, 2),), lambda weights, x: x * 0.17),
    Row("scale", {"factor": 2, "offset": -1}, ((5,),), lambda weights, x: x * 2 - 1),
    Row("scale", {"factor": 1 / 255}, ((4, 3, 2),), lambda weights, x: x / 255, dtype="uint8", maximum=256),
    Row(
        "normalize",
        {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        ((4, 3, 3),),
        standardised([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ),
    Row(
        "normalize", {"mean": 127.5, "std": 127.5}, ((4, 3, 2),), standardised(127.5, 127.5), dtype="uint8", maximum=256
    ),
    Row("normalize", {"mean": [1, 2]}, ((5, 2),), standardised([1, 2], 1)),
    Row("layer_scale", {}, ((5,),), gamma),
    Row("layer_scale", {"init": 0.1}, ((4, 3, 6),), gamma),
    Row("l2_normalize", {}, ((5,),), unit(1)),
    Row("l2_normalize", {}, ((4, 3, 6),), unit(3)),
    Row("l2_normalize", {"axis": 0}, ((5, 4),), unit(1)),
]
