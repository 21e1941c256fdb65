"""Detectors that look at every window of a picture: what one window gives is what the whole picture gives there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import archspec
from archspec.ir.graph import Output, Tensor

TABLE_5 = [
    (245, 245, (3, 3)),
    (281, 317, (6, 9)),
    (317, 389, (9, 15)),
    (389, 461, (15, 21)),
    (425, 497, (18, 24)),
    (461, 569, (21, 30)),
]
"""OverFeat's six scales, and the map of classes that its table 5 has of each, all offsets together."""


@pytest.mark.fast(2)
@pytest.mark.parametrize(("height", "width", "windows"), TABLE_5)
def test_overfeat_has_the_windows_of_its_table(height, width, windows):
    graph = archspec.load("overfeat_detector_accurate", height=height, width=width)
    assert graph.by_name["cls.1.pixel_shuffle"].output.spatial == windows
    assert graph.by_name["at.1"].output.shape == (windows[0] * windows[1], 4)


def test_dssd_multiplies_what_is_enlarged_with_what_is_there():
    """Five maps are made again (figure 3), none is added to."""
    graph = archspec.load("dssd321")
    made = [node for node in graph.nodes if node.name.startswith("d.") and len(node.inputs) > 1]
    assert [node.op.name for node in made] == ["multiply"] * 5
    assert [node.output.shape for node in made] == [(n, n, 512) for n in (3, 5, 10, 20, 40)]


def gives(graph, name, image, weights=None):
    """What a node gives for an image, and the weights of the model."""
    model = archspec.compile(replace(graph, outputs=(Output("seen", Tensor(name)),), training=None))
    if weights is not None:
        model.set_weights(weights)
    import keras

    return keras.ops.convert_to_numpy(model(image[None]))[0], model.get_weights()


@pytest.mark.tensorflow
@pytest.mark.slow
def test_every_offset_of_overfeat_is_the_network_on_a_window():
    """Without layers that pad, what is said at a place is said of the window alone that its anchor is."""
    kernels = {"window": 30, "kernels": [3, 3, 3], "stride": 1, "pools": [2, 2, 2]}
    small = {**kernels, "scales": [1], "classes": 2, "widths": [6, 8], "units": [10], "box_units": [9]}
    image = np.random.default_rng(0).random((64, 72, 3), "float32")
    whole = archspec.load("overfeat_detector_accurate", height=64, width=72, **small)
    seen, weights = gives(whole, "cls.1.pixel_shuffle", image)
    anchors, _ = gives(whole, "at.1", image)
    # The smallest picture in which every offset fits; its first place is the window in its corner.
    one = archspec.load("overfeat_detector_accurate", height=34, width=34, **small)
    rows, columns, _ = seen.shape
    assert (rows, columns) == (8, 10)
    for row, column in ((0, 0), (0, 3), (5, 2), (7, 8)):
        left, top, right, bottom = anchors.reshape(rows, columns, 4)[row, column]
        assert (left, top, right, bottom) == (4 * column, 4 * row, 4 * column + 30, 4 * row + 30)
        window = np.zeros((34, 34, 3), "float32")
        window[:30, :30] = image[4 * row : 4 * row + 30, 4 * column : 4 * column + 30]
        alone, _ = gives(one, "cls.1.pixel_shuffle", window, weights)
        assert np.abs(alone[0, 0] - seen[row, column]).max() < 1e-5


@pytest.mark.tensorflow
@pytest.mark.slow
def test_rows_of_hog_are_those_of_scikit_image_in_each_window():
    from skimage.feature import hog

    image = np.random.default_rng(1).random((48, 64, 3), "float32")
    graph = archspec.load("hog_svm", height=48, width=64, window=[32, 16], cell=4, scales=[1])
    rows, _ = gives(graph, "row.1.reshape", image)
    anchors, _ = gives(graph, "at.1", image)
    assert rows.shape == (5 * 9, 7 * 3 * 36)
    blocks = hog(
        image, 9, (4, 4), (2, 2), block_norm="L2-Hys", feature_vector=False, channel_axis=-1
    )  # of the whole picture, so that gradients at a window's border see what is around it
    for row, (left, top, right, bottom) in zip(rows, anchors, strict=True):
        assert (right - left, bottom - top) == (16, 32)
        i, j = int(top) // 4, int(left) // 4
        assert np.abs(row - blocks[i : i + 7, j : j + 3].ravel()).max() < 1e-4
