"""Weights out of TensorFlow Lite's files: kernels with their normalisation in them, quantised or not."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.backend.importers import opened
from archspec.backend.weights import assign, imported, match
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SPEC = """
archspec: 1
name: net
inputs: {image: [12, 12, 3]}
body:
  - conv_bn: {filters: 16, kernel: 3}
  # As many numbers as the first kernel, its taps in front, too.
  - {conv: 24, as: wide}
  - {depthwise_conv: {kernel: 3, multiplier: 2}, as: doubled}
  - {conv: 16, as: slim}
  - depthwise_conv: {kernel: 3, multiplier: 2}
  - conv_transpose: {filters: 6, kernel: 2, stride: 2}
  - conv: {filters: 16, kernel: 3, bias: false}
  - batch_norm: {center: false}
  - relu
  - flatten
  - {dense: {units: 4, bias: false}, as: narrow}
  - dense: {units: 5, activation: softmax}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network as TensorFlow's converter writes it: as it is, its larger kernels in 8 bits, and in half precision."""
    import tensorflow as tf

    folder, draw = tmp_path_factory.mktemp("tflite"), np.random.default_rng(0)
    graph = archspec.loads(SPEC)
    model = archspec.compile(graph)
    for weight in model.weights:
        values = draw.normal(size=weight.shape) * 0.2
        weight.assign(abs(values) + 0.5 if weight.name == "moving_variance" else values)
    model.export(str(folder / "saved"), format="tf_saved_model", verbose=False)
    for name, settings in (("float", {}), ("int8", {}), ("half", {"supported_types": [tf.float16]})):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
        if name != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        for key, value in settings.items():
            setattr(converter.target_spec, key, value)
        (folder / f"{name}.tflite").write_bytes(converter.convert())
    return graph, model, folder


@pytest.mark.parametrize(("name", "tolerance"), [("float", 1e-6), ("half", 2e-3), ("int8", 2e-2)])
def test_a_spec_computes_what_the_network_did(files, name, tolerance):
    graph, model, folder = files
    found = imported(folder / f"{name}.tflite", graph)
    copy = archspec.compile(graph)
    assign(copy, found.values)
    x = np.random.default_rng(1).normal(size=(4, 12, 12, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(copy(x)), np.asarray(model(x)), atol=tolerance)
    assert "as identities came conv_bn.batch_norm, batch_norm" in found.notes[0]


def test_numbers_of_8_bits_are_what_they_stand_for(files):
    """Each within half a step of what was quantised, the steps being of each output's own."""
    import tensorflow as tf

    _, model, folder = files
    kernel = np.asarray(model.get_layer("narrow").kernel)
    interpreter = tf.lite.Interpreter(str(folder / "int8.tflite"))
    (said,) = [
        t for t in interpreter.get_tensor_details() if t["dtype"] is np.int8 and tuple(t["shape"]) == kernel.shape[::-1]
    ]
    scales = said["quantization_parameters"]["scales"]
    (stored,) = [s for s in opened(folder / "int8.tflite").layers if s.arrays["kernel"].shape == kernel.shape]
    read = stored.arrays["kernel"].read()
    assert read.dtype == np.float32 and len(scales) in (1, 4)
    assert (np.abs(read - kernel) <= scales / 2 + 1e-7).all() and np.abs(read - kernel).max() > 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  - batch_norm: {center: false}\n", ""),
        ("filters: 6, kernel: 2", "filters: 7, kernel: 2"),
        ("  - relu\n", "  - batch_norm\n  - relu\n"),
        ("  - relu\n", "  - layer_norm\n  - relu\n"),
    ],
    ids=["a bias", "a shape", "a normalisation", "another kind"],
)
def test_another_network_is_refused(files, old, new):
    *_, folder = files
    assert old in SPEC
    with refuses(WeightsError):
        match(opened(folder / "float.tflite"), archspec.loads(SPEC.replace(old, new)))


def test_damaged_files_are_refused_or_give_the_same(files, tmp_path):
    graph, _, folder = files
    whole = (folder / "float.tflite").read_bytes()
    draw, path = np.random.default_rng(2), tmp_path / "net.tflite"
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for at in draw.integers(0, len(data), 3):
            data[at] ^= int(draw.integers(1, 256))
        path.write_bytes(data if draw.random() < 0.7 else whole[: int(draw.integers(0, len(whole)))])
        try:
            imported(path, graph)
        except WeightsError as error:
            refused += 1
            assert str(error).startswith(str(path))
    assert refused


BRANCHES = """
archspec: 1
name: net
inputs: {image: [6, 6, 2]}
body:
  - {conv: {filters: 2, kernel: 3}, from: image, as: a}
  - {conv: {filters: 2, kernel: 3}, from: image, as: b}
  - {conv: {filters: 3, kernel: 3}, from: b, as: c}
  - concat: [c, a]
"""


def test_the_order_of_branches_tells_nothing(tmp_path):
    """The numbers of a file's operations are given by who reads it."""
    import tensorflow as tf

    archspec.compile(archspec.loads(BRANCHES)).export(str(tmp_path / "saved"), format="tf_saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    for first in ("a", "b"):
        lines = BRANCHES.splitlines(keepends=True)
        if first == "b":
            lines[5], lines[6] = lines[6], lines[5]
        with pytest.raises(WeightsError, match="have one shape"):
            match(opened(tmp_path / "net.tflite"), archspec.loads("".join(lines)))


def test_a_convolution_of_single_positions_is_the_product_of_a_vector(files, tmp_path):
    """As networks for phones end, whose specs end in a dense layer."""
    head = "archspec: 1\nname: net\ninputs: {image: [4, 4, 3]}\nbody: [{conv: 5, as: a}, BODY]\n"
    written = archspec.compile(
        archspec.loads(head.replace("BODY", "global_avg_pool: {keep: true}, {conv: 7}, flatten"))
    )
    written.export(str(tmp_path / "net.tflite"), format="litert", verbose=False)
    graph = archspec.loads(head.replace("BODY", "global_avg_pool, {dense: 7}"))
    copy = archspec.compile(graph)
    assign(copy, imported(tmp_path / "net.tflite", graph).values)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(np.asarray(copy(x)), np.asarray(written(x)), atol=1e-6)


RECURRENT = """
archspec: 1
name: net
inputs: {x: [5, 3]}
body: [lstm: {units: 4, sequences: true}]
"""


def lstm_file(path, changes=()):
    """A file of an LSTM whose gates lie apart, as TensorFlow's converter writes one. ``changes``: other inputs, by
    their positions."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    draw, arrays = np.random.default_rng(0), {}
    for first, shape in ((1, (4, 3)), (5, (4, 4)), (12, (4,))):
        arrays |= {at: draw.normal(size=shape).astype("float32") for at in range(first, first + 4)}
    arrays |= dict(changes)
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.tensors, graph.operators = [], [operator]

    def tensor(shape, array=None, *, is_variable=False):
        kept = schema.TensorT()
        kept.name, kept.shape, kept.type = f"t{len(graph.tensors)}", list(shape), schema.TensorType.FLOAT32
        kept.isVariable, kept.buffer = is_variable, 0
        if array is not None:
            buffer = schema.BufferT()
            buffer.data = list(array.tobytes())
            kept.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(kept)
        return len(graph.tensors) - 1

    x = tensor((1, 5, 3))
    given = [arrays.get(at) for at in range(1, 24)]
    operator.inputs = [x, *(-1 if array is None else tensor(array.shape, array) for array in given)]
    operator.inputs[18:20] = [tensor((1, 4), is_variable=True), tensor((1, 4), is_variable=True)]
    operator.outputs = [tensor((1, 5, 4))]
    graph.inputs, graph.outputs = [x], operator.outputs
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    code.version, model.operatorCodes = 1, [code]
    operator.opcodeIndex, operator.builtinOptionsType = 0, schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions
    operator.builtinOptions = schema.UnidirectionalSequenceLSTMOptionsT()
    operator.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.TANH
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def test_an_lstm_computes_what_the_interpreter_does(tmp_path):
    import tensorflow as tf

    lstm_file(tmp_path / "net.tflite")
    graph = archspec.loads(RECURRENT)
    model = archspec.compile(graph)
    assign(model, imported(tmp_path / "net.tflite", graph).values)
    x = np.random.default_rng(1).normal(size=(1, 5, 3)).astype("float32")
    interpreter = tf.lite.Interpreter(str(tmp_path / "net.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    wanted = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.ptp(wanted) > 0.5
    np.testing.assert_allclose(np.asarray(model(x)), wanted, atol=1e-6)


@pytest.mark.parametrize("changes", [{9: np.ones(4, "float32")}, {1: None}], ids=["peepholes", "one gate less"])
def test_an_lstm_that_keras_lacks_is_refused(changes, tmp_path):
    lstm_file(tmp_path / "net.tflite", changes)
    with refuses(WeightsError):
        opened(tmp_path / "net.tflite")
