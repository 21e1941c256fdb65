"""The ``keras`` op against Keras itself: every layer of its table on three inputs, and the table against the tool's."""

import importlib
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest

from archspec.backend.build import weight_name
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from archspec.ops.keras_layer import table

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).parent.parent.parent
KERAS = Op.find("keras")
LINES = [(8, 4), (9, 3), (16, 6)]
MAPS = [(8, 9, 4), (6, 6, 3), (12, 7, 6)]
BOXES = [(8, 7, 6, 4), (5, 6, 5, 3), (9, 6, 7, 2)]
BY_RANK = {"1D": LINES, "2D": MAPS, "3D": BOXES}
IMAGES = [(16, 16, 3), (12, 20, 3), (9, 8, 3)]
ANY = [(5,), *LINES[:1], MAPS[0]]
LAYERS = {
    **{
        name: {"factor": 0.2} for name in ("RandomBrightness", "RandomContrast", "RandomColorDegeneration", "RandomHue")
    },
    **{
        name: {"factor": 0.5}
        for name in ("RandomColorDegeneration", "RandomSaturation", "RandomSharpness", "RandomRotation")
    },
    "Activation": {"activation": "softmax"},
    **{name: {"rate": 0.2} for name in ("AlphaDropout", "Dropout", "GaussianDropout")},
    **{f"SpatialDropout{rank}": {"rate": 0.2} for rank in BY_RANK},
    "BatchNormalization": {"scale": False},
    "CategoryEncoding": {"num_tokens": 7},
    "CenterCrop": {"height": 5, "width": 4},
    "Dense": {"units": 5, "activation": "relu"},
    "Discretization": {"bin_boundaries": [0.0, 0.5, 2]},
    "Embedding": {"input_dim": 9, "output_dim": 3},
    "EinsumDense": {"equation": "...a,ab->...b", "output_shape": 6, "bias_axes": "b"},
    "GRU": {"units": 3, "return_sequences": True},
    "GaussianNoise": {"stddev": 0.2},
    "GroupNormalization": {"groups": 1},
    "LSTM": {"units": 3, "kernel_regularizer": {"l2": 0.1}},
    "LayerNormalization": {"axis": -1, "center": False},
    "MelSpectrogram": {"fft_length": 64, "sequence_stride": 16, "num_mel_bins": 5},
    "RandomCrop": {"height": 5, "width": 4},
    "RandomPosterization": {"factor": 4},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": [-0.1, 0.2]},
    "RandomZoom": {"height_factor": 0.1},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5},
    "Resizing": {"height": 5, "width": 4},
    "ReversibleEmbedding": {"input_dim": 9, "output_dim": 3, "tie_weights": False},
    "STFTSpectrogram": {"frame_length": 8, "frame_step": 2},
    "SimpleRNN": {"units": 3, "use_bias": False},
}
FAMILIES = {
    "adaptive_pool": {"output_size": 2},
    "conv": {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"},
    "conv_recurrent": {"filters": 2, "kernel_size": 2, "return_sequences": True},
    "conv_transpose": {"filters": 5, "kernel_size": 3, "strides": 2},
    "depthwise_conv": {"kernel_size": 3, "depth_multiplier": 2},
    "pool": {"pool_size": 2, "padding": "same"},
    "separable_conv": {"filters": 5, "kernel_size": 3, "use_bias": False},
}
FURTHER = [
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, (9, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": [3, 2], "groups": 2, "use_bias": False}, (9, 8, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": [2, 3]}, (9, 12, 2)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"}, (5, 6, 2)),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 2, "strides": 3}, (5, 6, 2)),
    (
        "Conv2DTranspose",
        {"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1, "padding": "same"},
        (5, 6, 2),
    ),
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}, (5, 6, 2)),
    ("GRU", {"units": 3, "reset_after": False}, (5, 2)),
    ("GlobalAveragePooling2D", {"keepdims": True}, (5, 6, 2)),
    ("MaxPooling2D", {"pool_size": [3, 2], "strides": 1}, (5, 6, 2)),
    ("Cropping1D", {"cropping": [2, 1]}, (8, 2)),
    ("Cropping2D", {"cropping": [[2, 1], [0, 3]]}, (8, 6, 2)),
    ("ZeroPadding2D", {"padding": [2, 1]}, (8, 6, 2)),
    ("Reshape", {"target_shape": [-1, 2]}, (8, 6)),
    ("Permute", {"dims": [2, 1]}, (8, 6)),
    ("Permute", {"dims": 1}, (8,)),
    ("Reshape", {"target_shape": 48}, (8, 6)),
    ("Rescaling", {"scale": [1, 2, 3], "offset": 1}, (8, 3)),
    ("Softmax", {"axis": [1, 2]}, (4, 3)),
    ("CategoryEncoding", {"num_tokens": 7, "output_mode": "one_hot"}, (3,)),
    ("LayerNormalization", {"axis": [1, 2]}, (3, 4, 5)),
    ("BatchNormalization", {"axis": 1, "center": False}, (3, 4, 5)),
    ("PReLU", {"shared_axes": [1, 2]}, (3, 4, 5)),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": [None, 64], "bias_axes": "d"}, (8, 5)),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "de"}, (8, 5)),
    ("EinsumDense", {"equation": "abc,bd->adc", "output_shape": [7, None], "bias_axes": "d"}, (8, 5)),
    ("EinsumDense", {"equation": "ab...,bc->ac...", "output_shape": 7, "bias_axes": "c"}, (8, 5)),
    ("EinsumDense", {"equation": "...a,ab->...b", "output_shape": 6}, (4, 4, 3)),
    ("EinsumDense", {"equation": "...bc,bde->...de", "output_shape": [4, 5]}, (2, 3, 6)),
    ("LSTM", {"units": 3, "dropout": 0.2}, (5, 2)),
    ("UpSampling2D", {"size": [2, 3], "interpolation": "bilinear"}, (5, 6, 2)),
]


def cases():
    for name, row in table().layers.items():
        args = LAYERS.get(name, FAMILIES.get(row.family, {}))
        rank = next((rank for rank in BY_RANK if rank in name), None)
        if row.family == "conv_recurrent":
            inputs = [(3, *shape) for shape in BY_RANK[rank]]
        elif rank is not None:
            inputs = BY_RANK[rank]
        elif row.family in ("image", "resize"):
            inputs = IMAGES
        elif row.family in ("recurrent", "stated_fourier"):
            inputs = LINES
        elif name == "EinsumDense":
            inputs = [(5,), (8, 4), (6, 3)]
        elif row.family in ("repeat", "stated", "categories"):
            inputs = [(300,), (128,), (77,)]
        else:
            inputs = ANY
        for shape in inputs:
            if name == "Reshape":
                args = {"target_shape": [*shape[::-1], 1]}
            if name == "Permute":
                args = {"dims": list(range(len(shape), 0, -1))}
            yield pytest.param(name, args, shape, id=f"{name}-{'x'.join(map(str, shape))}")
    for name, args, shape in FURTHER:
        yield pytest.param(name, args, shape, id=f"{name}-{'-'.join(map(str, args))}-{'x'.join(map(str, shape))}")


@pytest.mark.fast(88)
@pytest.mark.parametrize(("name", "args", "shape"), list(cases()))
def test_shape_weights_and_randomness_are_keras_s(name, args, shape):
    row = table().layers[name]
    if row.family.startswith("stated"):
        args = {**args, "shape": list(getattr(keras.layers, name)(**args).compute_output_shape((None, *shape)))[1:]}
    op = KERAS.model_validate({"layer": name, **args})
    spec = TensorSpec(shape, "int32" if op.family.takes == "int" else "float32")
    layer, out = op.lower(spec), op.infer(spec)
    made = layer(keras.Input(shape, dtype=spec.dtype))
    assert (tuple(made.shape[1:]), made.dtype) == (out.shape, out.dtype)
    found = [(weight_name(w, layer.name), tuple(w.shape), w.trainable) for w in layer.weights]
    assert found == [(w.name, w.shape, w.trainable) for w in op.weights(spec)]
    if "training" in inspect.signature(layer.call).parameters:
        values = np.random.default_rng(0).uniform(0, 1, (2, *shape)).astype("float32")
        # A call that says nothing is none of training, as those of an exported file.
        np.testing.assert_array_equal(np.asarray(layer(values)), np.asarray(layer(values, training=False)))
        if not op.is_random():
            first, second = (np.asarray(layer(values, training=True)) for _ in range(2))
            np.testing.assert_array_equal(first, second)
    if op.family.is_pointwise:
        assert layer.supports_masking


def test_open_sizes_stay_open():
    for name, args in (("Conv2D", FAMILIES["conv"]), ("MaxPooling2D", {}), ("UpSampling2D", {}), ("Cropping2D", {})):
        op = KERAS.model_validate({"layer": name, **args})
        made = op.lower(TensorSpec((None, 8, 4)))(keras.Input((None, 8, 4)))
        assert op.infer(TensorSpec((None, 8, 4))).shape == tuple(made.shape[1:])


def test_the_table_is_what_the_tool_makes_of_keras(monkeypatch):
    """In this process, which has imported Keras already."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    tool = importlib.import_module("keras_layers")
    assert tool.TABLE.read_text(encoding="utf-8") == tool.text()
