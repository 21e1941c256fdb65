"""Every row of every op: the static rules equal Keras, and the outputs equal an independent implementation."""

import importlib
import json
import pkgutil
import zlib
from collections import defaultdict

import keras
import numpy as np
import pytest

from archspec.backend.seams.models import takes_list
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError, ports
from archspec.ops.reach import POINT
from tests.ops import rows

pytestmark = [pytest.mark.tensorflow, pytest.mark.processors]

ROWS = [
    row
    for module in pkgutil.iter_modules(rows.__path__)
    for row in importlib.import_module(f"{rows.__name__}.{module.name}").ROWS
]
BATCH = 2


def declared(row):
    op = Op.find(row.op).model_validate(row.args)
    dtypes = row.dtypes or (row.dtype,) * len(row.inputs)
    return op, [TensorSpec(shape, dtype) for shape, dtype in zip(row.inputs, dtypes, strict=True)]


def each_row(rows):
    """Parameters: each row, by its name."""
    return [pytest.param(row, id=str(row)) for row in rows]


def each_kind(rows, shown, *, axes=True):
    """Parameters: as ``fewest_fast``, and slow is the first row of each op with each choice of arguments, whatever
    their values, of one answer to whether it is random and one number of ``axes``. Others are long: what they show
    beyond these, their outputs show.
    """
    met, out, fast = set(), [], fewest(rows, shown)
    for row, parameter in zip(rows, fewest_fast(rows, shown), strict=True):
        kind = (row.op, *sorted(row.args), declared(row)[0].is_random(), *(map(len, row.inputs) if axes else ()))
        again = [pytest.mark.long] if kind in met and str(row) not in fast else []
        out.append(pytest.param(row, id=str(row), marks=[*parameter.marks, *again]))
        met.add(kind)
    return out


def fewest_fast(rows, shown):
    """Parameters: each row, slow but for the fewest that show all."""
    fast = fewest(rows, shown)
    return [pytest.param(row, id=str(row), marks=[] if str(row) in fast else [pytest.mark.slow]) for row in rows]


def fewest(rows, shown):
    """Names of few rows of each op, or of all activations, that have all among them that is ``shown`` by one."""
    fast: set[str] = set()
    together: defaultdict[str, list[tuple[str, set]]] = defaultdict(list)
    for row in rows:
        together[its_kind(row)].append((str(row), shown(row)))
    for of in together.values():
        left = set().union(*(has for _, has in of))
        while left:
            name, has = max(of, key=lambda one: len(one[1] & left))
            fast.add(name)
            left -= has
    return fast


def its_kind(row):
    """The op's name; of activations that work element by element the shapes, the reach and the masks are the same."""
    op, specs = declared(row)
    is_pointwise = all(reach == POINT for axes in op.reach(*specs) for reach in axes or (None,))
    return "activation" if op.is_activation and is_pointwise else row.op


def its_name(row):
    return {its_kind(row)}


def its_answer(row):
    """Whether it says that it is random."""
    return {its_kind(row), declared(row)[0].is_random()}


def its_arguments(row):
    return its_answer(row) | set(row.args)


def its_choices(row):
    """Its arguments, and each value of those that choose one of a few."""
    chosen = {(name, value) for name, value in row.args.items() if isinstance(value, str | bool)}
    return its_arguments(row) | chosen | {row.op}


@pytest.mark.parametrize("row", fewest_fast(ROWS, its_choices))
def test_static_equals_keras_and_output_equals_oracle(row):
    op, specs = declared(row)
    outs = as_tuple(op.infer(*specs))
    layer = op.lower(*specs)
    y = call(layer, op, [keras.Input(s.shape, dtype=s.dtype) for s in specs])
    assert [t.shape[1:] for t in as_tuple(y)] == [o.shape for o in outs]
    assert [t.dtype for t in as_tuple(y)] == [o.dtype for o in outs]
    weights = op.weights(*specs)
    assert [(path_below(layer, w), tuple(w.shape)) for w in layer.weights] == [(w.name, w.shape) for w in weights]
    assert [w.trainable for w in layer.weights] == [w.trainable for w in weights]
    assert layer.count_params() == sum(w.size for w in weights)

    values, inputs = fill(layer, row), draw(row)
    found = arrays(call(layer, op, inputs))
    assert_close(found, row.oracle(values, *inputs), row.tolerance)

    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    # Built from what it says of its inputs, as in a file: no input is shown to it.
    assert [path_below(again, w) for w in again.weights] == [w.name for w in weights]
    again.set_weights(layer.get_weights())
    assert_close(arrays(call(again, op, inputs)), found, 1e-6)


UNMASKED = [row for row in ROWS if Op.find(row.op).lower_unmasked is not Op.lower_unmasked]


@pytest.mark.parametrize("row", each_kind(UNMASKED, its_name))
def test_where_no_step_is_masked_a_layer_of_keras_computes_the_same(row):
    """With the same weights; open sizes included where they are accepted."""
    op, specs = declared(row)
    opened = [TensorSpec((*(None,) * (s.rank - 1), *s.shape[-1:]), s.dtype) for s in specs]
    for given in (specs, opened):
        try:
            outs = as_tuple(op.infer(*given))
        except OpError:
            continue
        layer = op.lower_unmasked(*given)
        if layer is None:
            continue
        assert type(layer).__module__.startswith("keras.")
        y = call(layer, op, [keras.Input(s.shape, dtype=s.dtype) for s in given])
        assert [(t.shape[1:], t.dtype) for t in as_tuple(y)] == [(o.shape, o.dtype) for o in outs]
        weights = op.weights(*given)
        assert [(path_below(layer, w), tuple(w.shape)) for w in layer.weights] == [(w.name, w.shape) for w in weights]
        values, inputs = fill(layer, row), draw(row)
        assert_close(arrays(call(layer, op, inputs)), row.oracle(values, *inputs), row.tolerance)


def test_some_rows_of_every_such_op_have_a_layer_of_keras():
    found = {row.op for row in UNMASKED if Op.find(row.op).model_validate(row.args).lower_unmasked(*declared(row)[1])}
    assert found == {row.op for row in UNMASKED}


@pytest.mark.parametrize("row", each_kind(ROWS, its_name))
def test_open_sizes_that_are_accepted_work_in_a_graph(row):
    """All axes but the last open: what ``infer`` then leaves open or knows must be what TensorFlow finds."""
    import tensorflow as tf

    op, specs = declared(row)
    if all(s.rank < 2 for s in specs):
        pytest.skip("nothing to leave open")
    opened = [TensorSpec((*(None,) * (s.rank - 1), *s.shape[-1:]), s.dtype) for s in specs]
    try:
        outs = as_tuple(op.infer(*opened))
    except OpError:
        pytest.skip("needs known sizes")
    layer = op.lower(*opened)
    y = call(layer, op, [keras.Input(s.shape, dtype=s.dtype) for s in opened])
    assert [t.shape[1:] for t in as_tuple(y)] == [o.shape for o in outs]
    values, inputs = fill(layer, row), draw(row)
    signature = [tf.TensorSpec((None, *s.shape), s.dtype) for s in opened]
    graph = tf.function(lambda *xs: call(layer, op, list(xs)), input_signature=signature)
    assert_close(arrays(graph(*inputs)), row.oracle(values, *inputs), row.tolerance)


def test_every_op_has_a_row():
    assert sorted(set(Op.names()) - {row.op for row in ROWS}) == []


def call(layer, op, inputs):
    """Merges, and what Keras says so of, take a list; all others their ports in order."""
    return layer(inputs) if ports(type(op))[2] or takes_list(layer) else layer(*inputs)


def path_below(layer, weight):
    return weight.path.removeprefix(layer.name + "/")


def fill(layer, row):
    """Random weights, also returned by name; variances are positive."""
    rng = np.random.default_rng(zlib.crc32(str(row).encode()))
    values = {}
    for weight in layer.weights:
        value = rng.normal(0.0, 1.0, weight.shape)
        value = (0.5 + np.abs(value) if "variance" in weight.path else value).astype("float32")
        weight.assign(value)
        values[path_below(layer, weight)] = value
    return values


def draw(row):
    rng = np.random.default_rng(zlib.crc32(repr(row.inputs).encode()))
    shapes = [(BATCH, *shape) for shape in row.inputs]
    if row.draw:
        draws = row.draw if isinstance(row.draw, tuple) else (row.draw,) * len(shapes)
        return [draw(rng, shape) for draw, shape in zip(draws, shapes, strict=True)]
    dtypes = row.dtypes or (row.dtype,) * len(shapes)
    return [
        rng.integers(0, row.maximum, shape).astype(dtype)
        if "int" in dtype
        else rng.normal(0.0, 1.0, shape).astype(dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]


def as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def arrays(value):
    return [keras.ops.convert_to_numpy(v) for v in as_tuple(value)]


def assert_close(found, expected, tolerance):
    expected = [np.asarray(e) for e in as_tuple(expected)]
    assert [f.shape for f in found] == [e.shape for e in expected]
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(e).max(initial=0.0))))
