"""Two examples made one; the label follows.

The label becomes a probability for each class (float32), which the pipeline makes of a class before. Examples are
mixed in pairs, the first of a batch with the second and so on, either with an amount of its own: so what comes out of
a batch does not depend on how it is divided among devices, as long as each has an even part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.label import Label
from archspec.data.pixels import keep_type
from archspec.data.transform import Share, Transform, TransformError, image_of, with_probability
from archspec.data.transforms.geometric import alone

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch

Alpha = Annotated[float, Field(gt=0, le=100)]


class MixUp(Transform, name="mixup", main="alpha"):
    """λ of an example and 1 - λ of another, pixels and labels alike (Zhang et al. 2017)."""

    is_random = True

    alpha: Alpha = 0.2
    """λ is drawn from the beta distribution Beta(α, α)."""
    probability: Share = 1.0
    """Share of the examples that are mixed."""

    def infer(self, features: Example) -> Example:
        return _mixed_features(features, "mixup")

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        share = _beta(draw.uniform(), self.alpha)
        share = with_probability(draw, self.probability, share, tf.ones_like(share))
        image, label = batch[IMAGE], batch[LABEL]
        x, weight = tf.cast(image, tf.float32), share[:, None, None, None]
        mixed = keep_type(weight * x + (1 - weight) * _partner(x), image.dtype)
        return {**batch, IMAGE: mixed, LABEL: share[:, None] * label + (1 - share[:, None]) * _partner(label)}


class CutMix(Transform, name="cutmix", main="alpha"):
    """A rectangle of another example put in its place; the label by area (Yun et al. 2019)."""

    is_random = True

    alpha: Alpha = 1.0
    """The share that stays is drawn from the beta distribution Beta(α, α)."""
    probability: Share = 1.0
    """Share of the examples that are mixed."""

    def infer(self, features: Example) -> Example:
        return _mixed_features(features, "cutmix")

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        share = _beta(draw.uniform(), self.alpha)
        share = with_probability(draw, self.probability, share, tf.ones_like(share))
        image, label = batch[IMAGE], batch[LABEL]
        height, width = (tf.cast(n, tf.float32) for n in tf.unstack(tf.shape(image)[1:3]))
        side = tf.sqrt(1 - share)
        inside, area = rectangle(image, draw.uniform() * height, draw.uniform() * width, side * height, side * width)
        kept = 1 - area
        mixed = tf.where(inside, _partner(image), image)
        return {**batch, IMAGE: mixed, LABEL: kept[:, None] * label + (1 - kept[:, None]) * _partner(label)}


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


def _mixed_features(features: Example, name: str) -> Example:
    image_of(features, name)
    alone(features, name)
    if features.has_open_sizes:
        raise TransformError(f"{name} needs images of one size, the data are {features.image}", help="resize first")
    if others := [part for part in features.features if part not in (IMAGE, LABEL)]:
        raise TransformError(f"{name} mixes images and one class, the data also have {', '.join(others)}")
    if features.classes is None or not isinstance(features.features.get(LABEL), Label):
        raise TransformError(f"{name} needs data with classes")
    label = features.features[LABEL]
    assert isinstance(label, Label)
    return features.with_features(**{LABEL: replace(label, is_mixed=True)})


def _partner(x: tf.Tensor) -> tf.Tensor:
    """The other of each pair; of an odd batch the last is its own."""
    import tensorflow as tf

    count = tf.shape(x)[0]
    return tf.gather(x, tf.minimum(tf.bitwise.bitwise_xor(tf.range(count), 1), count - 1))


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
