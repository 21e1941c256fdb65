"""What values pixels have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, Example
from archspec.data.features.vector import Vector
from archspec.data.source import DataPath
from archspec.data.transform import PixelRange, Transform, TransformError, image_of, valued
from archspec.ir.tensors import TensorSpec
from archspec.ir.validation import refuse
from archspec.ops.arguments import Number
from archspec.storage.regular import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.feature import Feature
    from archspec.data.transform import Batch, StatisticsOf


def _by_channel(value: Any) -> tuple[float, ...] | str:
    if value == "data":
        return "data"
    values = value if isinstance(value, (list, tuple)) else [value]
    if values and all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e30 for v in values):
        return tuple(float(v) for v in values)
    raise refuse("must be a number, a list of one per channel, or data")


def _positive_by_channel(value: object) -> tuple[float, ...] | str:
    values = _by_channel(value)
    if not isinstance(values, str) and min(values) <= 0:
        raise refuse("must be a positive number, a list of one per channel, or data")
    return values


_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "number"}, {"const": "data"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}
)


class Rescale(Transform, name="rescale"):
    """8-bit values 0 … 255 to a range of floats."""

    low: Number = 0.0
    """What 0 becomes."""
    high: Number = 1.0
    """What 255 becomes."""

    def infer(self, features: Example) -> Example:
        image = features.image
        if image.dtype != "uint8":
            raise TransformError(
                f"rescale needs 8-bit images, the data are {image.dtype}", help="use normalize: {mean: …, std: …}"
            )
        return features.with_image(TensorSpec(image.shape))

    def pixel_range(self, before: PixelRange | None) -> PixelRange | None:
        return PixelRange(self.low, self.high)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        image = tf.cast(batch[IMAGE], tf.float32)
        return {**batch, IMAGE: image * ((self.high - self.low) / 255) + self.low}

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        return image.astype(np.float32) * np.float32((self.high - self.low) / 255) + np.float32(self.low)

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.cast(values, tf.float32) * ((self.high - self.low) / 255) + self.low


class Normalize(Transform, name="normalize"):
    """(x - mean) / std, by channel of an image or, where the data have none, by column of their vector; the result is
    float32. Mean and std are in the units that the values have here: of 0 … 255, unless ``rescale`` stands before it.
    A channel that is always the same has a deviation of 1."""

    mean: Annotated[tuple[float, ...] | str, BeforeValidator(_by_channel), _SCHEMA] = (0.0,)
    """What to subtract, for all channels or one per channel; ``data`` is the mean of the training split."""
    std: Annotated[tuple[float, ...] | str, BeforeValidator(_positive_by_channel), _SCHEMA] = (1.0,)
    """What to divide by, for all channels or one per channel; ``data`` is the deviation of the training split."""

    def infer(self, features: Example) -> Example:
        part = valued(features.features)
        if part is None:
            vectors = [name for name, feature in features.features.items() if isinstance(feature, Vector)]
            help = f"{{apply: {{to: {vectors[0]}, steps: [normalize: …]}}}} says which" if vectors else None
            held = "several vectors and no image" if vectors else "no image and no vector"
            raise TransformError(f"normalize: the data have {held}, only {', '.join(features.parts)}", help=help)
        spec = features.parts[part]
        for argument, values in (("mean", self.mean), ("std", self.std)):
            if values != "data" and len(values) not in (1, spec.channels):
                what = "the images are" if part == IMAGE and spec.rank == 3 else f"{part} is"
                raise TransformError(f"normalize: {argument} has {len(values)} values, {what} {spec}")
        made = TensorSpec(spec.shape)
        if part == IMAGE:
            return features.with_image(made)
        return features.with_features(**{part: replace(features.features[part], spec=made)})  # type: ignore[type-var]

    def pixel_range(self, before: PixelRange | None) -> PixelRange | None:
        return None

    @property
    def is_fitted(self) -> bool:
        return "data" not in (self.mean, self.std)

    def fit(self, statistics: StatisticsOf) -> Transform:
        if self.is_fitted:
            return self
        found = statistics()
        std = tuple(n or 1.0 for n in found.std)
        return Normalize(
            mean=found.mean if self.mean == "data" else self.mean, std=std if self.std == "data" else self.std
        )

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        return self._applied(batch, IMAGE)

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        return self._applied(batch, valued(features) or IMAGE)

    def _applied(self, batch: Batch, part: str) -> Batch:
        import tensorflow as tf

        return {**batch, part: (tf.cast(batch[part], tf.float32) - self.mean) / tf.constant(self.std)}

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return (image.astype(np.float32) - mean) / std

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        return self._applied({IMAGE: values}, IMAGE)[IMAGE]


class Standardize(Transform, name="standardize"):
    """Each image less its own mean, over its own deviation (at least 1 / √n of n values); float32."""

    def infer(self, features: Example) -> Example:
        return features.with_image(TensorSpec(features.image.shape))

    def pixel_range(self, before: PixelRange | None) -> PixelRange | None:
        return None

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        return {**batch, IMAGE: tf.image.per_image_standardization(batch[IMAGE])}

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        axes, least = tuple(range(1, image.ndim)), image[0].size ** -0.5
        image = image.astype(np.float32)
        deviation = np.maximum(image.std(axes, keepdims=True), np.float32(least))
        scaled: np.ndarray = (image - image.mean(axes, keepdims=True)) / deviation
        return scaled

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        axes, values = tuple(range(1, len(values.shape))), tf.cast(values, tf.float32)
        count = tf.cast(tf.reduce_prod(tf.shape(values)[1:]), tf.float32)
        less = values - tf.reduce_mean(values, axes, keepdims=True)
        deviation = tf.sqrt(tf.reduce_mean(less * less, axes, keepdims=True))
        return less / tf.maximum(deviation, 1 / tf.sqrt(count))


class SubtractMeanImage(Transform, name="subtract_mean_image", main="path"):
    """The image less the mean of all training images, pixel by pixel (Krizhevsky et al. 2012); float32. The mean is
    computed of the training split, once, where no file is given."""

    path: DataPath | None = None
    """A NumPy file (``.npy``) of the mean."""

    def infer(self, features: Example) -> Example:
        image = image_of(features, "subtract_mean_image")
        if None in image.shape:
            raise TransformError(
                f"subtract_mean_image needs images of one size, the data are {image}", help="resize first"
            )
        return features.with_image(TensorSpec(image.shape))

    def pixel_range(self, before: PixelRange | None) -> PixelRange | None:
        return None

    @property
    def is_fitted(self) -> bool:
        return self.path is not None

    def fit(self, statistics: StatisticsOf) -> Transform:
        return self if self.is_fitted else SubtractMeanImage(path=statistics().mean_image)

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        import tensorflow as tf

        return {**batch, IMAGE: tf.cast(batch[IMAGE], tf.float32) - self._mean(batch[IMAGE].shape)}

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        import numpy as np

        less: np.ndarray = image.astype(np.float32) - self._mean(image.shape)
        return less

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        return tf.cast(values, tf.float32) - self._mean(values.shape)

    def _mean(self, shape: Any) -> np.ndarray:
        import numpy as np

        try:
            with opened(self.path) as file:  # type: ignore[arg-type]
                mean: np.ndarray = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{self.path} is not a NumPy file of numbers: {error}") from None
        if mean.shape != tuple(shape[1:]):
            raise DataError(f"{self.path} holds {mean.shape}, the images are {tuple(shape[1:])}")
        return mean.astype(np.float32)
