"""Caffe's files: what comes out of them computes what Caffe computes; what cannot be said is told at its line."""

import random
from pathlib import Path

import pytest

import archspec
from archspec.importing import imported
from archspec.ir.diagnostics import SpecError
from tests.importing.test_darknet import _compiled, _outputs
from tests.wording import refuses, told


def _layer(kind, name, bottoms, top=None, **params):
    """A layer as it is written: messages as dicts, repeated fields as lists."""
    lines = [f'layer {{ name: "{name}" type: "{kind}"', *(f'bottom: "{b}"' for b in bottoms), f'top: "{top or name}"']
    return " ".join([*lines, *(_field(key, value) for key, value in params.items()), "}"]) + "\n"


def _field(key, value):
    match value:
        case dict():
            return f"{key} {{ {' '.join(_field(k, v) for k, v in value.items())} }}"
        case list():
            return " ".join(_field(key, item) for item in value)
        case bool():
            return f"{key}: {str(value).lower()}"
    return f"{key}: {value}"


HEAD = 'name: "small"\ninput: "data"\ninput_dim: 1 input_dim: 3 input_dim: 13 input_dim: 17  # as before 2015\n'


def _conv(name, bottom, filters, kernel, **more):
    param = {"num_output": filters, "kernel_size": kernel, **more}
    return _layer("Convolution", name, [bottom], convolution_param=param)


def _small():
    """(text, what the layers compute: (kind, name, bottoms, numbers))."""
    return HEAD + "".join(
        [
            _conv("c1", "data", 6, 3, stride=2, pad=1, bias_term=False),
            _layer("BatchNorm", "bn1", ["c1"], "c1", batch_norm_param={"eps": 0.001}),
            _layer("Scale", "s1", ["c1"], "c1", scale_param={"bias_term": True}),
            _layer("ReLU", "r1", ["c1"], "c1"),
            _layer("Pooling", "p1", ["c1"], pooling_param={"pool": "MAX", "kernel_size": 3, "stride": 2}),
            _layer("Pooling", "p2", ["c1"], pooling_param={"pool": "AVE", "kernel_size": 3, "stride": 2, "pad": 1}),
            _layer("LRN", "n1", ["p1"], lrn_param={"local_size": 3, "alpha": 0.5}),
            _conv("c2", "n1", 6, 3, pad=1, group=6),
            _layer("Eltwise", "e1", ["c2", "p1"], eltwise_param={"operation": "SUM", "coeff": [1, -0.5]}),
            _layer("PReLU", "r2", ["e1"]),
            _layer("Concat", "k1", ["r2", "n1"]),
            _layer("Scale", "s2", ["k1"], scale_param={"bias_term": False}),
            _layer("Dropout", "d1", ["s2"], dropout_param={"dropout_ratio": 0.4}),
            _layer("InnerProduct", "f1", ["d1"], inner_product_param={"num_output": 5}),
            _layer("Softmax", "prob", ["f1"]),
            _layer("Flatten", "flat", ["p2"]),
        ]
    )


def _blobs(draw):
    """Layer → its blobs."""

    def numbers(*shape):
        return draw.uniform(0.1, 1, shape)

    return {
        "c1": [numbers(6, 3, 3, 3)],
        "bn1": [numbers(6), numbers(6), numbers(1)],
        "s1": [numbers(6), numbers(6)],
        "c2": [numbers(6, 1, 3, 3), numbers(6)],
        "r2": [numbers(6)],
        "s2": [numbers(12)],
        "f1": [numbers(5, 12 * 3 * 4) - 0.5, numbers(5)],
    }


def _kinds():
    return {"c1": "Convolution", "bn1": "BatchNorm", "s1": "Scale", "c2": "Convolution"} | {
        "r2": "PReLU",
        "s2": "Scale",
        "f1": "InnerProduct",
    }


def _model_file(path, blobs):
    import numpy as np

    from tests.backend import caffe

    kinds = caffe.messages()
    net = kinds["NetParameter"](name="small")
    for name, arrays in blobs.items():
        layer = net.layer.add(name=name, type=_kinds()[name])
        for array in arrays:
            blob = layer.blobs.add(data=np.asarray(array, "f4").reshape(-1).tolist())
            blob.shape.dim.extend(array.shape)
    path.write_bytes(net.SerializeToString())


def _computed(x, blobs):
    """What Caffe computes of the small network: after its C++, with loops."""
    import numpy as np

    def conv(x, kernel, bias, stride, pad, groups):
        c, h, w = x.shape
        n, _, k, _ = kernel.shape
        p = np.zeros((c, h + 2 * pad, w + 2 * pad))
        p[:, pad : pad + h, pad : pad + w] = x
        y = np.zeros((n, (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1))
        for o in range(n):
            own = slice(o // (n // groups) * (c // groups), (o // (n // groups) + 1) * (c // groups))
            for i in range(y.shape[1]):
                for j in range(y.shape[2]):
                    part = p[own, i * stride : i * stride + k, j * stride : j * stride + k]
                    y[o, i, j] = (part * kernel[o]).sum() + bias[o]
        return y

    def pool(x, k, s, pad, mean):
        c, h, w = x.shape
        sizes = []
        for n in (h, w):
            size = int(np.ceil((n + 2 * pad - k) / s)) + 1
            sizes.append(size - 1 if pad and (size - 1) * s >= n + pad else size)
        y = np.zeros((c, *sizes))
        for i in range(sizes[0]):
            for j in range(sizes[1]):
                a, b = i * s - pad, j * s - pad
                count = (min(a + k, h + pad) - a) * (min(b + k, w + pad) - b)
                part = x[:, max(a, 0) : min(a + k, h), max(b, 0) : min(b + k, w)]
                y[:, i, j] = part.sum((1, 2)) / count if mean else part.max((1, 2))
        return y

    def columns(v):
        return v[:, None, None]

    y = conv(x, blobs["c1"][0], np.zeros(6), 2, 1, 1)
    mean, variance, factor = blobs["bn1"]
    y = (y - columns(mean / factor)) / np.sqrt(columns(variance / factor) + 0.001)
    y = np.maximum(y * columns(blobs["s1"][0]) + columns(blobs["s1"][1]), 0)
    p1, p2 = pool(y, 3, 2, 0, False), pool(y, 3, 2, 1, True)
    squares = np.pad(p1**2, ((1, 1), (0, 0), (0, 0)))
    n1 = p1 / (1 + 0.5 / 3 * (squares[:-2] + squares[1:-1] + squares[2:])) ** 0.75
    e1 = conv(n1, *blobs["c2"], 1, 1, 6) - 0.5 * p1
    r2 = np.where(e1 > 0, e1, columns(blobs["r2"][0]) * e1)
    s2 = np.concatenate([r2, n1]) * columns(blobs["s2"][0])
    f1 = blobs["f1"][0] @ s2.reshape(-1) + blobs["f1"][1]
    prob = np.exp(f1 - f1.max())
    return [prob / prob.sum(), p2.reshape(-1)]


@pytest.mark.tensorflow
def test_outputs_are_those_of_caffe(tmp_path):
    import numpy as np

    draw = np.random.default_rng(2)
    blobs, x = _blobs(draw), draw.normal(size=(3, 13, 17))
    (tmp_path / "net.prototxt").write_text(_small())
    _model_file(tmp_path / "net.caffemodel", blobs)
    found = imported(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert [output.name for output in found.graph.outputs] == ["prob", "flat"]
    for ours, theirs in zip(_outputs(_compiled(found), x), _computed(x, blobs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def _fire(number, bottom, squeeze, expand):
    name = f"fire{number}"
    kinds = [
        _conv(f"{name}/squeeze1x1", bottom, squeeze, 1),
        _layer("ReLU", f"{name}/relu", [f"{name}/squeeze1x1"], f"{name}/squeeze1x1"),
    ]
    for size, pad in ((1, 0), (3, 1)):
        own = f"{name}/expand{size}x{size}"
        kinds.append(_conv(own, f"{name}/squeeze1x1", expand, size, pad=pad))
        kinds.append(_layer("ReLU", f"{own}/relu", [own], own))
    return "".join([*kinds, _layer("Concat", f"{name}/concat", [f"{name}/expand1x1", f"{name}/expand3x3"])])


def test_squeezenet_as_it_was_published_is_the_catalogues(tmp_path):
    """The structure of the authors' deploy.prototxt, written anew."""
    pool = {"pool": "MAX", "kernel_size": 3, "stride": 2}
    text = 'name: "SqueezeNet_v1.0_deploy"\n' + _layer(
        "Input", "data", [], input_param={"shape": {"dim": [10, 3, 227, 227]}}
    )
    text += _conv("conv1", "data", 96, 7, stride=2) + _layer("ReLU", "relu1", ["conv1"], "conv1")
    text += _layer("Pooling", "pool1", ["conv1"], pooling_param=pool)
    last = "pool1"
    for number, squeeze in zip(range(2, 10), (16, 16, 32, 32, 48, 48, 64, 64), strict=True):
        text += _fire(number, last, squeeze, 4 * squeeze)
        last = f"fire{number}/concat"
        if number in (4, 8):
            text += _layer("Pooling", f"pool{number}", [last], pooling_param=pool)
            last = f"pool{number}"
    text += _layer("Dropout", "drop9", [last], last, dropout_param={"dropout_ratio": 0.5})
    text += _conv("conv10", last, 1000, 1, pad=1) + _layer("ReLU", "relu10", ["conv10"], "conv10")
    text += _layer("Pooling", "pool10", ["conv10"], pooling_param={"pool": "AVE", "global_pooling": True})
    text += _layer("Softmax", "prob", ["pool10"])
    (tmp_path / "net.prototxt").write_text(text)
    found = imported(tmp_path / "net.prototxt")
    ours, published = (
        archspec.table(g).totals for g in (found.graph, archspec.load("squeezenet1_0_caffe").inference())
    )
    assert (ours.params, ours.macs) == (published.params, published.macs) == (1248424, 861339936)
    assert len(found.text.splitlines()) < 40


def test_what_training_alone_has_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = HEAD + 'layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } }\n'
    text += _conv("c", "data", 2, 1) + _layer("InnerProduct", "f", ["c"], inner_product_param={"num_output": 3})
    text += _layer("SoftmaxWithLoss", "loss", ["f", "label"]) + _layer("Accuracy", "acc", ["f", "label"])
    Path("net.prototxt").write_text(text)
    found = imported(Path("net.prototxt"))
    (output,) = found.graph.outputs
    assert found.graph.spec(output.tensor).shape == (3,)
    told("\n".join(said.render() for said in found.warnings))


def test_layers_of_before_2014_are_read(tmp_path):
    text = HEAD + 'layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2\n'
    text += "  convolution_param { num_output: 4 kernel_size: 3 } }\n"
    text += 'layers { bottom: "c" top: "c" name: "r" type: RELU }\n'
    (tmp_path / "net.prototxt").write_text(text)
    assert "relu" in imported(tmp_path / "net.prototxt").text


def test_what_a_function_bends_by_is_read(tmp_path):
    text = HEAD + _layer("ELU", "e", ["data"], elu_param={"alpha": 0.3})
    text += _layer("Swish", "s", ["e"], swish_param={"beta": 1.0})
    text += _layer("Flatten", "f", ["s"], flatten_param={"axis": 1, "end_axis": 3})
    text += _layer("Flatten", "g", ["f"], flatten_param={"axis": -1})
    (tmp_path / "net.prototxt").write_text(text)
    found = imported(tmp_path / "net.prototxt")
    assert [node.op.name for node in found.graph.nodes] == ["elu", "silu", "permute", "flatten"]
    assert found.graph.nodes[0].op.alpha == 0.3
    assert not found.warnings


def test_parameters_that_no_layer_reads_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    filler = {"weight_filler": {"type": "xavier"}, "engine": "CAFFE"}
    text = HEAD + _conv("c", "data", 4, 3, **filler, colour="RED")
    text += _layer("BatchNorm", "b", ["c"], batch_norm_param={"use_global_stats": False})
    text += _layer("ReLU", "r", ["b"], elu_param={"alpha": 0.3})
    pool = {"pool": "AVE", "global_pooling": True, "stride": 1, "pad": 0}
    text += _layer("Pooling", "p", ["r"], pooling_param={**pool, "kernel_size": 2})
    Path("net.prototxt").write_text(text)
    told("\n".join(said.render() for said in imported(Path("net.prototxt")).warnings))


CONV = _conv("c", "data", 4, 3)
ODD = {
    "empty": "",
    "no layers": HEAD,
    "no inputs": _conv("c", "data", 4, 3),
    "open": HEAD + "layer { name: ",
    "open message": HEAD + "layer {",
    "two ends": HEAD + "}",
    "no value": HEAD + "layer: }",
    "odd characters": HEAD + "layer { name: @ }",
    "a number for text": HEAD + CONV.replace('"Convolution"', "3"),
    "a message for a number": HEAD + CONV.replace("num_output: 4", "num_output { }"),
    "a text for a message": HEAD
    + 'layer { name: "x" type: "Convolution" bottom: "data" convolution_param: 3 top: "x" }',
    "word for a number": HEAD + CONV.replace("4", "four"),
    "huge": HEAD + CONV.replace("4", "4000000000"),
    "negative": HEAD + CONV.replace("4", "-4"),
    "no kernel": HEAD + CONV.replace("kernel_size: 3", ""),
    "too small": HEAD + CONV.replace("kernel_size: 3", "kernel_size: 40"),
    "unknown": HEAD + CONV.replace("Convolution", "Convolutoin"),
    "recurrent": HEAD + _layer("LSTM", "l", ["data"]),
    "nothing below": HEAD + CONV.replace('"data"', '"dato"'),
    "no bottom": HEAD + CONV.replace('bottom: "data"', ""),
    "sizes": HEAD + CONV + _conv("d", "data", 4, 1) + _layer("Eltwise", "e", ["c", "d"]),
    "factors of a product": HEAD
    + CONV
    + _layer("Eltwise", "e", ["c", "c"], eltwise_param={"operation": "PROD", "coeff": [1, 2]}),
    "groups": HEAD + CONV.replace("kernel_size: 3", "kernel_size: 3 group: 2"),
    "stochastic": HEAD + _layer("Pooling", "p", ["data"], pooling_param={"pool": "STOCHASTIC", "kernel_size": 2}),
    "three sizes": 'input: "data" input_dim: 3 input_dim: 4 input_dim: 5\n' + CONV,
    "slices": HEAD + _layer("Slice", "s", ["data"], slice_param={"slice_point": 9}),
    "a steeper swish": HEAD + _layer("Swish", "s", ["data"], swish_param={"beta": 2.0}),
    "flat from height": HEAD + _layer("Flatten", "f", ["data"], flatten_param={"axis": 2}),
    "flat to height": HEAD + _layer("Flatten", "f", ["data"], flatten_param={"end_axis": -2}),
    "windows of depth": HEAD + _conv("c", "data", 4, 3, axis=2),
    "too deep": HEAD + "layer { " * 99,
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_spec_says_is_told_at_its_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(ODD[name])
    with refuses(SpecError):
        imported(Path("net.prototxt"))


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(_small())
    whole = _blobs(np.random.default_rng(0))
    for blobs in (
        {name: arrays for name, arrays in whole.items() if name != "c2"},
        {**whole, "c1": [whole["c1"][0][:, :2]]},
        {**whole, "c2": whole["c2"][:1]},
    ):
        _model_file(Path("net.caffemodel"), blobs)
        with refuses(SpecError):
            imported(Path("net.prototxt"), Path("net.caffemodel"))
    Path("net.caffemodel").write_bytes(b"\x00\x01")
    with refuses(SpecError):
        imported(Path("net.prototxt"), Path("net.caffemodel"))


@pytest.mark.parametrize("seed", range(80))
def test_a_damaged_file_gets_an_answer(tmp_path, seed):
    draw = random.Random(seed)
    text = _small()
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(text))
        text = (
            text[:at]
            + draw.choice(["", "{", "}", "-1", '"', "0", "[1, 2]", "\\", "9" * 30])
            + text[at + draw.randint(0, 9) :]
        )
    (tmp_path / "net.prototxt").write_text(text)
    try:
        imported(tmp_path / "net.prototxt")
    except SpecError as error:
        assert all(said.span.line >= 1 for said in error.diagnostics)
