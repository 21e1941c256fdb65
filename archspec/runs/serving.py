"""A trained network together with what is done to an example before it, as one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.draw import Undrawn
from archspec.data.mask_values import VOID
from archspec.data.pasting import EDGE
from archspec.data.transform import Transform, TransformError
from archspec.data.transforms.geometric import Geometric, floats
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import keras

    from archspec.ops.base import Op


class Lying(NamedTuple):
    """The heads of a network whose outputs lie in what it sees."""

    boxes: Sequence[str] = ()
    filling: Sequence[str] = ()
    """Pictures that fill these boxes."""
    numbered: Sequence[str] = ()
    """The number of a segment at each pixel."""
    scored: Sequence[str] = ()
    """A score of each class at each pixel."""


NOTHING = Lying()


def with_preprocessing(
    model: keras.Model,
    raw: TensorSpec,
    steps: Sequence[Transform],
    activations: Mapping[str, Op],
    units: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    lying: Lying = NOTHING,
) -> keras.Model:
    """A network that takes examples as the data have them, and gives probabilities: ``activations`` are what turns
    scores into such, by heads; numbers in the units of the data: ``units`` are the mean and deviation that a head was
    taught in; and what lies in the image in its pixels: ``lying`` are the heads that give such. It is for writing into
    a file; Keras saves no such layers.

    Boxes are cut at the image's border, but for those that masks fill, which are as the network drew them. Beside
    scores of classes stands ``classes``, the number of the class at each pixel, (height, width) uint8, 255 for what the
    network did not see.

    Raises TransformError where a step is not to be had in other programs, or the network has several inputs.
    """
    import keras
    import tensorflow as tf

    class Preprocessing(keras.Layer):
        """The transforms, one after the other."""

        def call(self, values: object) -> Any:
            for step in steps:
                values = step.exported(values)
            return tf.ensure_shape(values, model.inputs[0].shape)

        def compute_output_spec(self, values: object) -> Any:
            return keras.KerasTensor(model.inputs[0].shape, dtype=model.inputs[0].dtype)

    class InFile(keras.Layer):
        """Boxes of what the network sees in pixels of the image before the transforms; empty rows stay empty."""

        def call(self, boxes: Any, values: Any) -> Any:
            shape = tf.shape(values)
            scale, origin, seen = _way_back(steps, (shape[1], shape[2]))
            given = tf.cast(tf.stack([shape[2], shape[1], shape[2], shape[1]]), tf.float32)
            moved = boxes * scale + origin
            if not filled:
                # LiteRT lacks tf.clip_by_value.
                inside = tf.maximum(tf.minimum(boxes, seen), 0.0)
                moved = tf.maximum(tf.minimum(inside * scale + origin, given), 0.0)
            return tf.where(tf.reduce_any(boxes != 0.0, -1, keepdims=True), moved, 0.0)

        def compute_output_spec(self, boxes: Any, values: Any) -> Any:
            return keras.KerasTensor(boxes.shape, dtype=boxes.dtype)

    class SegmentsInFile(keras.Layer):
        """Numbers of segments of what the network sees, (batch, h, w), at the pixels of the image before the
        transforms: those of the nearest, 0 for what is not seen."""

        def call(self, numbers: Any, values: Any) -> Any:
            lines = _lines(steps, tf.shape(values), tf.shape(numbers))
            for axis, (at, extent) in enumerate(lines, 1):
                near = tf.cast(tf.floor(at + 1e-4), tf.int32)
                inside = (near >= 0) & (near < extent)
                numbers = tf.gather(numbers, tf.maximum(tf.minimum(near, extent - 1), 0), axis=axis)
                numbers *= tf.reshape(tf.cast(inside, numbers.dtype), (1, -1, 1) if axis == 1 else (1, 1, -1))
            return numbers

        def compute_output_spec(self, numbers: Any, values: Any) -> Any:
            return keras.KerasTensor((numbers.shape[0], *values.shape[1:3]), dtype=numbers.dtype)

    class MaskInFile(keras.Layer):
        """Scores (batch, h, w, classes) of what the network sees, or of its middle, to the class of the highest at each
        pixel of the image before the transforms, between their pixels. Class by class: scores of all pixels of a photo
        would take much memory."""

        def call(self, scores: Any, values: Any) -> Any:
            (rows, high), (columns, wide) = _lines(steps, tf.shape(values), tf.shape(scores))
            above, below, down = _between(rows, high)
            left, right, across = _between(columns, wide)
            down, across = down[None, :, None], across[None, None]
            best = said = None
            for k in range(scores.shape[-1]):
                plane = scores[..., k]
                upper, lower = tf.gather(plane, above, axis=1), tf.gather(plane, below, axis=1)
                lines = upper * (1.0 - down) + lower * down
                value = tf.gather(lines, left, axis=2) * (1.0 - across) + tf.gather(lines, right, axis=2) * across
                if best is None:
                    best, said = value, tf.zeros_like(value, tf.int32)
                else:
                    said, best = tf.where(value > best, k, said), tf.maximum(best, value)
            lines_of = (rows, high), (columns, wide)
            seen = [(at > -EDGE) & (at < tf.cast(extent, tf.float32) + EDGE) for at, extent in lines_of]
            there = seen[0][None, :, None] & seen[1][None, None]
            return tf.cast(tf.where(there, said, VOID), tf.uint8)

        def compute_output_spec(self, scores: Any, values: Any) -> Any:
            return keras.KerasTensor((scores.shape[0], *values.shape[1:3]), dtype="uint8")

    if len(model.inputs) != 1:
        raise TransformError("the network has several inputs, of which only one could be prepared")
    given = keras.Input(raw.shape, dtype=raw.dtype, name=model.inputs[0].name)
    # What cannot be written is told before anything is.
    probe = tf.zeros((1, *(256 if n is None else n for n in raw.shape)), raw.dtype)
    for step in steps:
        probe = step.exported(probe)
    outputs = model(Preprocessing(dtype="float32", autocast=False)(given))
    named = outputs if isinstance(outputs, dict) else {model.output_names[0]: outputs}
    made = dict(named)
    for head, activation in activations.items():
        made[head] = activation.lower(TensorSpec(tuple(named[head].shape[1:])))(named[head])
    for head, (mean, deviation) in units.items():
        made[head] = keras.layers.Rescaling(list(deviation), list(mean), dtype="float32")(made[head])
    filled = any(head in made for head in lying.filling)
    for layer, heads in ((InFile, lying.boxes), (SegmentsInFile, lying.numbered)):
        for head in heads:
            if head in made:
                made[head] = layer(dtype="float32", autocast=False)(made[head], given)
    for head in lying.scored:
        made["classes" if "classes" not in made else f"{head}_classes"] = MaskInFile(dtype="float32", autocast=False)(
            made[head], given
        )
    is_alone = len(made) == 1 and not isinstance(outputs, dict)
    return keras.Model(given, made[model.output_names[0]] if is_alone else made, name=model.name)


def _way_back(steps: Sequence[Transform], size: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    """Where boxes (x1, y1, x2, y2) of what is seen of images of a height and width lie in these: what they are
    multiplied by, what is added then, and what they are at most, float32 of shape (4,) each. Of what can be written
    into files, nothing turns images or mirrors them."""
    import tensorflow as tf

    scale, origin = tf.ones((2,)), tf.zeros((2,))
    for step in steps:
        if isinstance(step, Geometric):
            motion = step.motion(size, Undrawn())
            factor = tf.stack([motion.matrix[0, 0, 0], motion.matrix[0, 1, 1]])
            # Middles of pixels are half a pixel from the edge that boxes count from.
            added = tf.stack([motion.matrix[0, 0, 2], motion.matrix[0, 1, 2]]) + 0.5 - 0.5 * factor
            scale, origin, size = scale * factor, scale * added + origin, motion.size
    height, width = floats(size)
    return tf.tile(scale, [2]), tf.tile(origin, [2]), tf.stack([width, height, width, height])


def _lines(steps: Sequence[Transform], given: Any, told: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Where the middles of the rows, and of the columns, of an image of the shape ``given`` lie in a picture of the
    shape ``told`` that is of the middle of what is seen, in pixels from its edge; and how many it has."""
    import tensorflow as tf

    scale, origin, seen = _way_back(steps, (given[1], given[2]))
    out = []
    for axis, k in ((1, 1), (2, 0)):
        extent = told[axis]
        margin = tf.floor((seen[k] - tf.cast(extent, tf.float32)) / 2.0)
        middle = tf.cast(tf.range(given[axis]), tf.float32) + 0.5
        out.append(((middle - origin[k]) / scale[k] - margin, extent))
    return out[0], out[1]


def _between(at: Any, extent: Any) -> tuple[Any, Any, Any]:
    """The two pixels of a line that each place lies between, and the share of the second."""
    import tensorflow as tf

    near = tf.maximum(tf.minimum(at - 0.5, tf.cast(extent - 1, tf.float32)), 0.0)
    first = tf.maximum(tf.minimum(tf.cast(near, tf.int32), extent - 2), 0)
    return first, tf.minimum(first + 1, extent - 1), near - tf.cast(first, tf.float32)
