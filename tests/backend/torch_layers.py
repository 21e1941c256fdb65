"""PyTorch's layers on one example, channels first, as its documentation has them: in NumPy, by plain loops."""

from __future__ import annotations

from itertools import product

import numpy as np


def linear(state, name, x):
    """x · Wᵀ + b over the last axis."""
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0)


def conv(state, name, x, stride=1, padding=0):
    """Cross-correlation; ``x`` is (channels, …spatial), the kernel (out, in, …spatial)."""
    kernel, spatial = state[f"{name}.weight"], range(1, x.ndim)
    x = np.pad(x, [(0, 0), *[(padding, padding)] * (x.ndim - 1)])
    sizes = [(x.shape[a] - kernel.shape[a + 1]) // stride + 1 for a in spatial]
    out = np.zeros((len(kernel), *sizes))
    for at in product(*map(range, sizes)):
        window = x[
            (slice(None), *(slice(i * stride, i * stride + k) for i, k in zip(at, kernel.shape[2:], strict=True)))
        ]
        out[(slice(None), *at)] = np.tensordot(kernel, window, x.ndim)
    return out + state[f"{name}.bias"].reshape(-1, *[1] * (x.ndim - 1))


def conv_transpose(state, name, x, stride):
    """Each position lays the kernel (in, out, …spatial) down, ``stride`` apart; nothing is cropped."""
    kernel = state[f"{name}.weight"]
    sizes = [(n - 1) * stride + k for n, k in zip(x.shape[1:], kernel.shape[2:], strict=True)]
    out = np.zeros((kernel.shape[1], *sizes))
    for at in product(*map(range, x.shape[1:])):
        place = tuple(slice(i * stride, i * stride + k) for i, k in zip(at, kernel.shape[2:], strict=True))
        out[(slice(None), *place)] += np.tensordot(x[(slice(None), *at)], kernel, 1)
    return out + state[f"{name}.bias"].reshape(-1, *[1] * (x.ndim - 1))


def batch_norm(state, name, x, epsilon=1e-5):
    """By running statistics of the first axis."""
    weight, bias, mean, variance = (
        state[f"{name}.{role}"].reshape(-1, *[1] * (x.ndim - 1))
        for role in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def layer_norm(state, name, x, epsilon=1e-5):
    """Over the last axis."""
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return x * state[f"{name}.weight"] + state[f"{name}.bias"]


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrent(kind, state, name, x, suffix="_l0"):
    """The outputs of one direction of torch.nn.RNN, LSTM or GRU; ``x`` is (time, channels)."""
    w_ih, w_hh, b_ih, b_hh = (
        state[f"{name}.{role}{suffix}"] for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    units = w_hh.shape[1]
    h = c = np.zeros(units)
    out = np.zeros((len(x), units))
    for t in reversed(range(len(x))) if suffix.endswith("_reverse") else range(len(x)):
        a, b = w_ih @ x[t] + b_ih, w_hh @ h + b_hh
        if kind == "rnn":
            h = np.tanh(a + b)
        elif kind == "lstm":
            i, f, g, o = np.split(a + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
            r, z = sigmoid(ar + br), sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + r * bn) + z * h
        out[t] = h
    return out
