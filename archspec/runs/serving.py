"""A trained network together with what is done to an example before it, as one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archspec.data.transform import Transform, TransformError
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
) -> keras.Model:
    """A network that takes examples as the data have them, and gives probabilities: ``activations`` are what turns
    scores into such, by heads; or numbers in the units of the data: ``units`` are the mean and deviation that a head
    was taught in. It is for writing into a file; Keras saves no such layers.

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
    return keras.Model(given, made if isinstance(outputs, dict) else made[model.output_names[0]], name=model.name)
