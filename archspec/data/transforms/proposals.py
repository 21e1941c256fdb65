"""Regions of images that may hold objects, as data."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.example import IMAGE, Example
from archspec.data.features.boxes import Boxes
from archspec.data.transform import Transform, TransformError, image_of
from archspec.ops.arguments import PositiveInt

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

REGIONS = "regions"
"""The part of an example that they are."""
Scale = Annotated[float, Field(gt=0, le=1e6)]


class Propose(Transform, name="propose", main="count"):
    """Selective search (Uijlings et al. 2013): boxes about all regions that arise where segments of an image
    (Felzenszwalb and Huttenlocher 2004) are merged, the most alike in colour, texture, size and fill first, in the
    colour spaces HSV and Lab. They are a part ``regions`` (count, 4) of each example, in pixels of the image, with
    zeros behind the last; detectors whose regions come from elsewhere (``rcnn``, ``spp_net``, ``fast_rcnn``) take them
    as an input. They follow the image from there on, and ``cache`` behind it keeps them.

    Needs scikit-image. It takes the 8-bit image, before ``rescale``.
    """

    count: PositiveInt = 2000
    """Boxes of an image, at most: of more, those of the latest mergers."""
    scales: tuple[Scale, ...] = Field(default=(50.0, 100.0), min_length=1, max_length=8)
    """Scales of segmentation: the larger, the larger its segments."""
    sigma: Annotated[float, Field(ge=0, le=10)] = 0.8
    """Smoothing before segmentation, in pixels."""
    least: PositiveInt = 20
    """Shortest side of a box, in pixels, and of a segment if it were square."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, self.name)
        if find_spec("skimage") is None:
            raise TransformError(f"{self.name} needs scikit-image", help="pip install 'archspec-keras[proposals]'")
        if image.dtype != "uint8" or image.channels not in (1, 3):
            message = f"{self.name} needs 8-bit images of 1 or 3 channels, got {image.dtype} {image}"
            raise TransformError(message, help="put propose before rescale")
        return features.with_features(**{REGIONS: Boxes(self.count, is_padded=True, rows="region")})

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        made = tf.numpy_function(self._of_batch, [batch[IMAGE]], tf.float32, stateful=False)
        return {**batch, REGIONS: tf.ensure_shape(made, (batch[IMAGE].shape[0], self.count, 4))}

    def _of_batch(self, images: np.ndarray) -> np.ndarray:
        import numpy as np

        from archspec.data.merging import proposals

        said = {"scales": self.scales, "sigma": self.sigma, "least": self.least}
        return np.stack([proposals(image, self.count, **said) for image in images])  # type: ignore[arg-type]
