"""Functions of TensorFlow between the layers of a Keras model, as files of before Keras 3 name them.

There ``x + y``, ``tf.nn.relu(x)`` and ``x[:, 0]`` are layers, ``TFOpLambda`` and ``SlicingOpLambda``, whose config has
the function's name below ``tf``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.backend.importers.keras_calls import LayerCall

KINDS = ("TFOpLambda", "SlicingOpLambda")
MODULES = ("", "math", "nn", "__operators__", "compat.v1")
FUNCTIONS = {
    **{name: name for name in ("add", "subtract", "multiply", "maximum", "minimum", "sqrt", "rsqrt", "square", "exp")},
    **{name: name for name in ("log", "abs", "negative", "relu", "relu6", "sigmoid", "tanh", "softmax", "softplus")},
    **{name: name for name in ("silu", "elu", "selu", "leaky_relu", "gelu", "reshape", "transpose", "expand_dims")},
    **{name: name for name in ("squeeze", "stack")},
    **{"truediv": "true_divide", "divide": "true_divide", "pow": "power", "concat": "concatenate"},
    **{f"reduce_{name}": name for name in ("mean", "sum", "max", "min")},
}
"""Name below ``tf``, without its module → that in ``keras.ops``."""
LAYERS = {"concat": "Concatenate", "subtract": "Subtract"}
"""Functions to which the order of tensors means what it means to a layer of Keras's."""
SECOND = "y"
ARGUMENTS = {"perm": "axes", "alpha": "negative_slope", "shape": "newshape"}
"""Arguments of other names in ``keras.ops``."""
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"gelu": {"approximate": False}, "leaky_relu": {"negative_slope": 0.2}}
"""Where TensorFlow's may differ from those of ``keras.ops``."""


def kind(call: LayerCall) -> str:
    """The class of a call's layer; of a function that of the layer which does the same with several tensors."""
    name = str(call.config.get("function", "")).rpartition(".")[2] if call.kind in KINDS else ""
    return LAYERS.get(name, call.kind)


def function(config: Mapping[str, Any]) -> Callable[..., Any] | None:
    """What such a layer computes from the arguments of its call; None where that is not known."""
    import keras

    module, _, name = str(config.get("function", "")).rpartition(".")
    if module == "__operators__" and name == "getitem":
        return lambda x, slice_spec: x[_index(slice_spec)]
    if module not in MODULES or name not in FUNCTIONS:
        return None
    computed = getattr(keras.ops, FUNCTIONS[name])

    def call(*args: Any, **kwargs: Any) -> Any:
        second = [kwargs.pop(SECOND)] if SECOND in kwargs else []
        said = {ARGUMENTS.get(k, k): v for k, v in kwargs.items() if v is not None and k != "name"}
        return computed(*args, *second, **{**DEFAULTS.get(name, {}), **said})

    return call


def _index(parts: object) -> Any:
    """What stands in brackets: numbers, and slices as a dict each."""

    def part(value: object) -> Any:
        if isinstance(value, dict):
            return slice(*(value.get(key) for key in ("start", "stop", "step")))
        return Ellipsis if value == "Ellipsis" else value

    return tuple(map(part, parts)) if isinstance(parts, list) else part(parts)
