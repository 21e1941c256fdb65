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
