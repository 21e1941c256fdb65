"""Which objects of a batch still have pixels, as their masks tell: boxes alone do not.

A crop may leave a corner of a box in which nothing of the object is, and an object that is pasted over others by its
outline covers little of its box and is seen whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from archspec.data.features.boxes import Boxes, hull
from archspec.data.features.mask_places import MaskPlaces
from archspec.data.features.object_masks import ObjectMasks

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.feature import Feature
    from archspec.data.motion import Motion
    from archspec.data.region import Region
    from archspec.data.transform import Batch


class MaskNames(NamedTuple):
    """What the masks of objects are called, the places of each, and the boxes about them."""

    masks: str
    places: str
    boxes: str
    rows: str
    """The axis that the objects are."""


def mask_names(features: Mapping[str, Feature]) -> MaskNames | None:
    """The names of what masks of objects are made of; None where there are none."""
    kinds = ObjectMasks, MaskPlaces, Boxes
    names = [next((name for name, one in features.items() if isinstance(one, kind)), None) for kind in kinds]
    masks, places, boxes = names
    if masks is None or places is None or boxes is None:
        return None
    return MaskNames(masks, places, boxes, features[places].rows or "")


def seen_after(batch: Batch, masks: tf.Tensor, names: MaskNames, motion: Motion) -> tf.Tensor:
    """Which objects of a batch, bool of shape (batch, rows), still have pixels in their moved ``masks``. One that no
    border cuts is seen, however small it became: evaluation does not lose it."""
    import tensorflow as tf

    whole = hull(batch[names.boxes], motion)
    cut = tf.reduce_any(tf.abs(whole - motion.inside(whole)) > 1e-3, -1)
    return ~cut | present(masks, batch[names.places])


def seen_in(batch: Batch, names: MaskNames, region: Region, visible: float) -> tf.Tensor:
    """Which objects of a batch, bool of shape (batch, rows), have at least ``visible`` of their pixels in the first
    part of a region."""
    import tensorflow as tf

    masks = batch[names.masks]
    left = tf.where(region.first, masks, tf.zeros_like(masks))
    before, after = (_of_rows(_counted(one), batch[names.places]) for one in (masks, left))
    there = batch[names.places] >= 0
    return there & (after > 0) & (tf.cast(after, tf.float32) >= visible * tf.cast(before, tf.float32))


def present(masks: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Which objects have a pixel in their mask, bool of shape (batch, rows)."""
    return (places >= 0) & (_of_rows(_present(masks), places) > 0)


def covered(masks: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Which pixels some of the masks, ``ObjectMasks`` (batch, height, width, channels), have that stand at ``places``
    (batch, count), -1 for none: bool of shape (batch, height, width, 1)."""
    import tensorflow as tf

    there = tf.reduce_any(places[..., None] == tf.range(8 * masks.shape[-1]), 1)
    weights = tf.cast(tf.reshape(there, (-1, masks.shape[-1], 8)), tf.int32) * tf.bitwise.left_shift(1, tf.range(8))
    asked = tf.cast(tf.reduce_sum(weights, -1), tf.uint8)[:, None, None]
    return tf.reduce_any(tf.bitwise.bitwise_and(masks, asked) > 0, -1, keepdims=True)


def _of_rows(numbers: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """A number of each mask (batch, masks) as those of the objects, (batch, rows)."""
    import tensorflow as tf

    return tf.gather(numbers, tf.maximum(places, 0), batch_dims=1)


def _present(masks: tf.Tensor) -> tf.Tensor:
    """Of each mask (batch, masks) 1 where it has a pixel, else 0: halves are laid over each other until one pixel is
    left, which takes an eighth of the time that counting takes."""
    import tensorflow as tf

    if None in masks.shape[1:3]:
        return tf.minimum(_counted(masks), 1)
    folded = tf.transpose(masks, (1, 2, 0, 3))
    for _ in range(2):
        while folded.shape[0] > 1:
            half = -(-folded.shape[0] // 2)
            folded = tf.bitwise.bitwise_or(folded[:half], folded[-half:])
        folded = folded[0]
    shifted = tf.bitwise.right_shift(folded[..., None], tf.cast(tf.range(8), tf.uint8))
    return tf.reshape(tf.cast(tf.bitwise.bitwise_and(shifted, 1), tf.int32), (-1, 8 * masks.shape[-1]))


def _counted(masks: tf.Tensor) -> tf.Tensor:
    """How many pixels each mask has, int32 of shape (batch, masks), by how often each byte occurs."""
    import numpy as np
    import tensorflow as tf

    batch, channels = tf.shape(masks)[0], masks.shape[-1]
    channel = tf.reshape(tf.range(batch) * channels, (-1, 1, 1, 1)) + tf.range(channels)
    total = 256 * channels * batch
    counts = tf.math.bincount(
        tf.reshape(256 * channel + tf.cast(masks, tf.int32), (-1,)), minlength=total, maxlength=total
    )
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    of_bits = tf.linalg.matmul(tf.reshape(counts, (-1, 256)), tf.constant(bits, tf.int32))
    return tf.reshape(of_bits, (batch, 8 * channels))
