"""What happens to examples on their way into a batch.

Transforms work on batches: tensors with a leading axis of examples. Where sizes are still open, a batch is one example.
8-bit images stay 8-bit until a transform says otherwise, so that what travels is small and floats are made late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple, Protocol

from pydantic import Field, ValidationError

from archspec.data.arguments import written
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.image import Image
from archspec.data.features.mask import Mask
from archspec.data.features.vector import Vector
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import plain
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.feature import Feature
    from archspec.data.statistics import Statistics

    Batch = dict[str, tf.Tensor]


Share = Annotated[float, Field(ge=0, le=1)]
"""A probability, or a part of a whole."""


class PixelRange(NamedTuple):
    """What black and white are as numbers."""

    low: float
    high: float

    @property
    def is_bytes(self) -> bool:
        """True for 0 … 255, or about that."""
        return self.high - self.low >= 100


BYTES = PixelRange(0.0, 255.0)
"""The values of 8-bit images."""


class TransformError(DataError):
    """A transform cannot take what it gets; ``position`` is its place in the list."""

    position: int = 0


class StatisticsOf(Protocol):
    """What a transform is told statistics by when it is fitted."""

    def __call__(self, part: str | None = None, after: Sequence[Transform] = ()) -> Statistics:
        """Of a part of the training examples (what transforms of values change, where none is named), as it is when it
        reaches the transform and some others are done."""


class Transform(Declaration, package="archspec.data.transforms"):
    """One step. Order of rules: fields, ``infer``, ``evaluation``, ``apply``."""

    is_random: ClassVar[bool] = False
    """True where the outcome is drawn; such a step stands out of evaluation unless ``evaluation`` replaces it."""
    is_color: ClassVar[bool] = False
    """True where all it does is an affine map of each pixel's colour: neighbours of this kind become one map."""

    def infer(self, features: Example) -> Example:
        """What an example is afterwards. Raises TransformError."""
        return features

    def pixel_range(self, before: PixelRange | None) -> PixelRange | None:
        """The values that pixels have afterwards, where they have those of ``before``; None where that is not known."""
        return before

    def evaluation(self) -> Transform | None:
        """What takes its place when a model is evaluated; None for nothing."""
        return None if self.is_random else self

    def matrix(self, mean: tf.Tensor, draw: Draw) -> tf.Tensor:
        """Where ``is_color``: what is done to each pixel's (r, g, b, 1), of shape (batch, 3, 4); ``mean`` is the
        images' mean colour, of shape (batch, 3), in units in which white is 1."""
        raise NotImplementedError

    @property
    def is_fitted(self) -> bool:
        """True where ``fit`` has nothing left to do."""
        return True

    def fit(self, statistics: StatisticsOf) -> Transform:
        """The same with what it needs to know of the training examples, as they are when they reach it."""
        return self

    def apply(self, batch: Batch, draw: Draw) -> Batch:
        """The batch with the step done; ``draw`` gives random numbers by example."""
        raise NotImplementedError

    def transform(self, batch: Batch, draw: Draw, features: Mapping[str, Feature]) -> Batch:
        """As ``apply``, of examples of which it is known what their features are."""
        return self.apply(batch, draw)

    def on_arrays(self, image: np.ndarray) -> np.ndarray:
        """The same for images in NumPy, where TensorFlow is not installed; only what is not random has it."""
        raise NotImplementedError

    def exported(self, values: tf.Tensor) -> tf.Tensor:
        """The same for images of any one size, or rows, by operations that ONNX and LiteRT have, too. Raises
        TransformError where there is no such."""
        raise TransformError(f"{self.name} cannot be written into a file for other programs")


def valued(features: Mapping[str, Feature]) -> str | None:
    """The part whose values are changed by transforms that change values: the image or, where there is none, the one
    vector of the data; None where there is neither."""
    if IMAGE in features:
        return IMAGE
    vectors = [name for name, feature in features.items() if isinstance(feature, Vector) and name != LABEL]
    return vectors[0] if len(vectors) == 1 else None


def image_of(features: Example, name: str) -> TensorSpec:
    """The image, of height, width and channels. Raises TransformError for anything else."""
    image = features.image
    if image.rank != 3:
        raise TransformError(f"{name} needs images of height, width and channels, the data are {image}")
    return image


def partner(x: tf.Tensor, number: int) -> tf.Tensor:
    """For each example of a batch another one of its group (groups of 2 for ``number`` 1, of 4 for 1 … 3); the last
    example where the last group is not whole."""
    import tensorflow as tf

    count = tf.shape(x)[0]
    return tf.gather(x, tf.minimum(tf.bitwise.bitwise_xor(tf.range(count), number), count - 1))


def infer(features: Example, transforms: Sequence[Transform]) -> tuple[Example, ...]:
    """What an example is before the first transform and after each. Raises TransformError."""
    out = [features]
    for name, feature in features.placed.items():
        if isinstance(feature, Mask) and feature.spec.spatial != features.image.spatial:
            raise TransformError(f"{name} is {feature.spec}, and not as large as the image {features.image}")
    drawn = next((t.name for t in transforms if t.is_random), None)
    for position, transform in enumerate(transforms):
        try:
            if transform.name == "cache" and any(t.is_random for t in transforms[:position]):
                raise TransformError(f"cache follows {drawn}, which is random", help="put it before")
            out.append(transform.infer(out[-1]))
        except TransformError as error:
            error.position = position
            raise
        except DataError as error:
            raise _misplaced(error, transform, out[-1], position) from None
    return tuple(out)


def _misplaced(error: DataError, transform: Transform, features: Example, position: int) -> TransformError:
    """What to say of a transform of images where there is no image."""
    help = error.help
    images = [name for name, feature in features.features.items() if isinstance(feature, Image)]
    if valued(features.features) is not None:
        help = f"{transform.name} is for images; columns of numbers take normalize: {{mean: data, std: data}}"
    elif images:
        step = Transform.find("apply")
        assert step is not None
        try:
            moved = step.model_validate({"to": images[0], "steps": [transform]})
            moved.infer(features)
            help = f"{plain(written(moved), 200)} does it to {images[0]}"
        except (DataError, ValidationError):
            help = None
    out = TransformError(error.message, help=help)
    out.position = position
    return out


def pixel_ranges(features: Example, transforms: Sequence[Transform]) -> Iterator[PixelRange | None]:
    """What black and white are before each transform, where that is known."""
    at = BYTES if IMAGE in features.parts and features.image.dtype == "uint8" else None
    for transform in transforms:
        yield at
        at = transform.pixel_range(at)


def for_evaluation(transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """The transforms without what is random."""
    return tuple(step for transform in transforms if (step := transform.evaluation()))


def with_probability(draw: Draw, probability: float, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """``new`` for a share of the examples, ``old`` for the others."""
    return new if probability >= 1 else where_example(draw.uniform() < probability, new, old)


def where_example(which: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    """``new`` for some examples, ``old`` for the others."""
    return compiled(_pick, which, new, old) if len(old.shape) > 3 else _pick(which, new, old)


def _pick(which: tf.Tensor, new: tf.Tensor, old: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    return tf.where(tf.reshape(which, (-1,) + (1,) * (len(old.shape) - 1)), new, old)


def compiled(function: Callable[..., tf.Tensor], *arguments: tf.Tensor, **constants: float) -> tf.Tensor:
    """``function`` of batches, as one pass by XLA: ten to thirty times as fast as operations one after the other. Where
    sizes are open it runs as it is, since a size is what is compiled for.

    ``function`` stands in a module, so that it is compiled once for all who call it with these constants and shapes.
    """
    if any(None in a.shape[1:] for a in arguments):
        return function(*arguments, **constants)
    return _program(function, tuple(constants.items()))(*arguments)


@cache
def _program(function: Callable[..., tf.Tensor], constants: tuple[tuple[str, float], ...]) -> Callable[..., tf.Tensor]:
    import tensorflow as tf

    program: Callable[..., tf.Tensor] = tf.function(
        partial(function, **dict(constants)), jit_compile=True, autograph=False
    )
    return program
