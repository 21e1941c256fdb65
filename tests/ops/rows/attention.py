"""Attention, against Keras's layers where they have the same arguments, and against numpy."""

import keras
import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.embedding import rotated


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_keras(heads, key_dim, value_dim=None, dim_out=None, bias=True, causal=False, **_):
    """The plain layer, given the weights in their order."""

    def oracle(weights, query, value=None, key=None):
        value = query if value is None else value
        layer = keras.layers.MultiHeadAttention(heads, key_dim, value_dim, use_bias=bias, output_shape=dim_out)
        layer.build(query.shape, value.shape, None if key is None else key.shape)
        layer.set_weights(list(weights.values()))
        return keras.ops.convert_to_numpy(layer(query, value, key, use_causal_mask=causal))

    return oracle


def grouped(heads, kv_heads, key_dim):
    """Keras's grouped-query attention."""

    def oracle(weights, query, value, key=None):
        layer = keras.layers.GroupQueryAttention(key_dim, heads, kv_heads)
        layer.build(query.shape, value.shape)
        layer.set_weights(list(weights.values()))
        return keras.ops.convert_to_numpy(layer(query, value))

    return oracle


def by_hand(kv_heads=None, causal=False, rotary=None, **_):
    """One head after the other."""

    def oracle(weights, query, value=None, key=None):
        value = query if value is None else value
        key = value if key is None else key
        w = {name: weight.astype("float64") for name, weight in weights.items()}
        out, (_, heads, dim) = 0.0, w["query/kernel"].shape
        shared = heads // (kv_heads or heads)
        for h in range(heads):
            g = h // shared
            q = query @ w["query/kernel"][:, h] + w.get("query/bias", np.zeros((heads, 1)))[h]
            k = key @ w["key/kernel"][:, g] + w.get("key/bias", np.zeros((heads, 1)))[g]
            v = value @ w["value/kernel"][:, g] + w.get("value/bias", np.zeros((heads, 1)))[g]
            if rotary:
                q, k = rotated(q, rotary), rotated(k, rotary)
            scores = q @ k.swapaxes(1, 2) / np.sqrt(dim)
            if causal:
                scores = np.where(np.tri(*scores.shape[1:], dtype=bool), scores, -np.inf)
            out = out + softmax(scores) @ v @ w["attention_output/kernel"][h]
        return out + w.get("attention_output/bias", 0.0)

    return oracle


def additive(weights, query, value, key=None):
    key = value if key is None else key
    sums = np.tanh(query[:, :, None] + key[:, None])
    return softmax((sums * weights.get("scale", 1.0)).sum(-1)) @ value


def _row(args, *inputs, oracle=by_keras):
    return Row("attention", args, inputs, oracle(**args))


ROWS = [
    _row({"heads": 2, "key_dim": 4}, (5, 6)),
    _row({"heads": 2, "key_dim": 4}, (5, 6), (3, 6)),
    _row({"heads": 2, "key_dim": 4}, (5, 6), (3, 4), (3, 7)),
    _row({"heads": 1, "key_dim": 1}, (1, 1), (1, 1)),
    _row({"heads": 2, "key_dim": 4, "value_dim": 3, "dim_out": 5}, (4, 6), (3, 5)),
    _row({"heads": 3, "key_dim": 2, "bias": False}, (4, 6), (4, 6)),
    _row({"heads": 3, "key_dim": 2, "bias": False, "value_dim": 5}, (4, 6)),
    _row({"heads": 2, "key_dim": 4, "causal": True}, (5, 6)),
    _row({"heads": 2, "key_dim": 4, "causal": True}, (5, 6), (3, 6)),
    _row({"heads": 2, "key_dim": 4, "causal": True}, (3, 6), (5, 6), (5, 2)),
    _row({"heads": 2, "key_dim": 4, "dropout": 0.5}, (5, 6), (3, 6)),
    _row({"heads": 2, "key_dim": 4, "dropout": 0.5, "causal": True}, (5, 6)),
    Row("attention", {"heads": 3}, ((4, 6), (5, 2)), by_keras(3, 2)),
    Row("attention", {"heads": 4, "key_dim": 3, "kv_heads": 2}, ((5, 6), (4, 6)), grouped(4, 2, 3)),
    Row("attention", {"heads": 4, "key_dim": 3, "kv_heads": 1}, ((5, 6), (4, 6)), grouped(4, 1, 3)),
    _row({"heads": 4, "key_dim": 3, "kv_heads": 4}, (5, 6), oracle=by_hand),
    _row(
        {"heads": 4, "key_dim": 3, "value_dim": 5, "kv_heads": 2, "dim_out": 7}, (5, 6), (4, 3), (4, 2), oracle=by_hand
    ),
    _row({"heads": 2, "key_dim": 4, "rotary": 10000.0}, (5, 6), oracle=by_hand),
    _row(
        {"heads": 2, "key_dim": 6, "rotary": 100.0, "causal": True, "kv_heads": 1, "bias": False},
        (5, 6),
        oracle=by_hand,
    ),
    _row({"heads": 2, "key_dim": 2, "rotary": 10000.0}, (5, 6), (3, 4), oracle=by_hand),
    Row("additive_attention", {}, ((5, 4), (3, 4)), additive),
    Row("additive_attention", {"scale": False}, ((5, 4), (3, 4)), additive),
    Row("additive_attention", {}, ((5, 4), (3, 2), (3, 4)), additive),
    Row("additive_attention", {"dropout": 0.5}, ((1, 1), (1, 1)), additive),
]
