"""Segmenters: what their papers and reference files say beside the counts that the specs expect."""

import numpy as np
import pytest

import archspec

SMALL = {"widths": [4, 4, 8, 8, 8], "units": 8, "classes": 3, "size": 48}


def macs(graph):
    return archspec.table(graph).totals.macs


def test_segnet_basic_counts_the_rows_of_labels():
    """Counts without pad_out_h have 46 rows of the 23, and so 92, 184 and 368 behind it."""
    filters, more = 64 * 64 * 49, 60 * 1 + 120 * 2 + 240 * 4 + 480 * 8
    whole = macs(archspec.load("segnet_basic")) + more * filters + 480 * 8 * 64 * 11
    assert whole == 60_215_132_160


@pytest.mark.parametrize(("channels", "params"), [(1, 31_030_658), (3, 31_031_810)])
def test_the_valid_unet_makes_388_of_572(channels, params):
    graph = archspec.load("unet_valid", channels_in=channels)
    assert archspec.table(graph).totals.params == params
    assert graph.spec(graph.outputs[0].tensor).shape == (388, 388, 2)


@pytest.mark.parametrize("size", [48, 100, 321, 500])
@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
def test_fcn_takes_pictures_of_any_size(name, size):
    graph = archspec.load(name, **{**SMALL, "size": size})
    assert graph.spec(graph.outputs[0].tensor).shape == (size, size, 3)


@pytest.mark.parametrize(("height", "width"), [(360, 480), (96, 64), (37, 101)])
@pytest.mark.parametrize("name", ["segnet", "segnet_basic"])
def test_segnet_gives_the_size_that_it_gets(name, height, width):
    graph = archspec.load(name, height=height, width=width)
    assert graph.spec(graph.outputs[0].tensor).shape == (height, width, 11)


class Formula:
    """Parameters, those that are trained, and MACs of convolutions with batch normalisation or a bias."""

    def __init__(self):
        self.params = self.trainable_params = self.macs = 0

    def conv(self, before, after, kernel, side, normed=True):
        weights = kernel**2 * before * after
        self.params += weights + (4 if normed else 1) * after
        self.trainable_params += weights + (2 if normed else 1) * after
        self.macs += weights * side**2


def unet(formula, channels):
    before = channels[3]
    for skip, width, side in ((channels[2], 256, 16), (channels[1], 128, 32), (channels[0], 64, 64), (0, 32, 128)):
        formula.conv(before + skip, width, 3, side)
        formula.conv(width, width, 3, side)
        before = width
    formula.conv(32, 21, 1, 128, normed=False)


def fpn(formula, channels):
    for level, (before, side) in enumerate(zip(channels, (64, 32, 16, 8), strict=True)):
        formula.conv(before, 256, 1, side, normed=False)
        for turn in range(max(1, level)):
            formula.conv(128 if turn else 256, 128, 3, side * 2**turn)
    formula.conv(128, 21, 1, 64, normed=False)


def deeplab(formula, channels):
    formula.conv(channels[3], 256, 1, 8)
    for _ in range(3):
        formula.conv(channels[3], 256, 3, 8)
    formula.conv(channels[3], 256, 1, 1)
    formula.conv(5 * 256, 256, 1, 8)
    formula.conv(channels[0], 48, 1, 64)
    formula.conv(256 + 48, 256, 3, 64)
    formula.conv(256, 256, 3, 64)
    formula.conv(256, 21, 1, 64, normed=False)


@pytest.mark.parametrize(
    ("name", "decoder", "channels"),
    [
        ("unet_resnet34", unet, (64, 128, 256, 512)),
        ("unet_efficientnet_b0", unet, (24, 40, 112, 320)),
        ("fpn_resnet50", fpn, (256, 512, 1024, 2048)),
        ("fpn_convnext_tiny", fpn, (96, 192, 384, 768)),
        ("deeplabv3plus_resnet50", deeplab, (256, 512, 1024, 2048)),
        ("deeplabv3plus_mobilenet_v2", deeplab, (24, 32, 96, 320)),
    ],
)
def test_decoders_are_what_their_formulas_say(name, decoder, channels):
    decoder(formula := Formula(), channels)
    rows = [row for row in archspec.table(archspec.load(name)).rows if row.name.startswith(("map", "mask"))]
    for figure in ("params", "trainable_params", "macs"):
        assert sum(getattr(row, figure) for row in rows) == getattr(formula, figure), figure


def test_the_trunk_of_a_segmenter_is_the_classifier_without_its_end():
    whole, decoder = archspec.table(archspec.load("unet_resnet34")).totals, Formula()
    unet(decoder, (64, 128, 256, 512))
    trunk = archspec.table(archspec.load("resnet34", size=256)).totals
    assert whole.trainable_params == trunk.trainable_params - 513 * 1000 + decoder.trainable_params
    assert whole.macs == trunk.macs - 512 * 1000 + decoder.macs


@pytest.mark.parametrize("decoder", ["unet_decoder", "fpn_decoder", "deeplab_decoder"])
@pytest.mark.parametrize(
    ("trunk", "backbone"),
    [
        ("on_resnet", "resnet18"),
        ("on_resnet", "resnext50_32x4d"),
        ("on_densenet", "densenet121"),
        ("on_mobilenet_v2", "mobilenet_v2"),
        ("on_efficientnet", "efficientnet_b3"),
        ("on_convnext", "convnext_small"),
    ],
)
def test_a_decoder_goes_on_any_trunk(decoder, trunk, backbone):
    graph = archspec.load("segmenter", trunk=trunk, backbone=backbone, decoder=decoder, size=96, classes=5)
    assert graph.spec(graph.outputs[0].tensor).shape == (96, 96, 5)


def test_deeplab_over_three_scales_has_the_weights_of_one():
    one, three = (archspec.load(n) for n in ("deeplabv2_resnet101", "deeplabv2_resnet101_msc"))
    assert archspec.table(one).totals.params == archspec.table(three).totals.params
    assert macs(three) > 1.7 * macs(one)


@pytest.mark.tensorflow
def test_each_fcn_begins_as_the_one_before():
    """The names of 32s are in 16s and those of 16s in 8s; a new score starts at zero, and changes nothing."""
    picture = np.random.default_rng(2).uniform(0, 1, (1, 48, 48, 3)).astype("float32")
    models = {n: archspec.compile(archspec.load(n, **SMALL)) for n in ("fcn32s", "fcn16s", "fcn8s")}
    kernels = {}
    for layer in models["fcn32s"].layers:
        if layer.trainable_weights:
            rng = np.random.default_rng(len(kernels))
            kernels[layer.name] = [rng.normal(0, 0.3, w.shape) for w in layer.weights]
    for name, model in models.items():
        held = {layer.name: layer for layer in model.layers}
        assert kernels.keys() <= held.keys()
        for layer, values in kernels.items():
            held[layer].set_weights(values)
        coarse = np.asarray(models["fcn32s"](picture))
        found = np.asarray(model(picture))
        # Enlarged linearly in two steps or three, and not in one: near to it, and far from a constant.
        assert np.abs(found - coarse).mean() < 0.25 * coarse.std(), name
        assert coarse.std() > 0.01


@pytest.mark.tensorflow
def test_what_the_valid_unet_says_of_a_tile_is_what_it_says_of_the_picture():
    args = {"base": 2, "depth": 2, "classes": 3}
    whole, tile = (archspec.compile(archspec.load("unet_valid", size=size, **args)) for size in (76, 60))
    tile.set_weights(whole.get_weights())
    picture = np.random.default_rng(0).normal(size=(1, 76, 76, 1)).astype("float32")
    said = np.asarray(whole(picture))
    assert said.shape == (1, 36, 36, 3)
    for top, left in ((0, 0), (4, 12), (16, 16)):  # steps of the pools
        part = np.asarray(tile(picture[:, top : top + 60, left : left + 60]))
        np.testing.assert_allclose(part, said[:, top : top + 20, left : left + 20], atol=1e-5)
