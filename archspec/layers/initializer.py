"""Initialisers that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.layers.tensor import Tensor


@keras.saving.register_keras_serializable("archspec")
class Bilinear(keras.initializers.Initializer):
    """Kernels (…, channels, channels) of linear interpolation, as FCN's ``upsample_filt``."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        *spatial, rows, columns = shape
        kernel = np.ones((rows, columns)) if min(rows, columns) == 1 else np.eye(rows, columns)
        for size in reversed(spatial):
            factor = (size + 1) // 2
            centre = factor - 1 if size % 2 else factor - 0.5
            along = 1 - np.abs(np.arange(size) - centre) / factor
            kernel = along.reshape(-1, *(1,) * kernel.ndim) * kernel
        return ops.convert_to_tensor(kernel, dtype or keras.config.floatx())
