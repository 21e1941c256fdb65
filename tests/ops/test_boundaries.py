"""A full grid of kernels, strides, dilations, paddings and sizes, the smallest among them.

Static shapes equal Keras's, and the static rules refuse exactly what Keras refuses, for all that Keras offers. What is
accepted also runs: lowered, on zeros, with the shape that was promised.
"""

from functools import lru_cache, partial
from itertools import product

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from tests.ops.rows import conv, pooling
from tests.wording import refuses

pytestmark = [pytest.mark.tensorflow, pytest.mark.processors]

CHANNELS = 2
COMMON = {"kernel": (1, 2, 3, 5), "stride": (1, 2, 3), "dilation": (1, 2), "padding": ("same", "valid")}
POOLS = {"size": (1, 2, 3, 5), "stride": (None, 1, 2, 3), "padding": ("same", "valid")}
SIZES = (1, 2, 3, 5, 8, None)
WIDER = {"kernel": (1, 2, 3, 4, 5, 7), "size": (1, 2, 3, 4, 5, 7), "stride": (1, 2, 3, 4)}
WIDER_SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 16, None)
KERAS_NAMES = {
    "kernel": "kernel_size",
    "stride": "strides",
    "dilation": "dilation_rate",
    "size": "pool_size",
    "groups": "groups",
    "padding": "padding",
    "output_padding": "output_padding",
}
OPS = {
    # op: (Keras's layer, ranks, fixed arguments for Keras, for us, grid)
    "conv": ("Conv{}D", (1, 2, 3), {"filters": 4}, {"filters": 4}, {**COMMON, "groups": (1, 2)}),
    "conv_transpose": (
        "Conv{}DTranspose",
        (1, 2, 3),
        {"filters": 3},
        {"filters": 3},
        {**COMMON, "output_padding": (None, 0, 1, 2)},
    ),
    "depthwise_conv": ("DepthwiseConv{}D", (1, 2), {}, {}, COMMON),
    "separable_conv": ("SeparableConv{}D", (1, 2), {"filters": 3}, {"filters": 3}, COMMON),
    "max_pool": ("MaxPooling{}D", (1, 2, 3), {}, {}, POOLS),
    "avg_pool": ("AveragePooling{}D", (1, 2, 3), {}, {}, POOLS),
}
OWN = {
    "conv": {**COMMON, "padding": (0, 1, 3, ((2, 0),)), "groups": (1, 2)},
    "conv_transpose": {**COMMON, "padding": (0, 1, 3, ((0, 2),)), "output_padding": (None, 1)},
    "depthwise_conv": {**COMMON, "padding": (1, 3, ((2, 0),))},
    "separable_conv": {**COMMON, "padding": (1, 3, ((2, 0),))},
    "max_pool": {**POOLS, "padding": ("valid", 0, 1, 2, ((0, 1),), ((2, 1),)), "ceil": (False, True)},
    "avg_pool": {**POOLS, "padding": ("valid", 0, 1, 2, ((0, 1),), ((2, 1),)), "ceil": (False, True)},
}


def points(grid):
    for values in product(*grid.values()):
        yield {key: value for key, value in zip(grid, values, strict=True) if value is not None}


def static(op, args, shape):
    try:
        return op.model_validate(args).infer(TensorSpec(shape)).shape
    except OpError:
        return None


def keras_layer(name, rank, args, fixed):
    return kept_layer(name.format(rank), (*fixed.items(), *((KERAS_NAMES[key], value) for key, value in args.items())))


@lru_cache(maxsize=4)
def kept_layer(name, arguments):
    """The same layer for one size after another: its weights are made once."""
    return getattr(keras.layers, name)(**dict(arguments))


def keras_shape(name, rank, args, fixed, shape):
    """Keras's output shape, or None if it refuses in the constructor, in its shape rule, or when it runs."""
    try:
        layer = keras_layer(name, rank, args, fixed)
        out = tuple(layer.compute_output_shape((1, *shape)))[1:]
        if "output_padding" in args:
            # Keras's shape rule lets sizes pass that TensorFlow refuses. Not every processor's TensorFlow runs a
            # dilation here, but each a kernel of the same span.
            span = {"kernel": args["dilation"] * (args["kernel"] - 1) + 1, "dilation": 1}
            keras_layer(name, rank, {**args, **span}, fixed)(np.zeros((1, *(n or 8 for n in shape)), "float32"))
    except Exception:
        return None
    return None if 0 in out else out  # an output without elements is no output


def runs_as_promised(op, args, shape, promised):
    if None in shape:
        return True
    layer = op.model_validate(args).lower(TensorSpec(shape))
    return tuple(layer(np.zeros((1, *shape), "float32")).shape)[1:] == promised


OPS_AND_RANKS = [(op, rank) for op, entry in OPS.items() for rank in entry[1]]


@pytest.mark.parametrize("wide", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("op", "rank"), [pytest.param(*one, marks=[pytest.mark.slow] if one[1] > 1 else []) for one in OPS_AND_RANKS]
)
def test_static_equals_keras_over_the_grid(op, rank, wide):
    name, _, fixed, ours, grid = OPS[op]
    sizes = WIDER_SIZES if wide else SIZES
    if wide:
        grid = {key: WIDER.get(key, values) for key, values in grid.items()}
    wrong, found = [], Op.find(op)
    for args, size in product(points(grid), sizes):
        shape = (*(size,) * rank, CHANNELS)
        promised, expected = static(found, {**ours, **args}, shape), keras_shape(name, rank, args, fixed, shape)
        if promised != expected:
            wrong.append((args, shape, promised, expected))
    assert wrong == []


def oracle(op, args):
    function = {
        "conv": conv.conv,
        "conv_transpose": conv.transposed,
        "depthwise_conv": conv.depthwise,
        "separable_conv": conv.separable,
        "max_pool": partial(pooling.pool, "max"),
        "avg_pool": partial(pooling.pool, "average"),
    }[op]
    return function(**{key: value for key, value in args.items() if key not in ("filters", "kernel")})


@pytest.mark.parametrize("part", [25, pytest.param(5, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("op", OWN)
def test_what_keras_lacks_computes_what_numpy_does(op, part):
    """Each point of the grid, or a fifth of them, which has nearly every pair of values, or few."""
    _, _, _, ours, _ = OPS[op]
    wrong, accepted, found = [], 0, Op.find(op)
    rng = np.random.default_rng(0)
    grid = [*product(points(OWN[op]), SIZES)]
    chosen = np.random.default_rng(1).permutation(len(grid))[: len(grid) // part]
    for args, size in (grid[n] for n in chosen):
        args, shape = {**ours, **args}, (size, CHANNELS)
        promised = static(found, args, shape)
        if promised is None or size is None:
            continue
        accepted += 1
        layer = found.model_validate(args).lower(TensorSpec(shape))
        x = rng.normal(-2.0, 1.0, (2, *shape)).astype("float32")
        y = keras.ops.convert_to_numpy(layer(x))
        expected = oracle(op, args)(dict(zip([w.name for w in layer.weights], layer.get_weights(), strict=True)), x)
        if y.shape[1:] != promised or y.shape != expected.shape or np.abs(y - expected).max() > 1e-4:
            wrong.append((args, shape, promised))
    assert wrong == []
    assert accepted > 40 * min(1, 5 / part)


@pytest.mark.slow
@pytest.mark.parametrize(("op", "rank"), OPS_AND_RANKS)
def test_all_that_is_accepted_runs(op, rank):
    _, _, _, ours, grid = OPS[op]
    found = Op.find(op)
    grids = (grid, {**OWN[op], "padding": tuple(p for p in OWN[op]["padding"] if not isinstance(p, tuple))})
    wrong = []
    for args, size in product((a for g in grids for a in points(g)), SIZES):
        args, shape = {**ours, **args}, (*(size,) * rank, CHANNELS)
        promised = static(found, args, shape)
        if promised is not None and not runs_as_promised(found, args, shape, promised):
            wrong.append((args, shape, promised))
    assert wrong == []


@pytest.mark.parametrize("op", ["conv", "depthwise_conv", "separable_conv", "conv_transpose"])
@pytest.mark.parametrize("args", [{"stride": (2, 1)}, {"dilation": (1, 2)}, {"stride": (1, 2), "dilation": (2, 1)}])
def test_axes_may_differ(op, args):
    name, _, fixed, ours, _ = OPS[op]
    args, shape = {"kernel": 3, "stride": 1, "padding": "same", **args}, (5, 6, CHANNELS)
    promised = static(Op.find(op), {**ours, **args}, shape)
    assert promised == keras_shape(name, 2, args, fixed, shape)
    assert promised is None or runs_as_promised(Op.find(op), {**ours, **args}, shape, promised)


def test_the_grids_are_large_enough():
    narrow = wide = 0
    for _, ranks, _, _, grid in OPS.values():
        narrow += len(list(points(grid))) * len(SIZES) * len(ranks)
        wider = {key: WIDER.get(key, values) for key, values in grid.items()}
        wide += len(list(points(wider))) * len(WIDER_SIZES) * len(ranks)
    assert narrow >= 816
    assert wide >= 20_000


@pytest.mark.parametrize(
    ("op", "args", "shape", "argument"),
    [
        ("conv", {"filters": 4, "groups": 2}, (8, 8, 3), "groups"),
        ("conv", {"filters": 3, "groups": 2}, (8, 8, 4), "groups"),
        ("conv", {"filters": 4, "kernel": (3, 3)}, (8, 3), "kernel"),
        ("conv", {"filters": 4, "stride": (1, 1)}, (8, 8, 8, 3), "stride"),
        ("conv", {"filters": 4, "stride": 2, "dilation": 2}, (8, 8, 3), "dilation"),
        ("conv", {"filters": 4, "kernel": 9, "padding": "valid"}, (8, 8, 3), "kernel"),
        ("conv", {"filters": 4}, (8,), None),
        ("conv", {"filters": 4}, (8, 8, None), None),
        ("conv_transpose", {"filters": 4, "output_padding": 2}, (8, 8, 3), "output_padding"),
        ("conv_transpose", {"filters": 4, "output_padding": 0}, (8, 8, 3), "output_padding"),
        ("conv_transpose", {"filters": 4, "padding": 1}, (1, 1, 3), "padding"),
        ("depthwise_conv", {}, (8, 8, 8, 3), None),
        ("separable_conv", {"filters": 4}, (8, 8, 8, 3), None),
        ("bias", {"per": "position"}, (None, 8, 3), "per"),
        ("bias", {"per": "position"}, (3,), "per"),
        ("max_pool", {"size": 3, "padding": "valid"}, (2, 2, 3), "size"),
        ("max_pool", {"size": 2, "padding": 2}, (4, 4, 3), "padding"),
        ("max_pool", {"size": 2, "ceil": True}, (4, 4, 3), "ceil"),
        ("avg_pool", {"size": (2, 2)}, (4, 3), "size"),
        ("adaptive_max_pool", {"size": 2000}, (4, 3), "size"),
        ("group_norm", {}, (8, 8, 48), "groups"),
        ("instance_norm", {}, (8,), None),
        ("lrn", {"size": 4}, (8, 8, 8), "size"),
        ("batch_norm", {}, (8, 8, None), None),
    ],
)
def test_refusals_name_the_argument(op, args, shape, argument):
    with pytest.raises(OpError) as refusal:
        Op.find(op).model_validate(args).infer(TensorSpec(shape))
    assert refusal.value.argument == argument


@pytest.mark.parametrize("op", ["conv", "max_pool", "global_avg_pool", "layer_norm", "dropout", "bias"])
def test_integers_are_refused(op):
    args = {"conv": {"filters": 4}, "dropout": {"rate": 0.5}}.get(op, {})
    with refuses(OpError):
        Op.find(op).model_validate(args).infer(TensorSpec((8, 8, 3), "int32"))
