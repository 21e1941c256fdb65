"""Two examples made one; what lies in the image and the label follow.

A class becomes a probability for each (float32), which the pipeline makes of it before; boxes of both stay. Examples
are mixed in pairs, the first of a batch with the second and so on, either with an amount of its own: so what comes out
of a batch does not depend on how it is divided among devices, as long as each has an even part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from archspec.data.blending import blend, blended
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example, feature_of
from archspec.data.features.label import Label
from archspec.data.transform import Share, Transform, TransformError, image_of, partner, with_probability
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.feature import Feature
    from archspec.data.region import Region
    from archspec.data.transform import Batch

Alpha = Annotated[float, Field(gt=0, le=100)]


class Mixing(Transform):
    """A transform that makes one of two examples. Order of rules: fields, ``region``."""

    is_random = True
    is_mean: ClassVar[bool] = False
    """True where pixels are means of both examples, and not each of one of them."""

    def infer(self, features: Example) -> Example:
        image_of(features, self.name)
        if features.has_open_sizes:
            message = f"{self.name} needs images of one size, the data are {features.image}"
            raise TransformError(message, help="resize first")
        if len(features.features) == 1:
            raise TransformError(f"{self.name} mixes what is to be learnt as well, and the data have images alone")
        if others := [target for target in features.targets if target != LABEL]:
            raise TransformError(f"{self.name} mixes images and one label, the data also have {', '.join(others)}")
        try:
            return blended(features, features, is_mean=self.is_mean)
        except DataError as error:
            raise TransformError(f"{self.name}: {error.message}", help=error.help) from None

    def region(self, image: tf.Tensor, draw: Draw) -> Region:
        """What stays of each image of a batch; the rest is that of another."""
        raise NotImplementedError

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        other = {name: partner(batch[name], 1) for name in features}
        return blend(batch, other, features, self.region(batch[IMAGE], draw))

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        image, label = batch[IMAGE], batch[LABEL]
        kinds = {
            IMAGE: feature_of(IMAGE, TensorSpec(image.shape[1:], image.dtype.name)),
            LABEL: Label(label.shape[-1], is_mixed=True),
        }
        return self.transform(batch, draw, kinds)


class MixUp(Mixing, name="mixup", main="alpha"):
    """λ of an example and 1 - λ of another, pixels and labels alike (Zhang et al. 2017)."""

    is_mean = True

    alpha: Alpha = 0.2
    """λ is drawn from the beta distribution Beta(α, α)."""
    probability: Share = 1.0
    """Share of the examples that are mixed."""

    def region(self, image: tf.Tensor, draw: Draw) -> Region:
        import tensorflow as tf

        from archspec.data.region import Region

        share = _beta(draw.uniform(), self.alpha)
        share = with_probability(draw, self.probability, share, tf.ones_like(share))
        return Region(share[:, None, None, None], share)


class CutMix(Mixing, name="cutmix", main="alpha"):
    """A rectangle of another example put in its place; the label by area (Yun et al. 2019)."""

    alpha: Alpha = 1.0
    """The share that stays is drawn from the beta distribution Beta(α, α)."""
    probability: Share = 1.0
    """Share of the examples that are mixed."""

    def region(self, image: tf.Tensor, draw: Draw) -> Region:
        import tensorflow as tf

        from archspec.data.region import Region

        share = _beta(draw.uniform(), self.alpha)
        share = with_probability(draw, self.probability, share, tf.ones_like(share))
        height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(image)[1:3]))
        side = tf.sqrt(1 - share)
        inside, area = rectangle(image, draw.uniform() * height, draw.uniform() * width, side * height, side * width)
        return Region(~inside, 1 - area)


def rectangle(
    image: tf.Tensor, y: tf.Tensor, x: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pixels lie in a rectangle about (y, x), (batch, height, width, 1), and their share of the image."""
    import tensorflow as tf

    masks, share = [], tf.ones_like(y)
    for extent, middle, size in ((tf.shape(image)[1], y, height), (tf.shape(image)[2], x, width)):
        low, high = tf.round(middle - size / 2), tf.round(middle + size / 2)
        at = tf.cast(tf.range(extent), tf.float32)[None]
        mask = (at >= low[:, None]) & (at < high[:, None])
        masks.append(mask)
        share *= tf.reduce_mean(tf.cast(mask, tf.float32), 1)
    return (masks[0][:, :, None] & masks[1][:, None, :])[..., None], share


def _beta(uniform: tf.Tensor, alpha: float) -> tf.Tensor:
    """Beta(α, α) out of evenly drawn numbers, by a table of its quantiles."""
    import tensorflow as tf

    table = tf.constant(_quantiles(alpha))
    top = table.shape[0] - 1
    at = uniform * top
    below = tf.cast(at, tf.int32)
    low, high = tf.gather(table, below), tf.gather(table, tf.minimum(below + 1, top))
    return low + (high - low) * (at - tf.cast(below, tf.float32))


def _quantiles(alpha: float, count: int = 4096) -> np.ndarray:
    """Quantiles of Beta(α, α) at 0, 1/count … 1, by its integral up to ½ in t = x^α, in which the density is smooth."""
    import numpy as np

    x = np.linspace(0, 0.5**alpha, 1 << 16) ** (1 / alpha)
    density = (1 - x) ** (alpha - 1)
    integral = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    lower = np.interp(np.linspace(0, 0.5, count // 2 + 1), integral / integral[-1] / 2, x)
    return np.concatenate([lower, 1 - lower[-2::-1]]).astype(np.float32)
