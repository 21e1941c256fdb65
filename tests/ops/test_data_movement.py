"""Shapes, margins, shuffles, resampling, scaling: what is refused and why, open sizes, gradients, costs, saving."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from archspec.ir.tensors import TensorSpec, UnknownSize
from archspec.ops.base import Op, OpError

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("op", "args", "shape", "message", "argument"),
    [
        (
            "reshape",
            {"shape": [-1, 4]},
            (7, 7, 5),
            "reshape: (7, 7, 5) has 245 elements, which do not fill [-1, 4]",
            "shape",
        ),
        ("reshape", {"shape": [5]}, (7,), "reshape: (7,) has 7 elements, which do not fill [5]", "shape"),
        ("reshape", {"shape": [14]}, (7,), "reshape: (7,) has 7 elements, which do not fill [14]", "shape"),
        ("permute", {"axes": [1, 0]}, (4, 3, 2), "permute: 2 axes for (4, 3, 2), which has 3", "axes"),
        ("slice", {"range": [0, 7]}, (4, 6), "slice: [0, 7] does not lie in 6 (input (4, 6))", "range"),
        ("slice", {"range": [3, 3]}, (4, 6), "slice: [3, 3] does not lie in 6 (input (4, 6))", "range"),
        ("slice", {"range": [-7, None]}, (4, 6), "slice: [-7, null] does not lie in 6 (input (4, 6))", "range"),
        ("slice", {"range": [0, 1], "axis": 2}, (4, 6), "slice: axis 2 does not exist in (4, 6)", "axis"),
        ("split", {"parts": 4}, (4, 6), "split: 4 parts do not divide 6 (input (4, 6))", "parts"),
        ("split", {"parts": [2, 3]}, (4, 6), "split: 2 + 3 is not 6 (input (4, 6))", "parts"),
        ("split", {"parts": 2, "axis": 0}, (None, 6), "split needs a known size to cut, got (?, 6)", None),
        ("pad", {"padding": 4, "mode": "reflect"}, (4, 2), "pad: cannot reflect 4 of 4 (input (4, 2))", "padding"),
        ("pad", {"padding": [1]}, (4, 4, 2), "padding has 1 values for 2 spatial axes", "padding"),
        ("crop", {"margins": 2}, (4, 2), "crop: nothing is left of 4 without 4 (input (4, 2))", "margins"),
        ("center_crop", {"size": 5}, (4, 2), "center_crop: 5 is more than the 4 there are (input (4, 2))", "size"),
        ("channel_shuffle", {"groups": 4}, (4, 6), "channel_shuffle: 4 groups do not divide 6 channels", "groups"),
        (
            "pixel_shuffle",
            {"factor": 2},
            (4, 4, 6),
            "pixel_shuffle: the square of 2 does not divide 6 channels",
            "factor",
        ),
        (
            "pixel_unshuffle",
            {"factor": 2},
            (4, 5, 6),
            "pixel_unshuffle: 2 does not divide 5 (input (4, 5, 6))",
            "factor",
        ),
        (
            "pixel_shuffle",
            {"factor": 2},
            (4, 4),
            "pixel_shuffle needs an input with height, width and channels, got (4, 4)",
            None,
        ),
        ("repeat_vector", {"count": 2}, (4, 4), "repeat_vector needs a vector, got (4, 4)", None),
        ("upsample", {"factor": [2, 2]}, (4, 3), "factor has 2 values for 1 spatial axes", "factor"),
        (
            "upsample",
            {"mode": "bicubic"},
            (4, 3),
            "upsample: bicubic needs height, width and channels, got (4, 3)",
            "mode",
        ),
        ("resize", {"size": 8, "mode": "area"}, (None, 4, 3), "resize: area needs known sizes, got (?, 4, 3)", "mode"),
        (
            "resize",
            {"size": 8, "mode": "bicubic", "align_corners": True},
            (4, 4, 3),
            "resize: align_corners is of bilinear and torch_bicubic, mode is bicubic",
            "align_corners",
        ),
        ("normalize", {"mean": [1, 2]}, (4, 3), "normalize: mean has 2 values for 3 channels", "mean"),
        ("layer_scale", {}, (4, None), "layer_scale needs a known number of channels, got (4, ?)", None),
    ],
)
def test_refusals_say_why(op, args, shape, message, argument):
    with pytest.raises(OpError) as refusal:
        Op.find(op).model_validate(args).infer(TensorSpec(shape))
    assert (refusal.value.message, refusal.value.argument) == (message, argument)


@pytest.mark.parametrize(
    ("op", "args", "message"),
    [
        ("reshape", {"shape": [-1, -1]}, "must be a list of sizes, at most one of them -1"),
        ("reshape", {"shape": [0, 3]}, "must be a list of sizes, at most one of them -1"),
        ("reshape", {"shape": 12}, "must be a list of sizes, at most one of them -1"),
        ("permute", {"axes": [1, 2]}, "must list every axis once, from 0, the batch axis not counted"),
        ("slice", {"range": [1]}, "must be [start, stop], stop excluded; null for the end"),
        ("slice", {"range": [0.5, 2]}, "must be [start, stop], stop excluded; null for the end"),
        ("split", {"parts": 1}, "must be a number of equal parts, at least 2, or a list of their sizes"),
        ("split", {"parts": True}, "must be a number of equal parts, at least 2, or a list of their sizes"),
        ("pad", {"padding": -1}, "must be an integer, or a list of one integer or [before, after] pair per axis"),
        ("pad", {"padding": "same"}, "must be an integer, or a list of one integer or [before, after] pair per axis"),
        ("pad", {"padding": 1, "mode": "edge"}, "Input should be 'zero', 'reflect' or 'replicate'"),
        (
            "upsample",
            {"mode": "neerest"},
            "Input should be 'nearest', 'bilinear', 'bicubic', 'area', 'torch_nearest', 'torch_bicubic' or "
            "'torch_area'",
        ),
        ("normalize", {"std": [1, 0]}, "must be a positive number, or a list of one per channel"),
        ("normalize", {"mean": "imagenet"}, "must be a number, or a list of one per channel"),
    ],
)
def test_wrong_arguments_are_refused(op, args, message):
    with pytest.raises(ValidationError) as refusal:
        Op.find(op).model_validate(args)
    assert refusal.value.errors()[0]["msg"] == message


@pytest.mark.parametrize(
    ("op", "args", "shape", "expected"),
    [
        ("flatten", {}, (None, 4, 3), (None,)),
        ("reshape", {"shape": [-1, 3]}, (None, 4, 3), (None, 3)),
        ("reshape", {"shape": [12]}, (None, 3), (12,)),
        ("permute", {"axes": [2, 0, 1]}, (None, 4, 3), (3, None, 4)),
        ("slice", {"range": [0, 2], "axis": 0}, (None, 3), (None, 3)),
        ("split", {"parts": 3}, (None, 3), None),
        ("pad", {"padding": [1, 2]}, (None, 4, 3), (None, 8, 3)),
        ("crop", {"margins": 1}, (None, 4, 3), (None, 2, 3)),
        ("pad_channels", {"after": 1}, (None, 3), (None, 4)),
        ("subsample", {"stride": 2}, (None, 5, 3), (None, 3, 3)),
        ("pixel_shuffle", {"factor": 2}, (None, 5, 4), (None, 10, 1)),
        ("pixel_unshuffle", {"factor": 2}, (None, 6, 4), (None, 3, 16)),
        ("upsample", {"mode": "bilinear"}, (None, 5, 3), (None, 10, 3)),
        ("resize", {"size": [4, 6]}, (None, 5, 3), (4, 6, 3)),
    ],
)
def test_open_sizes_pass_through(op, args, shape, expected):
    op, x = Op.find(op).model_validate(args), TensorSpec(shape)
    out = op.infer(x)
    if expected is None:
        assert [o.shape for o in out] == [(None, 1)] * 3
    else:
        assert out.shape == expected
        assert op.lower(x)(keras.Input(shape)).shape[1:] == expected


@pytest.mark.parametrize(
    ("op", "args", "shape", "flops"),
    [
        ("flatten", {}, (4, 3, 2), 0),
        ("channel_shuffle", {"groups": 2}, (4, 3, 2), 0),
        ("upsample", {}, (4, 3, 2), 0),
        ("upsample", {"mode": "area"}, (4, 3, 2), 0),
        ("upsample", {"mode": "bilinear"}, (4, 2), 3 * 16),
        ("upsample", {"mode": "bilinear"}, (4, 3, 2), 7 * 96),
        ("upsample", {"mode": "bilinear"}, (1, 4, 3, 2), 15 * 192),
        ("upsample", {"mode": "bicubic"}, (4, 3, 2), 31 * 96),
        ("resize", {"size": [2, 5]}, (4, 3, 2), 7 * 20),
        ("resize", {"size": [8, 6], "mode": "nearest"}, (4, 3, 2), 0),
        # Each of 2·2 outputs is the mean of 2·3 inputs: 6 products and 5 sums, in 5 channels.
        ("resize", {"size": 2, "mode": "area"}, (4, 6, 5), 11 * 4 * 5),
        # 3 outputs over 7 inputs share two of them: 9 taps, so 9 products and 6 sums.
        ("resize", {"size": 3, "mode": "area"}, (7, 1), 15),
        ("resize", {"size": 8, "mode": "area"}, (4, 1), 0),
        ("scale", {"factor": 0.1}, (4, 3), 12),
        ("scale", {"factor": 0.1, "offset": 1}, (4, 3), 24),
        ("normalize", {}, (4, 3), 24),
        ("layer_scale", {}, (4, 3), 12),
    ],
)
def test_costs(op, args, shape, flops):
    op, x = Op.find(op).model_validate(args), TensorSpec(shape)
    out = op.infer(x)
    assert (op.macs(out, x), op.flops(out, x), op.transcendentals(out, x)) == (0, flops, 0)


def test_open_sizes_have_no_count():
    op, x = Op.find("upsample")(mode="bilinear"), TensorSpec((None, 8, 3))
    with pytest.raises(UnknownSize):
        op.flops(op.infer(x), x)


CALLS = [
    ("slice", {"range": [1, 3]}),
    ("pad", {"padding": 1, "mode": "reflect"}),
    ("pad", {"padding": 1, "mode": "replicate"}),
    ("pad_channels", {"after": 2}),
    ("subsample", {"stride": 2}),
    ("channel_shuffle", {"groups": 2}),
    ("pixel_shuffle", {"factor": 2}),
    ("pixel_unshuffle", {"factor": 2}),
    ("resize", {"size": [3, 7]}),
    ("resize", {"size": [3, 7], "mode": "area"}),
    ("upsample", {"mode": "bilinear"}),
    ("maxout", {"pieces": 2}),
    ("layer_scale", {}),
    ("normalize", {"mean": [1, 2, 3, 4], "std": 2}),
]


@pytest.mark.parametrize(("op", "args"), CALLS, ids=[f"{op}-{args}" for op, args in CALLS])
def test_layers_have_gradients_and_can_be_saved(op, args, tmp_path):
    import tensorflow as tf

    x = keras.Input((6, 4, 4))
    model = keras.Model(x, Op.find(op).model_validate(args).lower(TensorSpec((6, 4, 4)))(x))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    value = tf.constant(np.random.default_rng(0).normal(size=(2, 6, 4, 4)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(value)
        found = again(value)
    np.testing.assert_array_equal(found, model(value))
    assert np.abs(tape.gradient(found, value)).max() > 0


def test_split_in_a_model_is_a_bundle(tmp_path):
    x = keras.Input((4, 6))
    a, b = Op.find("split")(parts=[2, 4]).lower(TensorSpec((4, 6)))(x)
    model = keras.Model(x, [b, a])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [tuple(y.shape) for y in again(np.zeros((1, 4, 6), "float32"))] == [(1, 4, 4), (1, 4, 2)]


def test_layer_scale_starts_at_init():
    layer = Op.find("layer_scale")(init=0.1).lower(TensorSpec((3,)))
    np.testing.assert_allclose(layer(np.full((1, 3), 2.0, "float32")), 0.2, rtol=1e-6)


def test_views():
    views = {"flatten", "reshape", "linear"}
    assert views <= {op.name for op in Op.all() if op.is_view}
    assert not Op.find("permute").is_view
