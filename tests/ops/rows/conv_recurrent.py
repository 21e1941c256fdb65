"""A convolutional LSTM, step by step in numpy (Shi et al. 2015, equation 3, without peepholes)."""

import numpy as np

from tests.ops.rows import Row
from tests.ops.rows.conv import conv
from tests.ops.rows.recurrent import sigmoid


def conv_lstm(stride=1, padding="same", dilation=1, sequences=False, act=np.tanh):
    def oracle(weights, x):
        w = {name.rpartition("/")[2]: value for name, value in weights.items()}
        h = c = 0.0
        out = []
        for t in range(x.shape[1]):
            given = conv(stride, padding, dilation)({"kernel": w["kernel"]}, x[:, t]) + w.get("bias", 0.0)
            h = np.zeros((*given.shape[:-1], given.shape[-1] // 4)) if t == 0 else h
            i, f, g, o = np.split(given + conv()({"kernel": w["recurrent_kernel"]}, h), 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * act(g)
            h = sigmoid(o) * act(c)
            out.append(h)
        return np.stack(out, 1) if sequences else h

    return oracle


ROWS = [
    Row("conv_lstm", {"filters": 3}, ((4, 5, 4, 2),), conv_lstm(), tolerance=1e-4),
    Row("conv_lstm", {"filters": 2, "sequences": True}, ((3, 6, 2),), conv_lstm(sequences=True), tolerance=1e-4),
    Row(
        "conv_lstm",
        {"filters": 2, "kernel": [3, 2], "stride": 2, "padding": "valid", "bias": False},
        ((3, 7, 6, 2),),
        conv_lstm(2, "valid"),
        tolerance=1e-4,
    ),
    Row(
        "conv_lstm",
        {"filters": 2, "kernel": 2, "sequences": True, "activation": "relu", "dropout": 0.5},
        ((2, 3, 4, 3, 2),),
        conv_lstm(sequences=True, act=lambda x: np.maximum(x, 0)),
        tolerance=1e-4,
    ),
]
