"""What a model of Keras's keeps of its functions, its layers and its evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def trace_anew(model: keras.Model) -> None:
    """Have ``fit`` make the function of a training step again: what it traced holds which layers are trained."""
    model.train_function = None


def layers_within(model: keras.Model) -> list[Any]:
    """All layers, those within layers included."""
    return list(model._flatten_layers())


def has_own_step(model: keras.Model) -> bool:
    """Whether a training step is something else than the derivative of one loss."""
    import keras

    return type(model).train_step is not keras.Model.train_step


def stop_evaluating(model: keras.Model) -> None:
    """Have an evaluation end after the batch that it is in."""
    model.stop_evaluating = True


def is_evaluation_stopped(model: keras.Model) -> bool:
    """Whether an evaluation was ended before its end."""
    return bool(model.stop_evaluating)


def does_nothing(hook: object) -> bool:
    """Whether a callback's method is Keras's own that does nothing, which Keras then does not call."""
    return bool(getattr(hook, "_is_default", False))


def mask_of(tensor: object) -> Any:
    """The mask of steps that Keras has put beside a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def takes_list(layer: keras.Layer) -> bool:
    """Whether a layer of several inputs takes them as one list."""
    import keras

    return isinstance(layer, (keras.layers.Dot, keras.layers.AdditiveAttention))


def is_of_generator(variable: Any) -> bool:
    """Whether a variable is the state of a random generator, as of dropout."""
    return "seed_generator" in variable.path


def name_outputs(model: keras.Model, names: list[str]) -> None:
    """Let the outputs of a model go by these names, in the order of its outputs."""
    model.output_names = names


def mean_by_weights(loss: keras.losses.Loss) -> None:
    """Let a loss divide by the sum of its samples' weights, not by their number."""
    loss.reduction = "mean_with_sample_weight"
