"""Reading maps between their positions: places stay exact where layers compute in half precision."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from archspec.layers.interpolation import DeformableConvolution, GridSample

pytestmark = pytest.mark.tensorflow

WIDTH = 600
"""More positions than half precision tells apart."""


@pytest.fixture
def image():
    return np.tile(np.arange(WIDTH) % 7, (2, 1))[None, :, :, None].astype("float32")


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_wide_map_is_read_at_the_places_that_are_meant(image, dtype):
    conv = DeformableConvolution(1, (1, 1), (1, 1), (1, 1), (0, 0), kernel_initializer="ones", dtype=dtype)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(conv(image, np.zeros((1, 2, WIDTH, 2)))).astype("float32"), image
    )
    y, x = np.meshgrid(np.linspace(-1, 1, 2), np.linspace(-1, 1, WIDTH), indexing="ij")
    grid = np.stack([x, y], -1)[None].astype("float32")
    for mode in ("nearest", "bilinear"):
        read = ops.convert_to_numpy(GridSample(mode, True, dtype=dtype)(image, grid)).astype("float32")
        np.testing.assert_allclose(read, image, atol=0.02)
