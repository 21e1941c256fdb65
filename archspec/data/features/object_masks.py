"""Which pixels each object has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from archspec.data.feature import Feature
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.canvas import Canvas
    from archspec.data.motion import Motion
    from archspec.data.region import Region


@dataclass(frozen=True, slots=True)
class ObjectMasks(Feature):
    """Masks of objects as bits of an image: uint8 of shape (height, width, channels), as large as the image, with
    eight masks a channel. Bit k of a pixel, those of its first channel first and the lowest of each first, says
    whether mask k has it; objects may share pixels. Which mask is that of an object is another feature's
    (``MaskPlaces``), so that no pixel changes when objects are dropped.

    All masks move as one image does, by the nearest pixel; outside of the image nothing is an object.
    """

    is_placed: ClassVar[bool] = True

    size: tuple[Size, Size]
    channels: int

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((*self.size, self.channels), "uint8")

    def resized(self, size: Sequence[Size]) -> ObjectMasks:
        height, width = size
        return replace(self, size=(height, width))

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        return motion.pixels(value, nearest=True, fill=0)

    def blended(self, other: ObjectMasks, *, is_mean: bool) -> ObjectMasks:
        return replace(self, channels=self.channels + other.channels)

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        import tensorflow as tf

        if not region.is_mean:
            first = tf.where(region.first, first, tf.zeros_like(first))
            second = tf.where(region.first, tf.zeros_like(second), second)
        return tf.concat([first, second], -1)

    def draw(self, canvas: Canvas, value: Any, classes: Sequence[int] | None = None) -> None:
        import numpy as np

        numbers = np.zeros(value.shape[:2], int)
        for place in range(8 * value.shape[-1]):
            numbers[mask(value, place)] = place + 1
        canvas.tint(numbers)

    def called(self, value: Any) -> str:
        return f"masks of {sum(bool(mask(value, place).any()) for place in range(8 * value.shape[-1]))} objects"


def mask(value: np.ndarray, place: int) -> np.ndarray:
    """One of the masks of ``value`` (height, width, channels): bool of shape (height, width)."""
    found: np.ndarray = (value[..., place // 8] >> (place % 8) & 1).astype(bool)
    return found


def bits(masks: Sequence[np.ndarray], channels: int, size: Sequence[int]) -> np.ndarray:
    """Masks (height, width), as many as have room, as bits of shape (height, width, channels)."""
    import numpy as np

    out = np.zeros((*size, channels), np.uint8)
    for place, one in enumerate(masks):
        out[..., place // 8] |= np.asarray(one, np.uint8) << np.uint8(place % 8)
    return out
