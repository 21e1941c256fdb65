"""Normalisation that Keras has, where it computes in half precision."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from archspec.layers.normalization import UnitLengthNormalization

pytestmark = [pytest.mark.tensorflow, pytest.mark.processors]


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_short_vectors_and_none_at_all_have_a_direction(dtype):
    vectors = np.array([[0, 0, 0, 0], [1e-4, 1e-4, 1e-4, -1e-4], [3e4, 3e4, 3e4, 3e4]], "float32")
    found = ops.convert_to_numpy(UnitLengthNormalization(axis=-1, dtype=dtype)(vectors))
    np.testing.assert_allclose(found.astype("float32"), [[0] * 4, [0.5, 0.5, 0.5, -0.5], [0.5] * 4], rtol=0.01)
