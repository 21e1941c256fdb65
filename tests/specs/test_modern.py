"""The modern families: counts by formulas written from the papers, Keras's own networks where it has them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import archspec
from tests.shares import few

# --- formulas ---------------------------------------------------------------------------------------------------------


class Count:
    """Parameters, running statistics and MACs, layer by layer."""

    def __init__(self):
        self.trainable = self.statistics = self.macs = 0

    def conv(self, c_in, c_out, kernel, size, *, groups=1, bias=False, norm=True):
        weights = kernel * kernel * (c_in // groups) * c_out
        self.trainable += weights + c_out * (bias + 2 * norm)
        self.statistics += 2 * c_out * norm
        self.macs += weights * size * size
        return c_out

    def dense(self, c_in, c_out, positions=1):
        self.trainable += (c_in + 1) * c_out
        self.macs += c_in * c_out * positions
        return c_out

    def excitation(self, channels, reduced):
        self.dense(channels, reduced)
        self.dense(reduced, channels)

    def totals(self):
        return self.trainable + self.statistics, self.trainable, self.macs


def mixer(patch, layers, hidden, tokens_mlp, channels_mlp, classes=1000):
    n, side = Count(), 224 // patch
    patches = side * side
    n.conv(3, hidden, patch, side, bias=True, norm=False)
    for _ in range(layers):
        n.trainable += 4 * hidden
        n.dense(patches, tokens_mlp, hidden)
        n.dense(tokens_mlp, patches, hidden)
        n.dense(hidden, channels_mlp, patches)
        n.dense(channels_mlp, hidden, patches)
    n.trainable += 2 * hidden
    n.dense(hidden, classes)
    return n.totals()


def vit(patch, layers, dim, mlp, classes=1000):
    n, side = Count(), 224 // patch
    tokens = side * side + 1
    n.conv(3, dim, patch, side, bias=True, norm=False)
    n.trainable += dim + tokens * dim
    for _ in range(layers):
        n.trainable += 4 * dim
        for _ in range(4):
            n.dense(dim, dim, tokens)
        n.macs += 2 * tokens * tokens * dim  # QK and AV over all heads
        n.dense(dim, mlp, tokens)
        n.dense(mlp, dim, tokens)
    n.trainable += 2 * dim
    n.dense(dim, classes)
    return n.totals()


def convmixer(width, depth, kernel, patch, classes=1000):
    n, side = Count(), 224 // patch
    n.conv(3, width, patch, side, bias=True)
    for _ in range(depth):
        n.conv(width, width, kernel, side, groups=width, bias=True)
        n.conv(width, width, 1, side, bias=True)
    n.dense(width, classes)
    return n.totals()


GHOST_ROWS = [  # kernel, expansion, output, excitation, stride
    *[(3, 16, 16, 0, 1), (3, 48, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 1, 2), (5, 120, 40, 1, 1)],
    *[(3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1), (3, 184, 80, 0, 1), (3, 480, 112, 1, 1)],
    *[(3, 672, 112, 1, 1), (5, 672, 160, 1, 2)],
    *[(5, 960, 160, 0, 1), (5, 960, 160, 1, 1), (5, 960, 160, 0, 1), (5, 960, 160, 1, 1)],
]


def ghostnet(width, classes=1000):
    def fours(value):
        rounded = max(4, int(value + 2) // 4 * 4)
        return rounded + 4 if rounded < 0.9 * value else rounded

    def ghost(c_in, c_out, size):
        n.conv(c_in, c_out // 2, 1, size)
        n.conv(c_out // 2, c_out // 2, 3, size, groups=c_out // 2)

    n, size = Count(), 112
    c = n.conv(3, fours(16 * width), 3, size)
    for kernel, exp, out, excited, stride in GHOST_ROWS:
        mid, out, after = fours(exp * width), fours(out * width), size // stride
        ghost(c, mid, size)
        if stride > 1:
            n.conv(mid, mid, kernel, after, groups=mid)
        if excited:
            n.excitation(mid, fours(mid * 0.25))
        ghost(mid, out, after)
        if stride > 1 or c != out:
            n.conv(c, c, kernel, after, groups=c)
            n.conv(c, out, 1, after)
        c, size = out, after
    c = n.conv(c, fours(960 * width), 1, size)
    n.dense(n.dense(c, 1280), classes)
    return n.totals()


def regnet(depths, widths, group, excitation, classes=1000):
    n, c, size = Count(), 32, 112
    n.conv(3, 32, 3, size)
    for width, depth in zip(widths, depths, strict=True):
        for j in range(depth):
            before, size = size, size // 2 if j == 0 else size
            n.conv(c, width, 1, before)
            n.conv(width, width, 3, size, groups=width // min(group, width))
            if excitation:
                n.excitation(width, round(c / 4))
            n.conv(width, width, 1, size)
            if j == 0:
                n.conv(c, width, 1, size)
            c = width
    n.dense(c, classes)
    return n.totals()


FORMULAS = [
    ("mixer_s32", {}, mixer(32, 8, 512, 256, 2048)),
    ("mixer_s16", {}, mixer(16, 8, 512, 256, 2048)),
    ("mixer_b32", {}, mixer(32, 12, 768, 384, 3072)),
    ("mixer_b16", {}, mixer(16, 12, 768, 384, 3072)),
    ("mixer_l32", {}, mixer(32, 24, 1024, 512, 4096)),
    ("mixer_l16", {}, mixer(16, 24, 1024, 512, 4096)),
    ("mixer_h14", {}, mixer(14, 32, 1280, 640, 5120)),
    ("vit_b16", {}, vit(16, 12, 768, 3072)),
    ("vit_b16", {"layers": 6, "dim": 192, "attention_heads": 3, "mlp": 768}, vit(16, 6, 192, 768)),
    ("convmixer_1536_20", {}, convmixer(1536, 20, 9, 7)),
    ("convmixer_768_32", {}, convmixer(768, 32, 7, 7)),
    ("convmixer_1024_20", {}, convmixer(1024, 20, 9, 14)),
    ("convmixer", {"width": 256, "depth": 8, "kernel": 5}, convmixer(256, 8, 5, 7)),
    ("ghostnet_050", {}, ghostnet(0.5)),
    ("ghostnet_100", {}, ghostnet(1.0)),
    ("ghostnet_130", {}, ghostnet(1.3)),
    ("regnet_x_800mf", {}, regnet([1, 3, 7, 5], [64, 128, 288, 672], 16, False)),
    ("regnet_y_800mf", {}, regnet([1, 3, 8, 2], [64, 144, 320, 784], 16, True)),
]


@pytest.mark.parametrize(
    ("name", "params", "expected"), FORMULAS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(FORMULAS)]
)
def test_counts_equal_the_formula(name, params, expected):
    totals = archspec.table(archspec.load(name, **params)).totals
    assert (totals.params, totals.trainable_params, totals.macs) == expected


# The paper's own widths, where torchvision's differ: figures that the reference gives.
with (Path(__file__).parents[1] / "reference" / "modern.csv").open(newline="") as file:
    PEERS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", PEERS, ids=lambda row: row["name"])
def test_counts_equal_what_torch_counts(row):
    sums = archspec.table(archspec.load(row["name"])).totals
    assert (sums.trainable_params, sums.macs) == (int(row["params_trainable"]), int(row["macs"])), row["source"]


@pytest.mark.parametrize(
    ("name", "widths", "group", "trainable"),
    [
        ("regnet_x_400mf", [32, 64, 160, 384], 16, 5_157_512),
        ("regnet_y_800mf", [64, 128, 320, 768], 16, 6_263_168),
        ("regnet_y_8gf", [168, 448, 896, 2016], 56, 39_180_068),
    ],
)
def test_regnets_of_the_paper(name, widths, group, trainable):
    graph = archspec.load(name, widths=widths, group=group)
    assert archspec.table(graph).totals.trainable_params == trainable


def test_drop_path_grows_from_0_to_its_rate():
    for name, rate in (("efficientnet_b0", 0.2 * 14 / 16), ("convnext_tiny", 0.1)):
        rates = [node.op.rate for node in archspec.load(name).nodes if node.op.name == "drop_path"]
        assert rates == sorted(rates) and rates[0] > 0 and rates[-1] == pytest.approx(rate)
        assert not [n for n in archspec.load(name, drop_path=0.0).nodes if n.op.name == "drop_path"]


# --- Keras's own networks ---------------------------------------------------------------------------------------------

KERAS = [
    ("efficientnet_b0", {}, "EfficientNetB0", {}),
    ("efficientnet_b3", {}, "EfficientNetB3", {}),
    ("efficientnet_v2_b1", {}, "EfficientNetV2B1", {"include_preprocessing": False}),
    ("efficientnet_v2_s", {}, "EfficientNetV2S", {"include_preprocessing": False}),
    ("mobilenet_v3_large", {}, "MobileNetV3Large", {"include_preprocessing": False}),
    ("mobilenet_v3_small", {}, "MobileNetV3Small", {"include_preprocessing": False}),
    ("nasnet_mobile", {}, "NASNetMobile", {}),
    ("convnext_tiny", {"widths": [24, 48, 96, 192]}, "ConvNeXt", {"include_preprocessing": False}),
]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "model", "args"),
    few(KERAS, "efficientnet_b0", "mobilenet_v3_large", "convnext_tiny"),
    ids=[name for name, *_ in KERAS],
)
def test_outputs_equal_those_of_keras_applications(name, params, model, args):
    keras = pytest.importorskip("keras")
    import numpy as np

    from archspec.backend.weights import transfer

    size = 96
    theirs = keras_model(keras, model, size, args)
    rng = np.random.default_rng(3)
    enliven(theirs, rng)
    graph = archspec.load(name, size=size, classes=10, **params)
    ours = archspec.compile(graph)
    image = rng.normal(0, 1, (2, size, size, 3)).astype("float32")
    wanted = keras.ops.convert_to_numpy(theirs(image, training=False))
    assert np.ptp(wanted, axis=0).max() > 1e-3, "different images must give different answers"
    assert np.abs(keras.ops.convert_to_numpy(ours(image, training=False)) - wanted).max() > 1e-3
    if model == "ConvNeXt":
        in_order(keras, theirs, graph, ours)
    else:
        transfer(theirs, graph, ours)
    assert np.abs(keras.ops.convert_to_numpy(ours(image, training=False)) - wanted).max() <= 1e-4
    keras.backend.clear_session()


def enliven(model, rng):
    """Random vectors, and running statistics of what really runs through: else 50 layers of random weights give every
    image the same answer."""
    for weight in model.weights:
        if len(weight.shape) == 1:
            about_one = weight.path.rpartition("/")[2] in ("gamma", "moving_variance")
            weight.assign(rng.uniform(*((0.6, 1.4) if about_one else (-0.1, 0.1)), weight.shape))
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(rng.normal(0, 1, (8, *model.input_shape[1:])).astype("float32"), training=True)


def in_order(keras, theirs, graph, ours):
    """Copy weights layer by layer; Keras's ConvNeXt has models within the model, which ``transfer`` refuses."""
    layers = [x for y in theirs.layers for x in (y.layers if isinstance(y, keras.Sequential) else [y]) if x.weights]
    nodes = [node for node in graph.owners() if node.weights]
    for layer, node in zip(layers, nodes, strict=True):
        # Keras writes the depthwise convolution as a grouped one: the same numbers in the same order.
        pairs = zip(layer.get_weights(), node.weights, strict=True)
        ours.get_layer(node.layer).set_weights([array.reshape(weight.shape) for array, weight in pairs])


def keras_model(keras, name, size, args):
    """The network without what it does to its input first."""
    args = {"weights": None, "input_shape": (size, size, 3), "classes": 10, **args}
    if name == "ConvNeXt":
        from keras.src.applications.convnext import ConvNeXt

        return ConvNeXt(depths=[3, 3, 9, 3], projection_dims=[24, 48, 96, 192], **args)
    model = getattr(keras.applications, name)(**args)
    if name.startswith("EfficientNetB"):
        return keras.Model(model.get_layer("stem_conv_pad").input, model.output)
    return model
