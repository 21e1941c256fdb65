"""Two examples become one: what each feature is then, and what its values are.

A transform says what of the image is whose (a ``Region``); here all features of the examples follow, as their kinds
say. Of features that share an axis (boxes and their classes) the rows of the second example stand behind those of the
first, and rows of which too little is left to be seen are dropped from all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archspec.data.errors import DataError
from archspec.data.example import CORNERS, IMAGE, Example
from archspec.data.feature import Feature
from archspec.data.features.boxes import Boxes
from archspec.data.features.image import Image
from archspec.data.features.object_masks import ObjectMasks
from archspec.data.mask_rows import mask_names, present, seen_in
from archspec.data.region import Region

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.transform import Batch


def blended(first: Example, second: Example, *, is_mean: bool) -> Example:
    """What an example is that is made of two with the same features; ``is_mean`` where pixels are means of both.

    What tells where the pixels of a file are is that of the first. Raises DataError where a kind has no such thing.
    """
    out = {}
    for name, feature in first.features.items():
        if name == CORNERS:
            out[name] = feature
        elif isinstance(feature, Image) and name != IMAGE:
            raise DataError(f"{IMAGE} alone is mixed, and {name} is a further image of the example")
        else:
            try:
                out[name] = feature.blended(second.features[name], is_mean=is_mean)
            except DataError as error:
                raise DataError(f"{name} {error.message}", help=error.help) from None
    return first.with_features(**out)


def blend(first: Batch, second: Batch, features: Mapping[str, Feature], region: Region) -> Batch:
    """Two batches made one; ``features`` are those of either before. Other parts are those of the first."""
    import tensorflow as tf

    out, other = dict(first), region.other()
    shown: dict[str, tf.Tensor] = {}
    for name, feature in features.items():
        if name == CORNERS:
            continue
        out[name] = feature.blend(first[name], second[name], region)
        seen, there = feature.shown(first[name], region), feature.shown(second[name], other)
        if feature.rows is not None and seen is not None and there is not None:
            both = tf.concat([seen, there], 1)
            shown[feature.rows] = both & shown[feature.rows] if feature.rows in shown else both
    names = mask_names(features)
    if names is not None and region.is_ragged:
        boxes = features[names.boxes]
        assert isinstance(boxes, Boxes)
        pairs = (first, region), (second, other)
        shown[names.rows] = tf.concat([seen_in(one, names, its, boxes.visible) for one, its in pairs], 1)
    elif names is not None and not region.is_mean:
        shown[names.rows] &= present(out[names.masks], out[names.places])
    return packed(out, features, shown)


def packed(batch: Batch, features: Mapping[str, Feature], kept: Mapping[str, tf.Tensor]) -> Batch:
    """A batch without the rows that are not ``kept``, bool of shape (batch, rows) by axis: in all features of the axis
    the others move up, and at the end stands what the kind fills up with."""
    import tensorflow as tf

    out = dict(batch)
    for name, feature in features.items():
        if feature.rows is not None and feature.rows in kept:
            seen, value = kept[feature.rows], out[name]
            first = tf.argsort(tf.cast(~seen, tf.int32), stable=True)
            shape = tf.concat([tf.shape(seen), tf.ones((len(value.shape) - 2,), tf.int32)], 0)
            filled = tf.where(tf.reshape(seen, shape), value, tf.cast(feature.fill, value.dtype))
            out[name] = tf.ensure_shape(tf.gather(filled, first, axis=1, batch_dims=1), value.shape)
    return out


def filled_up(batch: Batch, features: Mapping[str, Feature], joined: Mapping[str, Feature]) -> Batch:
    """A batch with as much room in rows and masks as features have once examples are joined, which is no less than
    there is: at their end stands what the kind fills up with."""
    import tensorflow as tf

    out = dict(batch)
    for name, feature in growing(joined).items():
        value = batch[name]
        wanted = feature.spec.shape
        around = [
            [0, 0],
            *([0, (n or 0) - have] if n else [0, 0] for n, have in zip(wanted, value.shape[1:], strict=True)),
        ]
        filled = tf.pad(value, around, constant_values=tf.cast(features[name].fill, value.dtype))
        out[name] = tf.ensure_shape(filled, (value.shape[0], *wanted))
    return out


def growing(features: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features of which there is more once examples are joined: those that have rows, and masks of objects."""
    return {
        name: feature
        for name, feature in features.items()
        if isinstance(feature, ObjectMasks) or (feature.rows is not None and feature.spec.shape[0] is not None)
    }
