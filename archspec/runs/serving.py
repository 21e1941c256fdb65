"""A trained network together with what is done to an example before it, as one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.data.draw import Undrawn
from archspec.data.transform import Transform, TransformError
from archspec.data.transforms.geometric import Geometric, floats
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import keras

    from archspec.ops.base import Op


def with_preprocessing(
    model: keras.Model,
    raw: TensorSpec,
    steps: Sequence[Transform],
    activations: Mapping[str, Op],
    units: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    located: Sequence[str] = (),
) -> keras.Model:
    """A network that takes examples as the data have them, and gives probabilities: ``activations`` are what turns
    scores into such, by heads; numbers in the units of the data: ``units`` are the mean and deviation that a head was
    taught in; and boxes in pixels of the image that it is given, cut at its border: ``located`` are the heads that
    give boxes of what the network sees. It is for writing into a file; Keras saves no such layers.

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
            # LiteRT lacks tf.clip_by_value.
            inside = tf.maximum(tf.minimum(boxes, seen), 0.0)
            moved = tf.maximum(tf.minimum(inside * scale + origin, given), 0.0)
            return tf.where(tf.reduce_any(boxes != 0.0, -1, keepdims=True), moved, 0.0)

        def compute_output_spec(self, boxes: Any, values: Any) -> Any:
            return keras.KerasTensor(boxes.shape, dtype=boxes.dtype)

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
    for head in located:
        made[head] = InFile(dtype="float32", autocast=False)(made[head], given)
    return keras.Model(given, made if isinstance(outputs, dict) else made[model.output_names[0]], name=model.name)


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
