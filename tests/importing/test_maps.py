"""Kernels of other programs in the order of ours, against the products that they are for."""

import numpy as np

from archspec.importing.maps import rows_moved


def test_rows_of_a_dense_kernel_follow_the_elements_of_a_map_that_is_not_square():
    rng = np.random.default_rng(0)
    kernel, image = rng.normal(size=(7, 24)), rng.normal(size=(2, 3, 4))  # height, width, channels
    theirs = kernel @ image.transpose(2, 0, 1).reshape(-1)
    np.testing.assert_allclose(image.reshape(-1) @ rows_moved(lambda: kernel, (2, 3, 4))(), theirs)
    vector = rng.normal(size=24)
    np.testing.assert_allclose(vector @ rows_moved(lambda: kernel, None)(), kernel @ vector)
