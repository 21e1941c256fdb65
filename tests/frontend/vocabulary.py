"""Arguments for every op with one input, drawn from what fits a shape: the words of ``generator``.

``WORDS[op](draw, x)`` gives the arguments of a call on ``x``, or None where the op means nothing there. What it gives
may still be refused by the op's own rule: whoever asks tries another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from archspec.ir.tensors import TensorSpec
from tests.frontend.draw import Draw

Args = dict[str, Any] | None
ACTIVATIONS = [
    "relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "hard_swish",
    "hard_sigmoid",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "mish",
    "linear",
    "softmax",
    "log_softmax",
    "scaled_tanh",
]
WITH_ARGUMENT = ({"leaky_relu": 0.1}, {"elu": 0.5}, {"softmax": -1}, "leaky_relu")


def activation(draw: Draw) -> Any:
    """A name, or a one-op map."""
    return draw.choice(ACTIVATIONS) if draw.chance(0.8) else draw.choice(WITH_ARGUMENT)


def optional(draw: Draw, **values: Callable[[], Any]) -> dict[str, Any]:
    """Some of the arguments."""
    return {name: make() for name, make in values.items() if draw.chance(0.35)}


def axes(draw: Draw, x: TensorSpec, make: Callable[[], int]) -> Any:
    """One number for all spatial axes, or one for each."""
    return make() if draw.chance(0.7) else [make() for _ in x.spatial]


def padding(draw: Draw, x: TensorSpec) -> Any:
    kind = draw.integer(0, 4)
    if kind < 2:
        return "same"
    if kind == 2:
        return "valid"
    if kind == 3:
        return draw.integer(0, 2)
    return [[draw.integer(0, 2), draw.integer(0, 2)] if draw.chance(0.5) else draw.integer(0, 2) for _ in x.spatial]


def divisor(draw: Draw, n: int) -> int:
    return draw.choice([d for d in range(1, n + 1) if n % d == 0])


def is_spatial(x: TensorSpec) -> bool:
    return 2 <= x.rank <= 4


def convolution(draw: Draw, x: TensorSpec) -> dict[str, Any]:
    out = {"kernel": axes(draw, x, lambda: draw.choice((1, 1, 2, 3, 3, 4, 5)))}
    out |= optional(
        draw,
        stride=lambda: axes(draw, x, lambda: draw.choice((1, 2, 2, 3))),
        padding=lambda: padding(draw, x),
        bias=lambda: draw.chance(0.5),
        activation=lambda: activation(draw),
    )
    if "stride" not in out and draw.chance(0.2):
        out["dilation"] = axes(draw, x, lambda: draw.choice((1, 2, 3)))
    return out


def conv(draw: Draw, x: TensorSpec) -> Args:
    if not is_spatial(x):
        return None
    out = convolution(draw, x)
    if draw.chance(0.2):
        groups = divisor(draw, x.channels)
        return {"filters": groups * draw.integer(1, 3), "groups": groups} | out
    return {"filters": draw.number(1, 9, x)} | out


def conv_transpose(draw: Draw, x: TensorSpec) -> Args:
    if not is_spatial(x):
        return None
    out = {"filters": draw.number(1, 6, x)} | convolution(draw, x)
    if draw.chance(0.2):
        out["output_padding"] = 1
    return out


def depthwise_conv(draw: Draw, x: TensorSpec) -> Args:
    if not is_spatial(x):
        return None
    return convolution(draw, x) | optional(draw, multiplier=lambda: draw.number(1, 3, x))


def separable_conv(draw: Draw, x: TensorSpec) -> Args:
    out = depthwise_conv(draw, x)
    return out and {"filters": draw.number(1, 6, x)} | out


def dense(draw: Draw, x: TensorSpec) -> Args:
    return {"units": draw.number(1, 12, x)} | optional(
        draw, bias=lambda: draw.chance(0.5), activation=lambda: activation(draw)
    )


def pool(draw: Draw, x: TensorSpec) -> Args:
    if not is_spatial(x):
        return None
    return {"size": axes(draw, x, lambda: draw.choice((1, 2, 2, 3)))} | optional(
        draw,
        stride=lambda: axes(draw, x, lambda: draw.choice((1, 2, 2, 3))),
        padding=lambda: padding(draw, x),
        ceil=lambda: draw.chance(0.5),
    )


def norm(draw: Draw, x: TensorSpec) -> Args:
    return optional(
        draw,
        epsilon=lambda: draw.choice((1e-3, 1e-5, 1.001e-5)),
        scale=lambda: draw.chance(0.5),
        center=lambda: draw.chance(0.5),
    )


def axis(draw: Draw, x: TensorSpec) -> int:
    return draw.integer(-x.rank, x.rank - 1)


def factors(draw: Draw, n: int) -> list[int]:
    """A shape of ``n`` elements, one size of which may be left to be found."""
    out = []
    while n > 1 and len(out) < 3:
        out.append(divisor(draw, n))
        n //= out[-1]
    out.append(n)
    if draw.chance(0.5):
        out[draw.integer(0, len(out) - 1)] = -1
    return out


def cut(draw: Draw, x: TensorSpec) -> Args:
    along = axis(draw, x)
    size = x.shape[along]
    start = draw.integer(0, size - 1)
    stop = draw.integer(start + 1, size)
    out = {"range": [start - size if draw.chance(0.3) else start, None if stop == size else stop]}
    return out if along == -1 else out | {"axis": along}


def split(draw: Draw, x: TensorSpec) -> Args:
    along = axis(draw, x)
    size = x.shape[along]
    if size < 2:
        return None
    first = draw.integer(1, size - 1)
    parts = draw.choice([d for d in range(1, size + 1) if size % d == 0 and d <= 4])
    return {"parts": parts if draw.chance(0.6) else [first, size - first], "axis": along}


def recurrent(draw: Draw, x: TensorSpec) -> Args:
    if x.rank != 2:
        return None
    return {"units": draw.number(1, 6, x)} | optional(
        draw,
        sequences=lambda: draw.chance(0.7),
        bias=lambda: draw.chance(0.5),
        reverse=lambda: draw.chance(0.5),
        activation=lambda: draw.choice(("tanh", "relu", "sigmoid")),
        dropout=lambda: 0.25,
    )


def bidirectional(draw: Draw, x: TensorSpec) -> Args:
    inner = recurrent(draw, x)
    if inner is None:
        return None
    inner.pop("reverse", None)
    inner["units"] = draw.integer(1, 6)
    merge = optional(draw, merge=lambda: draw.choice(("concat", "add", "multiply", "average")))
    return {"layer": {draw.choice(("lstm", "gru", "rnn")): inner}} | merge


def attention(draw: Draw, x: TensorSpec) -> Args:
    if x.rank != 2:
        return None
    return {"heads": divisor(draw, x.channels)} | optional(
        draw,
        key_dim=lambda: draw.integer(1, 4),
        dim_out=lambda: draw.number(1, 6, x),
        bias=lambda: draw.chance(0.5),
        causal=lambda: draw.chance(0.5),
    )


def spatial(make: Callable[[Draw, TensorSpec], dict[str, Any]]) -> Callable[[Draw, TensorSpec], Args]:
    """Arguments of an op that wants spatial axes."""
    return lambda draw, x: make(draw, x) if is_spatial(x) else None


def image(make: Callable[[Draw, TensorSpec], Args]) -> Callable[[Draw, TensorSpec], Args]:
    """Arguments of an op that wants height, width and channels."""
    return lambda draw, x: make(draw, x) if x.rank == 3 else None


def sequence(make: Callable[[Draw, TensorSpec], dict[str, Any]]) -> Callable[[Draw, TensorSpec], Args]:
    """Arguments of an op that wants steps and channels."""
    return lambda draw, x: make(draw, x) if x.rank == 2 else None


def nothing(draw: Draw, x: TensorSpec) -> Args:
    return {}


def sides(draw: Draw, x: TensorSpec) -> Any:
    return axes(draw, x, lambda: draw.integer(1, 6))


WORDS: dict[str, Callable[[Draw, TensorSpec], Args]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "depthwise_conv": depthwise_conv,
    "separable_conv": separable_conv,
    "dense": dense,
    "bias": lambda draw, x: optional(draw, per=lambda: draw.choice(("channel", "position", "element"))),
    "max_pool": pool,
    "avg_pool": pool,
    "global_avg_pool": spatial(lambda draw, x: optional(draw, keep=lambda: draw.chance(0.7))),
    "global_max_pool": spatial(lambda draw, x: optional(draw, keep=lambda: draw.chance(0.7))),
    "adaptive_avg_pool": spatial(lambda draw, x: {"size": sides(draw, x)}),
    "adaptive_max_pool": spatial(lambda draw, x: {"size": sides(draw, x)}),
    "lrn": spatial(lambda draw, x: optional(draw, size=lambda: draw.choice((3, 5)), divide=lambda: draw.chance(0.5))),
    "batch_norm": norm,
    "layer_norm": norm,
    "group_norm": lambda draw, x: {"groups": divisor(draw, x.channels)} | (norm(draw, x) or {}),
    "instance_norm": spatial(lambda draw, x: norm(draw, x) or {}),
    "rms_norm": lambda draw, x: optional(draw, epsilon=lambda: 1e-5),
    "dropout": lambda draw, x: {"rate": draw.choice((0, 0.25, 0.5))},
    "spatial_dropout": spatial(lambda draw, x: {"rate": 0.5}),
    "drop_path": lambda draw, x: {"rate": 0.1},
    **dict.fromkeys([a for a in ACTIVATIONS if "softmax" not in a and a != "elu"], nothing),
    "elu": lambda draw, x: optional(draw, alpha=lambda: 0.5),
    "softmax": lambda draw, x: optional(draw, axis=lambda: axis(draw, x)),
    "log_softmax": lambda draw, x: optional(draw, axis=lambda: axis(draw, x)),
    "leaky_relu": lambda draw, x: optional(draw, slope=lambda: 0.1),
    "prelu": lambda draw, x: optional(draw, shared=lambda: draw.choice(("spatial", "all", "none"))),
    "maxout": lambda draw, x: {"pieces": divisor(draw, x.channels)},
    "activation": lambda draw, x: {"function": activation(draw)},
    "flatten": nothing,
    "reshape": lambda draw, x: {"shape": factors(draw, math.prod(x.shape))},
    "permute": lambda draw, x: {"axes": draw.shuffled(range(x.rank))},
    "slice": cut,
    "split": split,
    "pad": spatial(
        lambda draw, x: (
            {"padding": axes(draw, x, lambda: draw.integer(0, 2))}
            | optional(draw, mode=lambda: draw.choice(("zero", "reflect", "replicate")))
        )
    ),
    "crop": spatial(lambda draw, x: {"margins": axes(draw, x, lambda: draw.integer(0, 1))}),
    "center_crop": spatial(lambda draw, x: {"size": [draw.integer(1, n) for n in x.spatial]}),
    "subsample": spatial(lambda draw, x: {"stride": axes(draw, x, lambda: draw.integer(1, 3))}),
    "pad_channels": lambda draw, x: {"after": draw.integer(1, 3), "before": draw.integer(0, 2)},
    "upsample": spatial(
        lambda draw, x: (
            {"factor": axes(draw, x, lambda: draw.integer(1, 2))}
            | optional(draw, mode=lambda: draw.choice(("nearest", "bilinear", "bicubic", "area")))
        )
    ),
    "resize": spatial(
        lambda draw, x: (
            {"size": sides(draw, x)}
            | optional(draw, mode=lambda: draw.choice(("nearest", "bilinear", "bicubic", "area")))
        )
    ),
    "channel_shuffle": lambda draw, x: {"groups": divisor(draw, x.channels)},
    "pixel_shuffle": image(lambda draw, x: {"factor": 2} if x.channels % 4 == 0 else None),
    "pixel_unshuffle": image(lambda draw, x: {"factor": 2} if not (x.shape[0] % 2 or x.shape[1] % 2) else None),
    "scale": lambda draw, x: {"factor": draw.choice((2, 0.5))} | optional(draw, offset=lambda: -1),
    "layer_scale": lambda draw, x: optional(draw, init=lambda: 0.1),
    "normalize": lambda draw, x: {"mean": [0.5], "std": [0.25]},
    "rnn": recurrent,
    "gru": lambda draw, x: (a := recurrent(draw, x)) and a | optional(draw, reset_after=lambda: draw.chance(0.5)),
    "lstm": recurrent,
    "bidirectional": bidirectional,
    "attention": attention,
    "class_token": sequence(lambda draw, x: optional(draw, count=lambda: draw.integer(1, 2))),
    "position_embedding": sequence(lambda draw, x: optional(draw, length=lambda: x.shape[0] + draw.integer(0, 3))),
    "sinusoidal_position": sequence(lambda draw, x: {}),
    "rotary_position": sequence(lambda draw, x: optional(draw, heads=lambda: divisor(draw, x.channels))),
    "repeat_vector": lambda draw, x: {"count": draw.integer(1, 4)} if x.rank == 1 else None,
    "rbf": lambda draw, x: {"units": draw.integer(1, 5)},
    "embedding": lambda draw, x: {"vocab": 11, "dim": draw.integer(1, 6)} if "int" in x.dtype else None,
    "one_hot": lambda draw, x: {"vocab": 5} if "int" in x.dtype else None,
}
