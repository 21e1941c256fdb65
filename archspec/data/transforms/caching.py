"""Keeping what the steps before give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from archspec.data.example import Example
from archspec.data.transform import Transform, TransformError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


class Cache(Transform, name="cache", main="where"):
    """Do the steps before it once for each example, and keep what they give: nothing before it may be random, and
    images must have one size by then. The order of examples and what is drawn stay as they are without it."""

    where: Literal["memory", "disk"] = "memory"
    """``disk`` keeps it from run to run, in the cache folder, and in memory only as far as the system has room."""

    def infer(self, features: Example) -> Example:
        for part in features.parts.values():
            if None in part.shape:
                raise TransformError(f"cache needs images of one size, the data are {part}", help="resize first")
        return features

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return batch

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        return values

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        return image
