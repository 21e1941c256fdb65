"""Windows of large images in their own scale, whose surroundings are mirrored beyond the border."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.example import Example
from archspec.data.fields import Extent
from archspec.data.motion import Motion, Sides, affine
from archspec.data.transform import Transform, TransformError, image_of
from archspec.data.transforms.geometric import Geometric
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw


class ImageTile(Geometric):
    """A window of an image; images may differ in size, and be smaller than it."""

    size: Extent
    """Height and width in pixels; one number is both."""
    margin: Annotated[int, Field(ge=0, le=2**12)] = 0
    """Pixels at each side that the network reads and gives no scores for: what lies within them never leaves an image
    that is as large, the margin may."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, self.name)
        if 2 * self.margin >= min(self.size):
            height, width = self.size
            raise TransformError(f"{self.name}: a margin of {self.margin} leaves nothing of {height}×{width}")
        if objects := [name for name, feature in features.placed.items() if feature.rows is not None]:
            raise TransformError(
                f"{self.name} shows mirrored objects beyond the border, of which {', '.join(objects)} would not tell",
                help="random_crop",
            )
        return features.with_image(TensorSpec((*self.size, image.channels), image.dtype))

    def start(self, extent: tf.Tensor, size: int, draw: Draw) -> tf.Tensor:
        """The first pixel of a window of ``size`` pixels of images with ``extent``: int32 of shape (batch,), negative
        where it begins before the image."""
        raise NotImplementedError

    def motion(self, size: Sides, draw: Draw) -> Motion:
        import tensorflow as tf

        top, left = (self.start(tf.convert_to_tensor(n), want, draw) for n, want in zip(size, self.size, strict=True))

        def sampling(image: tf.Tensor, *, nearest: bool, fill: float) -> tf.Tensor:
            for axis, (first, extent, want) in enumerate(zip((top, left), size, self.size, strict=True), 1):
                place = (first[:, None] + tf.range(want)[None]) % (2 * extent)
                # … 1 0 | 0 1 2 … as the other transforms reflect.
                image = tf.gather(image, tf.minimum(place, 2 * extent - 1 - place), axis=axis, batch_dims=1)
            return tf.ensure_shape(image, (None, *self.size, image.shape[-1]))

        one, zero = tf.ones((draw.batch,)), tf.zeros((draw.batch,))
        x, y = (tf.cast(n, tf.float32) for n in (left, top))
        return Motion(affine(one, zero, x, zero, one, y), size, self.size, "reflect", sampling=sampling)


class CenterTile(ImageTile, name="center_tile", main="size"):
    """A window in the middle of the image, mirrored beyond the border."""

    def start(self, extent: tf.Tensor, size: int, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        return tf.repeat((extent - size) // 2, draw.batch)


class RandomTile(ImageTile, name="random_tile", main="size"):
    """A window of the image in its own scale, anywhere, mirrored beyond the border (the overlap-tile strategy of
    Ronneberger et al. 2015, figure 2). In evaluation ``center_tile``; ``evaluate --dense`` and ``predict --dense`` look
    at all of an image, window by window."""

    is_random = True

    def evaluation(self) -> Transform:
        return CenterTile(size=self.size, margin=self.margin)

    def start(self, extent: tf.Tensor, size: int, draw: Draw) -> tf.Tensor:
        import tensorflow as tf

        spare = extent - (size - 2 * self.margin)
        return draw.integers(tf.maximum(spare, 0) + 1) + tf.minimum(spare, 0) // 2 - self.margin
