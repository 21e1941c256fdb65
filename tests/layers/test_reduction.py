"""Places of extremes, as NumPy has them, by operations that ONNX and LiteRT have."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("axis", [1, -1])
def test_the_place_of_the_largest_is_the_first_of_equal_ones(axis):
    import tensorflow as tf

    from archspec.layers.reduction import Argmax

    x = np.random.default_rng(0).integers(-3, 3, (4, 5, 6)).astype("float32")
    place = tf.function(Argmax(axis)).get_concrete_function(tf.TensorSpec(x.shape))
    assert np.array_equal(place(tf.constant(x)), x.argmax(axis))
    # By the bits of floats Keras tells -0 from 0.
    assert not {op.type for op in place.graph.get_operations()} & {"Bitcast", "BitwiseAnd"}
