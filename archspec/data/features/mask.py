"""A class at every pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.data.errors import DataError
from archspec.data.feature import Feature, Remark, empty_classes, occurrences
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.canvas import Canvas
    from archspec.data.motion import Motion
    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class Mask(Feature):
    """Numbers of classes, integers of shape (height, width, 1), as large as the image: between two of them there is
    nothing, so the nearest is taken, never a mean. Outside of the image is ``ignored``, where there is such a
    number."""

    is_placed: ClassVar[bool] = True

    spec: TensorSpec
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    ignored: int | None = None

    @property
    def fill(self) -> float:
        return self.ignored or 0

    def resized(self, size: Sequence[Size]) -> Mask:
        return replace(self, spec=TensorSpec((*size, self.spec.channels), self.spec.dtype))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.pixels(value, nearest=True, fill=self.fill)

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        if is_training:
            yield from empty_classes(self.tally(values), "note")

    def tally(self, values: Any) -> Mapping[str, int]:
        return occurrences(values, self.classes or 0, self.class_names)

    def blended(self, other: Mask, *, is_mean: bool) -> Mask:
        if is_mean:
            raise DataError("has one class per pixel, which cannot be averaged")
        return self

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        import tensorflow as tf

        return tf.where(region.first, first, second)

    def draw(self, canvas: Canvas, value: Any, classes: Sequence[int] | None = None) -> None:
        canvas.tint(value[..., 0], self.ignored)

    def called(self, value: Any) -> str:
        """The classes that occur."""
        import numpy as np

        names = dict(enumerate(self.class_names))
        found = np.unique(value).tolist()
        return ", ".join(str(names.get(n, n)) for n in found if n != self.ignored)
