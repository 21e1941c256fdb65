"""Every row of the classification reference is a name of the catalogue with those totals; unlisted members too."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import archspec
from tests.shares import few

REFERENCE = Path(__file__).parents[1] / "reference" / "classification.csv"
SEQUENCE = ("textcnn_static", "textcnn_multichannel", "dcnn")  # sentence models: another family of tests


def rows() -> list[dict[str, str]]:
    with REFERENCE.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["name"] not in SEQUENCE]


def totals(name: str, *, training: bool = False, **params) -> tuple[int, int, int]:
    """Total parameters, trainable parameters and MACs of a catalogue name."""
    t = archspec.table(archspec.load(name, **params), training=training).totals
    return t.params, t.trainable_params, t.macs


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["name"])
def test_totals_equal_the_reference(row):
    name, _, heads = row["name"].partition("+")
    expected = tuple(int(row[key]) for key in ("params_total", "params_trainable", "macs"))
    assert totals(name, training=heads == "aux") == expected


# --- members that no reference lists, against formulas written from the papers -------------------------------------


class Count:
    """Counts a network layer by layer: kernels with their positions, biases, batch norms."""

    def __init__(self):
        self.trainable = self.statistics = self.macs = 0

    def conv(self, c_in, c_out, kernel, size, *, groups=1, bias=False):
        weights = kernel * kernel * c_in // groups * c_out
        self.trainable += weights + bias * c_out
        self.macs += weights * size * size
        return c_out

    def norm(self, channels):
        self.trainable += 2 * channels
        self.statistics += 2 * channels

    def conv_norm(self, c_in, c_out, kernel, size, groups=1):
        self.norm(self.conv(c_in, c_out, kernel, size, groups=groups))
        return c_out

    def dense(self, c_in, c_out):
        self.trainable += (c_in + 1) * c_out
        self.macs += c_in * c_out

    def totals(self):
        return self.trainable + self.statistics, self.trainable, self.macs


def densenet(depths, growth, stem, classes=1000):
    n, size = Count(), 56
    c = n.conv_norm(3, stem, 7, 112)
    for i, depth in enumerate(depths):
        for _ in range(depth):
            n.norm(c)
            n.norm(n.conv(c, 4 * growth, 1, size))
            n.conv(4 * growth, growth, 3, size)
            c += growth
        n.norm(c)
        if i < len(depths) - 1:
            c = n.conv(c, c // 2, 1, size)
            size //= 2
    n.dense(c, classes)
    return n.totals()


def resnet(depths, *, bottleneck=True, groups=1, base=64, classes=1000):
    n, c, size = Count(), 64, 56
    n.conv_norm(3, 64, 7, 112)
    for i, depth in enumerate(depths):
        width = 64 * 2**i
        mid, out = (width * base // 64 * groups, 4 * width) if bottleneck else (width, width)
        for j in range(depth):
            before = size
            if j == 0 and i > 0:
                size //= 2
            if bottleneck:
                n.conv_norm(c, mid, 1, before)
                n.conv_norm(mid, mid, 3, size, groups)
                n.conv_norm(mid, out, 1, size)
            else:
                n.conv_norm(c, mid, 3, size)
                n.conv_norm(mid, out, 3, size)
            if c != out or size != before:
                n.conv_norm(c, out, 1, size)
            c = out
    n.dense(c, classes)
    return n.totals()


def cifar_resnet(depth, width=16, option="a", classes=10):
    n, c, size = Count(), width, 32
    n.conv_norm(3, width, 3, 32)
    for i in range(3):
        for _ in range((depth - 2) // 6):
            out = width * 2**i
            size = 32 // 2**i
            n.conv_norm(c, out, 3, size)
            n.conv_norm(out, out, 3, size)
            if option == "b" and c != out:
                n.conv_norm(c, out, 1, size)
            c = out
    n.dense(c, classes)
    return n.totals()


def cifar_densenet(layers, growth, stem, bottleneck, classes=10):
    n, size = Count(), 32
    c = n.conv(3, stem, 3, size)
    for i in range(3):
        for _ in range(layers):
            n.norm(c)
            if bottleneck:
                n.norm(n.conv(c, 4 * growth, 1, size))
            n.conv(4 * growth if bottleneck else c, growth, 3, size)
            c += growth
        n.norm(c)
        if i < 2:
            c = n.conv(c, c // 2 if bottleneck else c, 1, size)
            size //= 2
    n.dense(c, classes)
    return n.totals()


def shufflenet_v1(groups, widths, classes=1000):
    n, c, size = Count(), 24, 56
    n.conv_norm(3, 24, 3, 112)
    for i, (out, depth) in enumerate(zip(widths, (4, 8, 4), strict=True)):
        for j in range(depth):
            mid, before = out // 4, size
            size = size // 2 if j == 0 else size
            n.conv_norm(c, mid, 1, before, groups=1 if i == j == 0 else groups)
            n.conv_norm(mid, mid, 3, size, groups=mid)
            n.conv_norm(mid, out - c if j == 0 else out, 1, size, groups=groups)
            c = out
    n.dense(c, classes)
    return n.totals()


def vgg(depths, size=224, classes=1000):
    n, c = Count(), 3
    for width, depth in zip((64, 128, 256, 512, 512), depths, strict=True):
        for _ in range(depth):
            c = n.conv(c, width, 3, size, bias=True)
        size //= 2
    n.dense(c * size * size, 4096)
    n.dense(4096, 4096)
    n.dense(4096, classes)
    return n.totals()


UNLISTED = [
    ("densenet", {"depths": [6, 12, 24, 16], "growth": 24}, densenet([6, 12, 24, 16], 24, 64)),
    ("densenet121", {"growth": 40, "classes": 10}, densenet([6, 12, 24, 16], 40, 64, 10)),
    ("densenet_bc100_12_cifar", {"growth": 24, "stem": 48}, cifar_densenet(16, 24, 48, True)),
    ("densenet40_12_cifar", {"growth": 24, "classes": 100}, cifar_densenet(12, 24, 16, False, 100)),
    ("resnet", {"depths": [1, 1, 1, 1]}, resnet([1, 1, 1, 1])),
    ("resnet", {"depths": [1, 1, 1, 1], "unit": "basic"}, resnet([1, 1, 1, 1], bottleneck=False)),
    ("resnet50", {"classes": 10}, resnet([3, 4, 6, 3], classes=10)),
    ("resnext50_32x4d", {"groups": 8, "base": 14}, resnet([3, 4, 6, 3], groups=8, base=14)),
    ("resnext101_32x8d", {"groups": 64, "base": 4}, resnet([3, 4, 23, 3], groups=64, base=4)),
    ("resnet20_cifar", {"depths": [2, 2, 2], "width": 32}, cifar_resnet(14, 32)),
    ("resnet20_cifar", {"shortcut": "option_b"}, cifar_resnet(20, option="b")),
    ("shufflenet_v1_g1", {}, shufflenet_v1(1, (144, 288, 576))),
    ("shufflenet_v1_g2", {}, shufflenet_v1(2, (200, 400, 800))),
    ("shufflenet_v1_g4", {}, shufflenet_v1(4, (272, 544, 1088))),
    ("vgg", {"depths": [1, 2, 3, 4, 5], "size": 96, "classes": 7}, vgg([1, 2, 3, 4, 5], 96, 7)),
]


@pytest.mark.parametrize(
    ("name", "params", "expected"), UNLISTED, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(UNLISTED)]
)
def test_unlisted_members_come_out_right(name, params, expected):
    assert totals(name, **params) == expected


@pytest.mark.parametrize(("filters", "params"), [(128, 1_777_641), (256, 6_798_953), (384, 15_064_297)])
def test_alphago_in_the_widths_that_the_paper_tries(filters, params):
    assert totals("alphago_policy", filters=filters)[0] == params


def test_option_b_adds_two_projections_to_a_cifar_resnet():
    assert totals("resnet20_cifar", shortcut="option_b")[1] == 272_474


# --- Keras's own networks, counted where they stand ------------------------------------------------------------------


def keras_totals(model) -> tuple[int, int, int]:
    """Parameters, trainable parameters and MACs of a Keras model of convolutions and dense layers."""
    import keras
    import numpy as np

    macs = 0
    for layer in model.layers:
        out = layer.output.shape if hasattr(layer, "output") else ()
        positions = int(np.prod(out[1:-1])) if len(out) == 4 else 1
        kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D, keras.layers.Dense)
        if isinstance(layer, kinds):
            macs += positions * sum(int(np.prod(w.shape)) for w in layer.weights if "kernel" in w.path)
    return model.count_params(), sum(int(np.prod(w.shape)) for w in model.trainable_weights), macs


KERAS = [
    ("mobilenet_v1", {"width": 0.75}, "MobileNet", {"alpha": 0.75}),
    ("mobilenet_v1", {"width": 0.25, "size": 128}, "MobileNet", {"alpha": 0.25, "input_shape": (128, 128, 3)}),
    ("mobilenet_v2", {"width": 0.35}, "MobileNetV2", {"alpha": 0.35}),
    ("mobilenet_v2", {"width": 1.4}, "MobileNetV2", {"alpha": 1.4}),
    ("resnet50_keras", {}, "ResNet50", {}),
    ("resnet101_keras", {}, "ResNet101", {}),
    ("resnet152_keras", {}, "ResNet152", {}),
    ("resnet50_v2_keras", {}, "ResNet50V2", {}),
    ("resnet101_v2_keras", {}, "ResNet101V2", {}),
    ("resnet152_v2_keras", {}, "ResNet152V2", {}),
    ("inception_v3_keras", {"size": 315, "classes": 10}, "InceptionV3", {"input_shape": (315, 315, 3), "classes": 10}),
    ("xception", {"size": 151, "classes": 10}, "Xception", {"input_shape": (151, 151, 3), "classes": 10}),
]


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "model", "args"),
    few(KERAS, "mobilenet_v2", "resnet50_keras", "inception_v3_keras", "xception"),
    ids=[f"{n}-{i}" for i, (n, *_) in enumerate(KERAS)],
)
def test_counts_equal_keras_applications(name, params, model, args):
    keras = pytest.importorskip("keras")
    reference = getattr(keras.applications, model)(weights=None, **args)
    assert totals(name, **params) == keras_totals(reference)
