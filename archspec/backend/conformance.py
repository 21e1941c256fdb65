"""What tests of a package's own ops call: whether an op does in Keras what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archspec.backend.build import weight_name
from archspec.backend.installation import import_keras
from archspec.ir.tensors import TensorSpec, UnknownSize
from archspec.ops.base import Op, ports

if TYPE_CHECKING:
    import keras

BATCH = 2
TRIES = 20
"""Calls in training that are to find an op random."""
TOLERANCE = 1e-5
COSTS = ("macs", "flops", "transcendentals")


class ConformanceError(AssertionError):
    """An op is not in Keras what it says of itself; the message has a line for each difference."""


def check_op(op: Op, *inputs: TensorSpec | Sequence[int]) -> keras.Layer:
    """Build an op on inputs of these shapes (without the batch axis; float32, if nothing else is said) and compare
    what it says with what Keras makes of it: shapes, types, names and shapes of weights, which of them are trained,
    whether training draws, and whether a layer that is saved and read again gives the same.

    Returns the layer, built, whose values a test can compare with an implementation of its own. Raises ConformanceError
    with all that differs, OpError where the op refuses the inputs, MissingExtra without Keras.
    """
    keras = import_keras()
    specs = [x if isinstance(x, TensorSpec) else TensorSpec(tuple(x)) for x in inputs]
    layer = op.lower(*specs)
    given = [keras.Input(spec.shape, dtype=spec.dtype) for spec in specs]
    made = _call(layer, op, given)
    faults = [*_shapes(op, specs, made), *_weights(op, specs, layer), *_costs(op, specs)]
    if not faults:
        values = [_drawn(keras, spec, i) for i, spec in enumerate(specs)]
        faults += [*_saved(keras, op, layer, given, values), *_random(keras, op, layer, values)]
    if faults:
        raise ConformanceError(f"{op.name} of {', '.join(map(str, specs))}:\n" + "\n".join(f"  {f}" for f in faults))
    return layer


def _call(layer: Any, op: Op, tensors: Sequence[Any], **options: Any) -> tuple[Any, ...]:
    made = layer(list(tensors), **options) if ports(type(op))[2] else layer(*tensors, **options)
    return tuple(made) if isinstance(made, (tuple, list)) else (made,)


def _shapes(op: Op, specs: list[TensorSpec], made: tuple[Any, ...]) -> Iterator[str]:
    said = op.infer(*specs)
    outs = said if isinstance(said, tuple) else (said,)
    if len(outs) != len(made):
        yield f"infer says {len(outs)} outputs, Keras gives {len(made)}"
        return
    for i, (out, tensor) in enumerate(zip(outs, made, strict=True)):
        which = f"output {i}" if len(outs) > 1 else "the output"
        if out.shape != tuple(tensor.shape[1:]):
            yield f"infer says that {which} is {out}, Keras gives {TensorSpec(tuple(tensor.shape[1:]))}"
        if out.dtype != tensor.dtype:
            yield f"infer says that {which} is {out.dtype}, Keras gives {tensor.dtype}"


def _weights(op: Op, specs: list[TensorSpec], layer: Any) -> Iterator[str]:
    said = [(w.name, w.shape, w.trainable) for w in op.weights(*specs)]
    found = [(weight_name(w, layer.name), tuple(w.shape), bool(w.trainable)) for w in layer.weights]
    if said != found:
        yield f"weights says {_listed(said)}, Keras has {_listed(found)}"


def _listed(weights: list[tuple[str, tuple[int, ...], bool]]) -> str:
    return ", ".join(f"{n} {list(s)}{'' if t else ' (not trained)'}" for n, s, t in weights) or "none"


def _costs(op: Op, specs: list[TensorSpec]) -> Iterator[str]:
    out = op.infer(*specs)
    for rule in COSTS:
        try:
            count = getattr(op, rule)(out, *specs)
        except UnknownSize:
            continue
        if type(count) is not int or count < 0:
            yield f"{rule} must be a count, it gives {count!r}"


def _drawn(keras: object, spec: TensorSpec, seed: int) -> Any:
    import numpy as np

    shape = (BATCH, *(4 if n is None else n for n in spec.shape))
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(spec.dtype) if "float" in spec.dtype else np.ones(shape, spec.dtype)


def _arrays(keras: Any, made: tuple[Any, ...]) -> list[Any]:
    return [keras.ops.convert_to_numpy(value) for value in made]


def _saved(keras: Any, op: Op, layer: Any, given: list[Any], values: list[Any]) -> Iterator[str]:
    import numpy as np

    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(0.1, 1, w.shape).astype(w.dtype) for w in layer.weights])
    try:
        again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
        _call(again, op, given)
        again.set_weights(layer.get_weights())
        found = _arrays(keras, _call(again, op, values))
    except Exception as error:
        # Whatever stands in the way: the layer is not the package's alone to judge.
        yield f"the layer cannot be made again of its get_config: {type(error).__name__}: {str(error).splitlines()[0]}"
        return
    home, name = type(layer).__module__, keras.saving.get_registered_name(type(layer))
    if not home.startswith("keras.") and ">" not in name:
        yield f"Keras reads no file with the layer: {type(layer).__name__} needs register_keras_serializable(PACKAGE)"
    for first, second in zip(_arrays(keras, _call(layer, op, values)), found, strict=True):
        if not np.allclose(first, second, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            yield "a layer made of the layer's get_config gives other values: something is left out there"


def _random(keras: Any, op: Op, layer: Any, values: list[Any]) -> Iterator[str]:
    import inspect

    import numpy as np

    options = {"training": True} if "training" in inspect.signature(layer.call).parameters else {}
    state = layer.get_weights()
    first = _arrays(keras, _call(layer, op, values, **options))
    is_random = False
    for _ in range(TRIES):
        layer.set_weights(state)
        again = _arrays(keras, _call(layer, op, values, **options))
        is_random |= any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(first, again, strict=True))
    if is_random != op.is_random():
        yield f"is_random says {op.is_random()}, in training the output is {'drawn' if is_random else 'the same'}"
