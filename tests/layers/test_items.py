"""Items of an axis as examples of a batch, and back: their shapes where the batch may be of any size."""

import numpy as np
import pytest


@pytest.mark.tensorflow
def test_the_shape_of_items_is_told_without_dividing_the_batch():
    """JAX infers shapes by dividing, and refuses a batch of any size."""
    from archspec.layers.items import FoldItems, UnfoldItems

    x = np.arange(24, dtype="float32").reshape(2, 3, 4)
    layer = UnfoldItems(3)
    np.testing.assert_array_equal(layer(FoldItems()(x)), x)
    assert layer.compute_output_shape((6, 4)) == (2, 3, 4)
    assert layer.compute_output_shape((None, 4, 5)) == (None, 3, 4, 5)
