"""Layers as a Keras file describes them, made to be compared with a spec's.

Nothing is made but layers of Keras's and of archspec's that compute from numbers alone, from arguments that are numbers
and plain words. What would run code, open a file or look into another package is Incomparable.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archspec.backend.importers import tensorflow_functions
from archspec.backend.importers.keras_calls import LayerCall, module_of

LAYERS = frozenset(
    (
        *("Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout", "Attention"),
        *("Average", "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop", "Concatenate"),
        *("Dense", "Dot", "Dropout", "ELU", "EinsumDense", "Embedding", "Flatten", "GRU", "GRUCell"),
        *("GaussianDropout", "GaussianNoise", "GroupNormalization", "GroupQueryAttention", "Identity", "LSTM"),
        *("LSTMCell", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum", "MultiHeadAttention"),
        *("Multiply", "Normalization", "PReLU", "Permute", "RMSNormalization", "RNN", "ReLU", "RepeatVector"),
        *("Rescaling", "Reshape", "Resizing", "ReversibleEmbedding", "SimpleRNN", "SimpleRNNCell", "Softmax"),
        *("StackedRNNCells", "Subtract", "TimeDistributed", "UnitNormalization", "RandomBrightness"),
        *("RandomContrast", "RandomCrop", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
    )
)
"""Layers that have one form for any number of axes."""
EXPORTED = {"GroupedQueryAttention": "GroupQueryAttention"}
"""Classes that Keras offers under another name than their own."""
FOR_RANKS = re.compile(
    r"(Conv|DepthwiseConv|SeparableConv|ConvLSTM|(Adaptive|Global)?(Average|Max)Pooling|Cropping|SpatialDropout|UpSampling"
    r"|ZeroPadding)[123]D|Conv[123]DTranspose"
)
UNUSED = frozenset(
    (
        *("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_dtype", "implementation", "fused"),
        *("quantization_config", "seed", "use_cudnn", "flash_attention", "input_length"),
        *("query_shape", "key_shape", "value_shape"),
    )
)
"""Arguments that say nothing of what is computed from the weights."""
TRAINING = ("_initializer", "_regularizer", "_constraint")
EXTENTS = frozenset(
    (
        *("units", "filters", "kernel_size", "input_dim", "output_dim", "num_heads", "key_dim", "value_dim"),
        *("depth_multiplier", "head_dim", "num_query_heads", "num_key_value_heads"),
    )
)
"""Arguments that are extents of arrays."""
OTHER_NAMES = {"alpha": "negative_slope"}
"""Arguments of before Keras 3 and their names now."""
NO_OPS = frozenset(
    (
        *("associative_scan", "cond", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch", "vectorize"),
        *("vectorized_map", "while_loop", "convert_to_numpy", "convert_to_tensor"),
    )
)
"""Functions of ``keras.ops`` that take functions, or give no tensor."""


class Incomparable(Exception):
    """What a layer computes is not known, and why."""


def made(call: LayerCall, version: str, shapes: tuple[tuple[int, ...], ...] = ()) -> Callable[..., Any]:
    """The layer of a call, not yet built, or its function of ``keras.ops``. ``shapes`` are those of its arrays.

    Raises Incomparable.
    """
    import keras

    if call.module.startswith("keras.src.ops") or call.module == "keras.ops":
        return _operation(call)
    if call.kind in tensorflow_functions.KINDS:
        if found := tensorflow_functions.function(call.config):
            return found
        raise Incomparable(f"it is tf.{call.config.get('function')}, which archspec does not know")
    if call.kind == "CustomScaleLayer" and call.module.startswith("keras"):  # of Keras's Inception-ResNet
        scale = float(call.config.get("scale", 1.0))
        return lambda inputs: inputs[0] + inputs[1] * scale
    known = {n for shape in shapes for n in shape} | {1}
    if odd := [n for n in _extents(call.config) if n not in known] if shapes else []:
        raise Incomparable(f"no array of it has the extent {odd[0]} of its arguments")
    try:
        layer = _layer(call.kind, call.module, call.config, version)
    except Incomparable:
        raise
    except Exception as error:
        raise Incomparable(f"Keras {keras.__version__} does not make it: {first_line(error)}") from None
    return layer  # type: ignore[no-any-return]


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()


def _extents(config: Mapping[str, Any]) -> Iterator[int]:
    for key, value in config.items():
        if key in EXTENTS:
            yield from (n for n in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(n, int))
        elif isinstance(value, dict) and isinstance(value.get("config"), dict):
            yield from _extents(value["config"])


def _layer(kind: str, module: str, config: Mapping[str, Any], version: str) -> Any:
    import keras

    own = keras.saving.get_registered_object(f"archspec>{kind}") if module.startswith("archspec") else None
    kind = EXPORTED.get(kind, kind)
    if own is None and not (module.startswith("keras") and (kind in LAYERS or FOR_RANKS.fullmatch(kind))):
        raise Incomparable("it is not a Keras layer that archspec knows to be free of state")
    cls = own or getattr(keras.layers, kind, None)
    if cls is None:
        raise Incomparable(f"Keras {keras.__version__} has no such layer")
    takes = {name for base in cls.__mro__ if base is not keras.layers.Layer for name in _parameters(base)}
    arguments: dict[str, Any] = {}
    for key, value in config.items():
        if key in UNUSED or key.endswith(TRAINING) or key == "activity_regularizer":
            continue
        name = key if key in takes else OTHER_NAMES.get(key, key)
        if name in takes:
            arguments[name] = _argument(key, value, version)
        elif value not in (None, False, 1, 0, [], ""):
            raise Incomparable(f"it has {key} {value!r}, which Keras {keras.__version__} does not know")
    if kind == "BatchNormalization" and isinstance(arguments.get("axis"), list):
        (arguments["axis"],) = arguments["axis"]
    layer = cls(**arguments, **({"dtype": "float32"} if issubclass(cls, keras.layers.Layer) else {}))
    return layer


def _parameters(cls: type) -> Iterator[str]:
    if "__init__" in cls.__dict__:
        yield from (
            p.name for p in inspect.signature(cls.__dict__["__init__"]).parameters.values() if p.kind != p.VAR_KEYWORD
        )


def _argument(key: str, value: Any, version: str) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            if key.endswith("activation") or key == "activation":
                return _function(value, version)
            if re.fullmatch(r"[A-Za-z_0-9,.>()\- ]{1,64}", value):
                return value
        case list() | tuple():
            return [_argument(key, item, version) for item in value]
        case {"class_name": "function", "config": str(name)}:
            return _function(name, version)
        case {"class_name": str(kind), "config": dict(config)}:
            return _layer(kind, module_of(value), config, version)
    raise Incomparable(f"its {key} is not a number, a word or a layer")


def _function(name: str, version: str) -> Any:
    import keras

    if name == "hard_sigmoid" and version[:2] in ("1.", "2."):
        return lambda x: keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)
    function = getattr(keras.activations, name, None) if re.fullmatch("[a-z_0-9]+", name) else None
    if not callable(function) or name in ("get", "serialize", "deserialize"):
        raise Incomparable(f"its function {name!r} is none of Keras's")
    return function


def _operation(call: LayerCall) -> Callable[..., Any]:
    """A function of ``keras.ops``, which a file names by the class behind it."""
    import keras

    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", call.kind).lower()
    given = {k: _plain(k, v) for k, v in call.config.items() if k != "name"}
    if name == "get_item":
        return lambda x, key: x[tuple(key) if isinstance(key, list) else key]
    function = getattr(keras.ops, name, None)
    if not callable(function) or name in NO_OPS or not call.taken:
        raise Incomparable("it is a function that archspec does not know")
    return lambda *args, **kwargs: function(*args, **{**given, **kwargs})


def _plain(key: str, value: object) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return tuple(_plain(key, item) for item in value)
    raise Incomparable(f"its {key} is neither numbers nor words")
