"""Convolutions, against a tap-by-tap sum in numpy."""

from itertools import product

import numpy as np

from tests.ops.rows import Row


def _tuple(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _sides(padding, sizes, kernel, stride, dilation):
    """(before, after) per axis; ``same`` is TensorFlow's."""
    rank = len(sizes)
    if padding == "valid":
        return [(0, 0)] * rank
    if padding == "same":
        sides = []
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            sides.append((total // 2, total - total // 2))
        return sides
    padding = [padding] * rank if isinstance(padding, int) else padding
    return [(p, p) if isinstance(p, int) else tuple(p) for p in padding]


def _taps(x, kernel, stride, padding, dilation):
    """For every tap of the kernel: its index, and what it sees of ``x`` at all output positions."""
    rank = x.ndim - 2
    stride, dilation = _tuple(stride, rank), _tuple(dilation, rank)
    sides = _sides(padding, x.shape[1:-1], kernel, stride, dilation)
    x = np.pad(x.astype("float64"), [(0, 0), *sides, (0, 0)])
    outs = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)]
    for tap in product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        window = [slice(a, a + (o - 1) * s + 1, s) for a, o, s in zip(starts, outs, stride, strict=True)]
        yield tap, x[(slice(None), *window)]


def _finish(y, weights, activation):
    y = y + weights.get("bias", 0.0)
    return np.maximum(y, 0.0) if activation == "relu" else y


def conv(stride=1, padding="same", dilation=1, groups=1, activation=None):
    def oracle(weights, x):
        kernel = weights["kernel"].astype("float64")
        y = 0.0
        for tap, seen in _taps(x, kernel.shape[: x.ndim - 2], stride, padding, dilation):
            parts = zip(np.split(seen, groups, -1), np.split(kernel[tap], groups, -1), strict=True)
            y = y + np.concatenate([part @ k for part, k in parts], -1)
        return _finish(y, weights, activation)

    return oracle


def depthwise(stride=1, padding="same", dilation=1, activation=None):
    def oracle(weights, x):
        kernel = weights["kernel"].astype("float64")
        y = 0.0
        for tap, seen in _taps(x, kernel.shape[: x.ndim - 2], stride, padding, dilation):
            y = y + (seen[..., None] * kernel[tap]).reshape(*seen.shape[:-1], -1)
        return _finish(y, weights, activation)

    return oracle


def separable(stride=1, padding="same", dilation=1, activation=None):
    def oracle(weights, x):
        y = depthwise(stride, padding, dilation)({"kernel": weights["depthwise_kernel"]}, x)
        pointwise = weights["pointwise_kernel"]
        return _finish(y @ pointwise.reshape(pointwise.shape[-2:]), weights, activation)

    return oracle


def transposed(stride=2, padding="same", dilation=1, output_padding=0, activation=None):
    """Every input position lays the kernel down; then the borders are cropped."""

    def oracle(weights, x):
        rank = x.ndim - 2
        kernel = weights["kernel"].astype("float64")
        s, d, extra = (_tuple(v, rank) for v in (stride, dilation, output_padding))
        spans = [dd * (k - 1) + 1 for k, dd in zip(kernel.shape, d, strict=False)]
        if padding == "same":
            crops = [(max(span - ss, 0) // 2, None) for span, ss in zip(spans, s, strict=True)]
            outs = [n * ss for n, ss in zip(x.shape[1:-1], s, strict=True)]
        elif padding == "valid":
            crops = [(0, None)] * rank
            outs = [
                (n - 1) * ss + (span + e if e else max(span, ss))
                for n, ss, span, e in zip(x.shape[1:-1], s, spans, extra, strict=True)
            ]
        else:
            crops = _sides(padding, x.shape[1:-1], kernel.shape[:rank], s, d)
            outs = [
                (n - 1) * ss + span - b - a + e
                for n, ss, span, (b, a), e in zip(x.shape[1:-1], s, spans, crops, extra, strict=True)
            ]
        room = [
            max(b + o, (n - 1) * ss + span)
            for (b, _), o, n, ss, span in zip(crops, outs, x.shape[1:-1], s, spans, strict=True)
        ]
        whole = np.zeros((len(x), *room, kernel.shape[-2]))
        for tap in product(*map(range, kernel.shape[:rank])):
            starts = [t * dd for t, dd in zip(tap, d, strict=True)]
            window = [slice(a, a + (n - 1) * ss + 1, ss) for a, n, ss in zip(starts, x.shape[1:-1], s, strict=True)]
            whole[(slice(None), *window)] += x.astype("float64") @ kernel[tap].T
        kept = [slice(b, b + o) for (b, _), o in zip(crops, outs, strict=True)]
        return _finish(whole[(slice(None), *kept)], weights, activation)

    return oracle


def _row(op, oracle, args, *inputs):
    known = ("stride", "padding", "dilation", "groups", "output_padding", "activation")
    return Row(op, args, inputs, oracle(**{k: v for k, v in args.items() if k in known}))


def _bias(weights, x):
    return x + weights["bias"]


ROWS = [
    _row("conv", conv, {"filters": 4}, (7, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "bias": False}, (7, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "activation": "relu"}, (7, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "stride": 2}, (7, 6, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 7, "stride": 2, "padding": 3}, (9, 8, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "padding": 1}, (6, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 2, "padding": 1}, (6, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "padding": 0}, (6, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "stride": 2, "padding": [[0, 1], [2, 0]]}, (6, 5, 3)),
    _row("conv", conv, {"filters": 4, "kernel": [1, 7], "padding": "valid"}, (4, 9, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 4, "stride": [3, 2], "padding": "valid"}, (8, 9, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "dilation": 2}, (7, 6, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "dilation": [1, 3], "padding": [1, 3]}, (7, 9, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "dilation": 2, "padding": "valid"}, (7, 6, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 7}, (2, 1, 3)),
    _row("conv", conv, {"filters": 6, "kernel": 3, "groups": 2, "activation": "relu"}, (6, 5, 4)),
    _row("conv", conv, {"filters": 8, "kernel": 3, "groups": 4, "stride": 2, "padding": 1, "bias": False}, (6, 5, 4)),
    _row("conv", conv, {"filters": 6, "kernel": 3, "groups": 3, "dilation": 2}, (6, 5, 3)),
    _row("conv", conv, {"filters": 6, "kernel": [3, 1], "groups": 3, "stride": [1, 2], "padding": "valid"}, (6, 5, 6)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "stride": 2}, (8, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "stride": 2, "padding": 2}, (8, 3)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "groups": 2, "dilation": 2}, (8, 4)),
    _row("conv", conv, {"filters": 4, "kernel": 4, "groups": 2, "stride": 3, "padding": 1}, (8, 4)),
    _row("conv", conv, {"filters": 4, "kernel": 3, "stride": [1, 2, 2]}, (4, 5, 6, 2)),
    _row("conv", conv, {"filters": 4, "kernel": [2, 3, 3], "padding": [[0, 1], [1, 1], [1, 0]]}, (4, 5, 6, 2)),
    _row("conv", conv, {"filters": 4, "kernel": 2, "dilation": [1, 2, 1]}, (4, 5, 3, 2)),
    _row("conv", conv, {"filters": 6, "kernel": 3, "groups": 2, "stride": 2, "padding": 1}, (4, 5, 6, 4)),
    _row("conv_transpose", transposed, {"filters": 4}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "bias": False}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 4, "activation": "relu"}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 4, "padding": 1}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 4, "stride": 1, "padding": "valid"}, (1, 1, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 4, "stride": 1, "padding": 0}, (1, 1, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 2, "stride": 3, "padding": "valid"}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 2, "stride": 3}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "padding": "valid", "output_padding": 1}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "padding": 1}, (3, 4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "padding": 1, "output_padding": 1}, (3, 4, 5)),
    _row(
        "conv_transpose",
        transposed,
        {"filters": 4, "kernel": [5, 3], "stride": [3, 2], "padding": [[2, 0], [0, 1]], "output_padding": [2, 0]},
        (3, 4, 5),
    ),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "stride": 1, "dilation": 2}, (5, 6, 5)),
    _row(
        "conv_transpose", transposed, {"filters": 4, "kernel": 3, "stride": 1, "dilation": 2, "padding": 1}, (5, 6, 5)
    ),
    _row(
        "conv_transpose",
        transposed,
        {"filters": 4, "kernel": [2, 3], "stride": 1, "dilation": [3, 1], "activation": "relu"},
        (4, 3, 5),
    ),
    _row(
        "conv_transpose",
        transposed,
        {"filters": 4, "kernel": [3, 1], "stride": 1, "dilation": 2, "padding": [[5, 0], [0, 0]]},
        (5, 4, 3),
    ),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "stride": 1, "dilation": 3}, (5, 2)),
    _row(
        "conv_transpose",
        transposed,
        {"filters": 4, "kernel": 2, "stride": 1, "dilation": 2, "padding": "valid", "bias": False},
        (2, 3, 2, 5),
    ),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 64, "stride": 32, "padding": 16}, (2, 2, 3)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 5, "stride": 3}, (4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 5, "stride": 3, "padding": 2}, (4, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3}, (2, 3, 2, 5)),
    _row("conv_transpose", transposed, {"filters": 4, "kernel": 3, "padding": 1, "output_padding": 1}, (2, 3, 2, 5)),
    _row("depthwise_conv", depthwise, {}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"stride": 2, "bias": False}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"kernel": 5, "multiplier": 2, "activation": "relu"}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"stride": 2, "padding": 1, "multiplier": 2}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"stride": [2, 1]}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"stride": [1, 3], "padding": "valid", "dilation": [2, 1]}, (6, 7, 3)),
    _row("depthwise_conv", depthwise, {"stride": [3, 2], "padding": [[1, 0], [0, 2]], "bias": False}, (6, 5, 3)),
    _row("depthwise_conv", depthwise, {"stride": 2, "dilation": 2}, (7, 9, 3)),
    _row("depthwise_conv", depthwise, {"dilation": [1, 2], "padding": "valid"}, (7, 9, 3)),
    _row("depthwise_conv", depthwise, {"kernel": 3, "stride": 2, "multiplier": 2}, (7, 3)),
    _row("depthwise_conv", depthwise, {"kernel": 4, "dilation": 2, "padding": 2}, (9, 3)),
    _row("separable_conv", separable, {"filters": 4}, (6, 5, 3)),
    _row("separable_conv", separable, {"filters": 4, "stride": 2, "bias": False, "multiplier": 2}, (6, 5, 3)),
    _row("separable_conv", separable, {"filters": 4, "stride": 2, "padding": 1, "activation": "relu"}, (6, 5, 3)),
    _row("separable_conv", separable, {"filters": 4, "stride": [2, 1], "multiplier": 3}, (6, 5, 3)),
    _row("separable_conv", separable, {"filters": 4, "kernel": 5, "dilation": 2, "padding": "valid"}, (11, 10, 3)),
    _row("separable_conv", separable, {"filters": 4, "stride": 2, "dilation": 2}, (8, 7, 3)),
    _row("separable_conv", separable, {"filters": 4, "stride": 2}, (7, 3)),
    _row("separable_conv", separable, {"filters": 4, "padding": [[2, 0]]}, (7, 3)),
    Row("bias", {}, ((3, 4, 5),), _bias),
    Row("bias", {"per": "position"}, ((3, 4, 5),), _bias),
    Row("bias", {"per": "element"}, ((3, 4, 5),), _bias),
    Row("bias", {}, ((5,),), _bias),
]
