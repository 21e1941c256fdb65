"""Weights of the pixels that part objects which nearly touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.example import LABEL, Example
from archspec.data.features.mask import Mask
from archspec.data.features.weight_map import WeightMap
from archspec.data.transform import Transform, TransformError
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

REACH = 6
"""Deviations beyond which a weight is less than 2e-8 of the largest."""


class BorderWeights(Transform, name="border_weights", main="w0"):
    """Weights of pixels between objects that nearly touch, w0 · exp(-(d1 + d2)² / 2σ²), where d1 and d2 are the
    distances to the nearest and the second nearest object (Ronneberger et al. 2015, equation 2): the task
    ``segmentation`` adds them to the weights of classes. Objects are the connected pixels of each class but
    ``between``. They are computed from masks before these are moved, so that ``cache`` may keep them, and follow the
    image from there on; there are none in evaluation."""

    w0: Annotated[float, Field(gt=0, le=1e4)] = 10.0
    """The weight where objects touch."""
    sigma: Annotated[float, Field(gt=0, le=100)] = 5.0
    """σ, in pixels."""
    between: Annotated[int, Field(ge=0, le=254)] = 0
    """Number of the class that lies between objects, whose pixels alone get such weights."""

    def infer(self, features: Example) -> Example:
        mask = features.features.get(LABEL)
        if not isinstance(mask, Mask):
            raise TransformError(f"{self.name} needs a mask, the data have {', '.join(features.features)}")
        if mask.classes is not None and self.between >= mask.classes:
            raise TransformError(
                f"{self.name}: there is no class {self.between}, the data have {mask.classes}", help="between: 0"
            )
        return features.with_features(**{self.name: WeightMap(TensorSpec((*mask.spec.spatial, 1), "float32"))})

    def evaluation(self) -> Transform | None:
        return None

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        mask = batch[LABEL]
        made = tf.numpy_function(self._of_batch, [mask], tf.float32, stateful=False)
        return {**batch, self.name: tf.ensure_shape(made, mask.shape)}

    def _of_batch(self, masks: np.ndarray) -> np.ndarray:
        import numpy as np

        return np.stack([self.weights(mask[..., 0]) for mask in masks])[..., None]

    def weights(self, mask: np.ndarray) -> np.ndarray:
        """The weights of one mask (height, width), float32."""
        import numpy as np
        from scipy import ndimage

        least = np.full((2, *mask.shape), np.inf)
        reach = int(np.ceil(REACH * self.sigma))
        for kind in np.unique(mask):
            if kind in (self.between, 255):
                continue
            objects, _ = ndimage.label(mask == kind)
            for number, part in enumerate(ndimage.find_objects(objects), 1):
                # Beyond its reach an object weighs nothing.
                near = tuple(slice(max(0, axis.start - reach), axis.stop + reach) for axis in part)
                far = ndimage.distance_transform_edt(objects[near] != number)
                first, second = (least[k][near] for k in (0, 1))
                least[1][near] = np.minimum(second, np.maximum(first, far))
                least[0][near] = np.minimum(first, far)
        found = self.w0 * np.exp(-(least.sum(0) ** 2) / (2 * self.sigma**2))
        out: np.ndarray = np.where(mask == self.between, found, 0).astype(np.float32)
        return out
