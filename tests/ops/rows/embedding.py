"""Tokens and positions, by numpy."""

import cmath
import math

import numpy as np

from tests.ops.rows import Row


def sinusoid(steps, channels, base):
    """One number at a time, as the paper's formula has it."""
    out = np.zeros((steps, channels))
    for t in range(steps):
        for i in range(0, channels, 2):
            angle = t / base ** (i / channels)
            out[t, i] = math.sin(angle)
            if i + 1 < channels:
                out[t, i + 1] = math.cos(angle)
    return out


def rotated(x, base=10000.0):
    """(batch, time, channels): pairs as complex numbers, multiplied by exp(i · t · theta)."""
    d = x.shape[-1]
    turns = [[cmath.exp(1j * t * base ** (-2 * i / d)) for i in range(d // 2)] for t in range(x.shape[1])]
    z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.array(turns)
    return np.stack([z.real, z.imag], -1).reshape(x.shape)


def rotary(heads=1, base=10000.0):
    return lambda weights, x: np.concatenate([rotated(part, base) for part in np.split(x, heads, -1)], -1)


def _tokens(op, args, shape, oracle):
    return Row(op, args, (shape,), oracle, dtype="int32", maximum=args["vocab"])


def look_up(weights, x):
    return weights["embeddings"][x]


def class_token(weights, x):
    return np.concatenate([np.broadcast_to(weights["token"], (len(x), *weights["token"].shape)), x], 1)


ROWS = [
    _tokens("embedding", {"vocab": 9, "dim": 4}, (5,), look_up),
    _tokens("embedding", {"vocab": 9, "dim": 4, "mask_zero": True}, (5,), look_up),
    _tokens("embedding", {"vocab": 1, "dim": 1, "trainable": False}, (1,), look_up),
    _tokens("embedding", {"vocab": 9, "dim": 4}, (3, 2), look_up),
    _tokens("one_hot", {"vocab": 9}, (5,), lambda weights, x: np.eye(9)[x]),
    _tokens("one_hot", {"vocab": 5, "mask_zero": True}, (3, 2), lambda weights, x: np.eye(5)[x]),
    _tokens("reversible_embedding", {"vocab": 9, "dim": 4}, (5,), look_up),
    _tokens("reversible_embedding", {"vocab": 9, "dim": 4, "mask_zero": True}, (5,), look_up),
    Row("reversible_embedding", {"vocab": 9, "dim": 4}, ((5, 4),), lambda weights, x: x @ weights["embeddings"].T),
    Row("reversible_embedding", {"vocab": 2, "dim": 1}, ((1,),), lambda weights, x: x @ weights["embeddings"].T),
    Row("position_embedding", {}, ((5, 4),), lambda weights, x: x + weights["embeddings"]),
    Row("position_embedding", {"length": 9}, ((5, 4),), lambda weights, x: x + weights["embeddings"][:5]),
    Row("position_embedding", {"length": 5}, ((5, 1),), lambda weights, x: x + weights["embeddings"]),
    *(
        Row("sinusoidal_position", args, (shape,), lambda weights, x, b=base: x + sinusoid(*x.shape[1:], b))
        for args, base in (({}, 10000.0), ({"base": 50.0}, 50.0))
        for shape in ((30, 6), (7, 5), (1, 1))
    ),
    *(
        Row("rotary_position", args, (shape,), rotary(**args))
        for args in ({}, {"heads": 3}, {"heads": 3, "base": 50.0})
        for shape in ((30, 12), (1, 6))
    ),
    Row("class_token", {}, ((5, 4),), class_token),
    Row("class_token", {"count": 2}, ((1, 1),), class_token),
]
