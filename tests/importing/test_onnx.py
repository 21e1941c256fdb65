"""ONNX files: what comes out of them computes what onnxruntime computes, and what cannot be said is told by node."""

import random
from pathlib import Path

import pytest

import archspec
from archspec.importing import imported
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses, told

onnx = pytest.importorskip("onnx")
helper, FLOAT, INT = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def _model(nodes, shape, out=None, opset=17, dtype=FLOAT, **constants):
    """A model of nodes given as (operator, inputs, attributes); each takes the one before where its inputs are None."""
    import numpy as np

    made, last = [], "x"
    for number, (kind, taken, attributes) in enumerate(nodes):
        names = [last if name is None else name for name in (taken or [None])]
        outputs = attributes.pop("outputs", [f"t{number}"]) if attributes else [f"t{number}"]
        made.append(helper.make_node(kind, names, outputs, name=f"{kind.lower()}_{number}", **(attributes or {})))
        last = outputs[0]
    graph = helper.make_graph(
        made,
        "net",
        [helper.make_tensor_value_info("x", dtype, ["n", *shape])],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in out or [last]],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=9
    )


def _numbers(*shape, low=-1.0):
    import numpy as np

    return np.random.default_rng(sum(shape)).uniform(low, 1, shape).astype("f4")


def _ints(*values):
    import numpy as np

    return np.array(values, "int64")


def _float(value):
    import numpy as np

    return np.array(value, "f4")


MAP = (6, 8, 10)
"""Channels, height and width of the inputs."""
CASES = {
    "conv": lambda: (
        [
            ("Conv", [None, "w", "b"], {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
            ("Relu", None, None),
            ("Conv", [None, "v"], {"group": 2, "pads": [1, 0, 1, 0], "dilations": [2, 1]}),
            ("Conv", [None, "u"], {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 1]}),
        ],
        {"w": _numbers(4, 6, 3, 3), "b": _numbers(4), "v": _numbers(4, 2, 2, 1), "u": _numbers(8, 1, 3, 3)},
    ),
    "transposed conv": lambda: (
        [("ConvTranspose", [None, "w", "b"], {"strides": [2, 2], "pads": [1, 0, 1, 1], "output_padding": [1, 0]})],
        {"w": _numbers(6, 5, 3, 3), "b": _numbers(5)},
    ),
    "conv of a sequence": lambda: ([("Conv", [None, "w"], {"pads": [0, 2]})], {"w": _numbers(4, 6, 3)}, (6, 9)),
    "normalisation": lambda: (
        [
            ("BatchNormalization", [None, "a", "b", "c", "d"], {"epsilon": 0.01}),
            ("InstanceNormalization", [None, "a", "b"], {"epsilon": 0.02}),
            ("LRN", None, {"size": 3, "alpha": 0.1, "bias": 2.0}),
        ],
        {"a": _numbers(6), "b": _numbers(6), "c": _numbers(6), "d": _numbers(6, low=0.5)},
    ),
    "pools": lambda: (
        [
            (
                "AveragePool",
                None,
                {"kernel_shape": [3, 3], "strides": [1, 2], "auto_pad": "SAME_UPPER", "count_include_pad": 1},
            ),
            ("MaxPool", None, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
            ("AveragePool", None, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
            ("AveragePool", None, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}),
            ("MaxPool", None, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
            ("AveragePool", None, {"kernel_shape": [1, 2]}),
        ],
        {},
    ),
    "a mean and a dense layer": lambda: (
        [("GlobalAveragePool", None, None), ("Flatten", None, None), ("Gemm", [None, "w", "b"], {"transB": 1})],
        {"w": _numbers(3, 6), "b": _numbers(3)},
    ),
    "a map made flat": lambda: (
        [
            ("Relu", None, None),
            ("Conv", [None, "c"], None),
            ("Flatten", None, None),
            ("Sigmoid", None, None),
            ("Gemm", [None, "w", "b"], {"alpha": 0.5, "beta": 2.0}),
            ("Softmax", None, None),
        ],
        {"c": _numbers(2, 6, 1, 1), "w": _numbers(160, 3), "b": _numbers(3)},
    ),
    "a map made flat and kept": lambda: (
        [("Conv", [None, "c"], None), ("Reshape", [None, "s"], None), ("Tanh", None, None)],
        {"c": _numbers(2, 6, 1, 1), "s": _ints(0, -1)},
    ),
    "shapes that are computed": lambda: (
        [
            ("Conv", [None, "c"], {"outputs": ["y"]}),
            ("Shape", ["y"], None),
            ("Gather", [None, "zero"], {"axis": 0}),
            ("Unsqueeze", [None, "zeros"], None),
            ("Concat", [None, "rest"], {"axis": 0, "outputs": ["s"]}),
            ("Reshape", ["y", "s"], None),
            ("MatMul", [None, "w"], None),
        ],
        {"c": _numbers(2, 6, 1, 1), "zero": _ints(0)[0], "zeros": _ints(0), "rest": _ints(-1), "w": _numbers(160, 3)},
    ),
    "a shuffle": lambda: (
        [
            ("Conv", [None, "c"], None),
            ("Reshape", [None, "s"], None),
            ("Transpose", None, {"perm": [0, 2, 1, 3, 4]}),
            ("Reshape", [None, "t"], None),
            ("Conv", [None, "c"], None),
        ],
        {"c": _numbers(6, 6, 1, 1), "s": _ints(0, 2, 3, 8, 10), "t": _ints(0, 6, 8, 10)},
    ),
    "a skip": lambda: (
        [
            ("Conv", [None, "c"], {"outputs": ["y"]}),
            ("Relu", ["y"], {"outputs": ["z"]}),
            ("Add", ["z", "x"], {"outputs": ["u"]}),
            ("Sub", ["u", "y"], None),
            ("Concat", [None, "u"], {"axis": 1}),
            ("Max", [None, "half"], None),
        ],
        {"c": _numbers(6, 6, 1, 1), "half": _float(0.5)},
    ),
    "a gate of channels": lambda: (
        [
            ("GlobalAveragePool", ["x"], None),
            ("Conv", [None, "c"], None),
            ("HardSigmoid", None, {"alpha": 0.25}),
            ("Mul", ["x", None], None),
        ],
        {"c": _numbers(6, 6, 1, 1)},
    ),
    "gates": lambda: (
        [
            ("Conv", [None, "c"], {"outputs": ["y"]}),
            ("Sigmoid", None, None),
            ("Mul", [None, "y"], {"outputs": ["z"]}),
            ("HardSigmoid", None, {"alpha": 1 / 6}),
            ("Mul", ["z", None], {"outputs": ["m"]}),
            ("Softplus", None, None),
            ("Tanh", None, None),
            ("Mul", [None, "m"], {"outputs": ["g"]}),
            ("Div", ["g", "root"], None),
            ("Erf", None, None),
            ("Add", [None, "one"], None),
            ("Mul", ["g", None], None),
            ("Mul", [None, "half"], None),
        ],
        {"c": _numbers(6, 6, 1, 1), "root": _float(2**0.5), "one": _float(1), "half": _float(0.5)},
    ),
    "functions": lambda: (
        [
            ("LeakyRelu", None, {"alpha": 0.2}),
            ("Elu", None, {"alpha": 0.7}),
            ("Selu", None, None),
            ("PRelu", [None, "p"], None),
            ("Clip", [None, "low", "high"], None),
            ("HardSwish", None, None),
            ("Neg", None, None),
            ("Exp", None, None),
            ("Softsign", None, None),
            ("Log", None, None),
            ("Clip", [None, "zero", "six"], None),
        ],
        {"p": _numbers(6, 1, 1), "low": _float(-2), "high": _float(3), "zero": _float(0), "six": _float(6)},
    ),
    "constants beside tensors": lambda: (
        [
            ("Conv", [None, "c"], None),
            ("Mul", [None, "m"], None),
            ("Sub", [None, "s"], None),
            ("Div", [None, "d"], None),
            ("Div", ["two", None], None),
            ("Sub", ["two", None], None),
            ("Pow", [None, "two"], None),
        ],
        {"c": _numbers(6, 6, 1, 1), "m": _numbers(6, 1, 1), "s": _numbers(1, 6, 1, 1), "d": _numbers(6, 1, 1, low=0.5)}
        | {"two": _float(2)},
    ),
    "enlarged": lambda: (
        [
            ("Conv", [None, "c"], None),
            ("Resize", [None, "", "s"], {"mode": "nearest"}),
            ("Resize", [None, "", "s"], {"mode": "linear"}),
            ("Resize", [None, "", "z"], {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        ],
        {"c": _numbers(2, 6, 1, 1), "s": _float([1, 1, 2, 2]), "z": _float([1, 1, 2, 1.5])},
    ),
    "space and depth": lambda: (
        [
            ("SpaceToDepth", None, {"blocksize": 2}),
            ("DepthToSpace", None, {"blocksize": 2}),
            ("SpaceToDepth", None, {"blocksize": 2}),
            ("DepthToSpace", None, {"blocksize": 2, "mode": "CRD"}),
        ],
        {},
    ),
    "parts": lambda: (
        [
            ("Conv", [None, "c"], {"outputs": ["y"]}),
            ("Split", ["y", "parts"], {"axis": 1, "outputs": ["a", "b"]}),
            ("Slice", ["y", "one", "end", "one", "one"], {"outputs": ["s"]}),
            ("Concat", ["b", "a", "s"], {"axis": 1}),
            ("Slice", [None, "from", "to", "axes", "steps"], None),
            ("Pad", [None, "pads"], None),
            ("Pad", [None, "pads"], {"mode": "reflect"}),
        ],
        {"c": _numbers(6, 6, 1, 1), "parts": _ints(2, 4), "one": _ints(1), "end": _ints(-1)}
        | {"from": _ints(0, 1), "to": _ints(1000, 9), "axes": _ints(2, 3), "steps": _ints(2, 1)}
        | {"pads": _ints(0, 0, 1, 2, 0, 0, 2, 0)},
    ),
    "zeros before a convolution": lambda: (
        [("Pad", [None, "pads"], None), ("Conv", [None, "w"], {"strides": [2, 2]})],
        {"pads": _ints(0, 0, 1, 1, 0, 0, 0, 2), "w": _numbers(4, 6, 3, 3)},
    ),
    "sums over axes": lambda: (
        [
            ("Conv", [None, "c"], {"outputs": ["y"]}),
            ("ReduceMean", None, {"axes": [1], "outputs": ["m"]}),
            ("Sub", ["y", "m"], None),
            ("ReduceMax", None, {"axes": [3], "keepdims": 0}),
            ("ReduceMean", None, {"axes": [-1], "keepdims": 0}),
        ],
        {"c": _numbers(6, 6, 1, 1)},
    ),
    "channels last inside": lambda: (
        [
            ("Transpose", None, {"perm": [0, 2, 3, 1]}),
            ("MatMul", [None, "w"], None),
            ("Add", [None, "b"], None),
            ("LayerNormalization", [None, "g", "b"], None),
            ("Softmax", None, {"axis": 1}),
            ("Transpose", None, {"perm": [0, 3, 1, 2]}),
            ("Conv", [None, "c"], None),
        ],
        {"w": _numbers(6, 4), "b": _numbers(4), "g": _numbers(4), "c": _numbers(3, 4, 1, 1)},
    ),
    "places of an image as a sequence": lambda: (
        [
            ("Conv", [None, "c"], None),
            ("Reshape", [None, "s"], None),
            ("Transpose", None, {"perm": [0, 2, 1], "outputs": ["y"]}),
            ("Shape", ["x"], {"start": 0, "end": 1}),
            ("Concat", [None, "one", "six"], {"axis": 0, "outputs": ["n"]}),
            ("Expand", ["token", "n"], {"outputs": ["first"]}),
            ("Expand", ["mask", "n"], {"outputs": ["last"]}),
            ("Concat", ["first", "y"], {"axis": 1}),
            ("Add", [None, "places"], None),
            ("Mul", [None, "each"], None),
            ("Concat", [None, "last"], {"axis": 1}),
            ("MatMul", [None, "w"], None),
        ],
        {"c": _numbers(6, 6, 1, 1), "s": _ints(0, 6, -1), "one": _ints(1), "six": _ints(6), "mask": _numbers(6)}
        | {"token": _numbers(1, 1, 6), "places": _numbers(1, 81, 6), "each": _numbers(81, 6), "w": _numbers(6, 3)},
    ),
    "constants beside channels first": lambda: (
        [("Conv", [None, "c"], None), ("Add", [None, "map"], None), ("Mul", [None, "rows"], None)],
        {"c": _numbers(6, 6, 1, 1), "map": _numbers(1, 6, 8, 10), "rows": _numbers(8, 1)},
    ),
    "queries, keys and values of one product": lambda: (
        [
            ("MatMul", [None, "w"], None),
            ("Reshape", [None, "s"], None),
            ("Transpose", None, {"perm": [2, 0, 3, 1, 4], "outputs": ["all"]}),
            ("Gather", ["all", "zero"], {"axis": 0, "outputs": ["q"]}),
            ("Gather", ["all", "one"], {"axis": 0}),
            ("Transpose", None, {"perm": [0, 1, 3, 2]}),
            ("MatMul", ["q", None], None),
            ("Softmax", None, {"outputs": ["a"]}),
            ("Split", ["all", "split"], {"axis": 0, "outputs": ["p", "r", "v"]}),
            ("Squeeze", ["v", "zeros"], None),
            ("MatMul", ["a", None], None),
            ("Transpose", None, {"perm": [0, 2, 1, 3]}),
            ("Reshape", [None, "t"], None),
        ],
        {"w": _numbers(6, 24), "s": _ints(0, 5, 3, 2, 4), "t": _ints(0, 5, 8), "zero": _ints(0)[0], "one": _ints(1)[0]}
        | {"split": _ints(1, 1, 1), "zeros": _ints(0)},
        (5, 6),
    ),
    "heads that are one axis with the batch": lambda: (
        [
            ("Reshape", [None, "s"], None),
            ("Transpose", None, {"perm": [0, 2, 1, 3], "outputs": ["y"]}),
            ("Reshape", [None, "heads"], None),
            ("Transpose", None, {"perm": [0, 2, 1]}),
            ("Reshape", [None, "apart"], None),
            ("MatMul", ["y", None], None),
        ],
        {"s": _ints(0, 5, 2, 4), "heads": _ints(-1, 5, 4), "apart": _ints(-1, 2, 4, 5)},
        (5, 8),
    ),
    "products of tensors": lambda: (
        [("Transpose", None, {"perm": [0, 2, 1], "outputs": ["t"]}), ("MatMul", ["x", "t"], None)],
        {},
        (5, 7),
    ),
    "axes of one": lambda: (
        [
            ("GlobalMaxPool", None, None),
            ("Squeeze", [None, "places"], None),
            ("Unsqueeze", [None, "places"], None),
            ("Conv", [None, "c"], None),
            ("ReduceMean", None, {"axes": [2, 3], "keepdims": 0}),
        ],
        {"places": _ints(2, 3), "c": _numbers(3, 6, 1, 1)},
    ),
}


def _distance(path, found, shape):
    """How far outputs are from onnxruntime's, for inputs whose channels come first there and last here, or as there."""
    import numpy as np
    import onnxruntime

    from archspec.backend.weights import assign

    model = archspec.compile(found.graph)
    assign(model, found.weights)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("f4")
    (spec,) = found.graph.inputs.values()
    there = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    given = x if spec.shape == tuple(shape) else np.moveaxis(x, 1, -1)
    here = model(given)
    for ours, theirs in zip(here.values() if isinstance(here, dict) else [here], there, strict=True):
        ours = np.array(ours)
        ours = ours if ours.shape == theirs.shape else np.moveaxis(ours, -1, 1)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * max(1, np.abs(theirs).max()))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_onnxruntime(tmp_path, name):
    nodes, constants, *shape = CASES[name]()
    path = tmp_path / "net.onnx"
    onnx.save(_model(nodes, *(shape or [MAP]), **constants), path)
    _distance(path, imported(path, wants_weights=True), *(shape or [MAP]))


ROUND = """archspec: 1
name: net
inputs: {image: [16, 12, 3]}
body:
  - conv_bn: {filters: 8, stride: 2}
  - max_pool: {size: 3, stride: 2}
  - branches: [[conv: {filters: 4, kernel: 3}], [depthwise_conv: {padding: 1}, silu], []]
    merge: concat
  - {residual: [batch_norm, relu, conv: {filters: 20, kernel: 3}], repeat: 2}
  - {split: [4, 16], as: parts}
  - {conv_transpose: 6, from: "parts[1]", as: up}
  - {upsample: 2, from: "parts[0]"}
  - {concat: [prev, up]}
  - hard_swish
  - flatten
  - dense: 5
  - gelu
  - softmax
"""


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["lenet5", "resnet8_cifar", "written"])
def test_what_archspec_exports_comes_back_equal(tmp_path, name):
    import numpy as np

    from archspec.backend.onnx import write_onnx
    from archspec.frontend import loads

    graph = loads(ROUND) if name == "written" else archspec.load(name).inference()
    model = archspec.compile(graph)
    draw = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(weight + draw.uniform(0, 0.2, weight.shape))
    path = tmp_path / "net.onnx"
    write_onnx(model, path)
    found = imported(path, wants_weights=True)
    (here,), (there,) = found.graph.outputs, graph.outputs
    assert found.graph.spec(here.tensor).shape == graph.spec(there.tensor).shape
    shapes = {node.output.shape for node in graph.nodes if "conv" in node.op.name}
    assert shapes == {node.output.shape for node in found.graph.nodes if "conv" in node.op.name}
    from archspec.backend.weights import assign

    again = archspec.compile(found.graph)
    assign(again, found.weights)
    x = draw.normal(size=(2, *next(iter(graph.inputs.values())).shape)).astype("f4")
    np.testing.assert_allclose(np.array(again(x)), np.array(model(x)), atol=1e-5)


def test_weights_that_two_nodes_share_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nodes = [("Conv", [None, "c"], None), ("Relu", None, None), ("Conv", [None, "c"], None)]
    onnx.save(_model(nodes, MAP, c=_numbers(6, 6, 1, 1)), "net.onnx")
    found = imported(Path("net.onnx"))
    assert "conv: 6" not in found.text and found.text.count("conv") == 2
    told("\n".join(said.render() for said in found.warnings))


def test_zeros_that_count_in_a_mean_are_where_onnx_has_them(tmp_path):
    """ONNX's formula for SAME_UPPER: ((⌈n / s⌉ - 1) · s + k - n) zeros, the odd one behind."""
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER", "count_include_pad": 1}
    onnx.save(_model([("AveragePool", None, pool)], (1, 4, 5)), tmp_path / "net.onnx")
    (node,) = imported(tmp_path / "net.onnx").graph.nodes
    assert [list(pair) for pair in node.op.padding] == [[0, 1], [1, 1]]


ODD = {
    "unknown": ([("Einsum", None, {"equation": "ab->ba"})], {}),
    "another domain": ([("Conv", None, {"domain": "com.microsoft"})], {}),
    "windows with gaps": ([("MaxPool", None, {"kernel_shape": [2, 2], "dilations": [2, 2]})], {}),
    "a computed kernel": ([("Relu", None, {"outputs": ["r"]}), ("Conv", ["x", "r"], None)], {}),
    "the batch": ([("Softmax", None, {"axis": 0})], {}),
    "the batch moved": ([("Transpose", None, {"perm": [1, 0, 2, 3]})], {}),
    "the batch mixed": ([("Reshape", [None, "s"], None)], {"s": [2, -1]}),
    "kernel for each axis": ([("AveragePool", None, {"kernel_shape": [2, 2], "pads": [1]})], {}),
    "backwards": ([("Slice", [None, "s", "e", "a", "t"], None)], {"s": [9], "e": [0], "a": [2], "t": [-1]}),
    "two rows": ([("Gemm", [None, "w"], None)], {"w": [[1, 2]]}),
    "a mean without padding": ([("AveragePool", None, {"kernel_shape": [4, 4], "pads": [0, 3, 0, 0]})], {}),
    "tf's resize": (
        [("Resize", [None, "", "s"], {"mode": "cubic", "cubic_coeff_a": -0.5})],
        {"s": [1.0, 1.0, 2.0, 2.0]},
    ),
    "the nearest above": (
        [("Resize", [None, "", "s"], {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "ceil"})],
        {"s": [1.0, 1.0, 2.0, 2.0]},
    ),
    "a mean of an open size": (
        [
            (
                "AveragePool",
                None,
                {"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_UPPER", "count_include_pad": 1},
            )
        ],
        {},
        (3, "length"),
    ),
    "a constant of a batch": ([("Add", [None, "c"], None)], {"c": [[1.0] * 3, [2.0] * 3]}, (3,)),
    "a constant of a batch of numbers": ([("Mul", [None, "c"], None)], {"c": [1.0, 2.0]}, ()),
    "slopes without channels": ([("PRelu", [None, "s"], None)], {"s": [0.5]}, ()),
    "no channels": ([("GlobalAveragePool", None, None)], {}, ()),
    "only constants": ([("Add", ["s", "s"], None)], {"s": [1.0]}),
    "computed places": ([("Flatten", None, None), ("TopK", [None, "k"], {"outputs": ["a", "b"]})], {"k": [2]}),
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_spec_says_is_told_by_its_node(tmp_path, monkeypatch, name):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    nodes, constants, *shape = ODD[name]
    arrays = {k: np.array(v, "int64" if isinstance(v[0], int) else "f4") for k, v in constants.items()}
    onnx.save(_model([(a, b, c and dict(c)) for a, b, c in nodes], *(shape or [MAP]), **arrays), "net.onnx")
    with refuses(SpecError):
        imported(Path("net.onnx"))


@pytest.mark.parametrize("data", [b"", b"\x08\x09", b"no protobuf", b"\xff" * 64])
def test_other_files_are_told_so(tmp_path, data):
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(SpecError) as caught:
        imported(tmp_path / "net.onnx")
    assert [said.code for said in caught.value.diagnostics] == ["I01"]


def test_a_constant_that_would_be_huge_is_not_made(tmp_path):
    nodes = [("ConstantOfShape", ["s"], {"outputs": ["c"]}), ("Add", ["x", "c"], None)]
    onnx.save(_model(nodes, MAP, s=_ints(1 << 20, 1 << 20, 1 << 10)), tmp_path / "net.onnx")
    with pytest.raises(SpecError):
        imported(tmp_path / "net.onnx")


@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_file_gets_an_answer(tmp_path, seed):
    draw = random.Random(seed)
    nodes, constants, *shape = CASES[draw.choice([*CASES])]()
    data = bytearray(_model(nodes, *(shape or [MAP]), **constants).SerializeToString())
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data))
        data[at : at + draw.randint(0, 3)] = bytes(draw.randrange(256) for _ in range(draw.randint(0, 3)))
    (tmp_path / "net.onnx").write_bytes(data)
    try:
        imported(tmp_path / "net.onnx", wants_weights=True)
    except SpecError as error:
        assert all(len(said.message) < 600 for said in error.diagnostics)


@pytest.mark.parametrize("seed", range(150))
def test_nodes_that_are_changed_get_an_answer(tmp_path, seed):
    """Attributes and operands of other kinds, in a file that is one."""
    draw = random.Random(seed)
    nodes, constants, *shape = CASES[draw.choice([*CASES])]()
    model = _model(nodes, *(shape or [MAP]), **constants)
    tensors = ["x", "", *constants, *(out for node in model.graph.node for out in node.output)]
    for _ in range(draw.randint(1, 3)):
        node = draw.choice(model.graph.node)
        match draw.randrange(4):
            case 0 if node.attribute:
                node.attribute.remove(draw.choice(node.attribute))
            case 1 if node.input:
                node.input[draw.randrange(len(node.input))] = draw.choice(tensors)
            case 2 if node.attribute:
                name = draw.choice(node.attribute).name
                del node.attribute[:]
                value = draw.choice([0, -1, 1 << 40, 3, 0.5, "x", [1], [0, 0, 0, 0], [1 << 40] * 4, [2, 2]])
                node.attribute.append(helper.make_attribute(name, value))
            case _:
                node.op_type = draw.choice(["Relu", "Conv", "Gemm", "Flatten", "Reshape", "Slice", "Concat", "Squeeze"])
    onnx.save(model, tmp_path / "net.onnx")
    try:
        imported(tmp_path / "net.onnx", wants_weights=True)
    except SpecError as error:
        assert all(len(said.message) < 600 for said in error.diagnostics)
