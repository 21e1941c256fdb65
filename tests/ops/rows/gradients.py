"""Histograms of oriented gradients, by scikit-image."""

import numpy as np

from tests.ops.rows import Row


def of_skimage(cell=8, block=2, orientations=9):
    def oracle(weights, x):
        from skimage.feature import hog

        made = [
            hog(
                image.astype("float64"),
                orientations=orientations,
                pixels_per_cell=(cell, cell),
                cells_per_block=(block, block),
                block_norm="L2-Hys",
                feature_vector=False,
                channel_axis=-1,
            )
            for image in x
        ]
        return np.stack([m.reshape(*m.shape[:2], -1) for m in made])

    return oracle


ROWS = [
    Row("hog", {}, ((32, 40, 3),), of_skimage(), tolerance=1e-4),
    Row("hog", {"cell": 4, "block": 3, "orientations": 6}, ((23, 17, 1),), of_skimage(4, 3, 6), tolerance=1e-4),
    Row("hog", {"cell": 5, "block": 1}, ((16, 20, 2),), of_skimage(5, 1), tolerance=1e-4),
]
