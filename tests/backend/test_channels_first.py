"""Weights of networks that keep images channels first compute here what they compute there, or are refused.

The other side is PyTorch's layers in NumPy, on examples whose axes are moved as a user of PyTorch would.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.rules import Rules
from archspec.backend.weights import assign, read
from archspec.backend.wiring import WeightsError
from tests.backend.caffe import caffemodel
from tests.backend.torch_layers import (
    batch_norm,
    conv,
    conv_transpose,
    layer_norm,
    linear,
    recurrent,
    relu,
)
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
CASES = Path(__file__).parent / "cases"


def state_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Random arrays; a shape of a kernel stands for its bias too, ``bn`` for batch norm's four."""
    rng, out = np.random.default_rng(11), {}
    for name, shape in shapes.items():
        if name.split(".")[-1].startswith("bn"):
            for role in ("weight", "bias", "running_mean", "running_var"):
                out[f"{name}.{role}"] = rng.uniform(0.5, 1.5, shape)
        elif name.split(".")[-1].startswith("rnn"):
            gates, units, channels = shape
            for role, n in (("weight_ih", channels), ("weight_hh", units), ("bias_ih", 0), ("bias_hh", 0)):
                out[f"{name}.{role}_l0"] = rng.normal(size=(gates * units, n) if n else gates * units)
        else:
            out[f"{name}.weight"] = rng.normal(size=shape) * 0.4
            if not name.startswith("embedding"):
                out[f"{name}.bias"] = rng.normal(size=shape[1] if "transpose" in name else shape[0])
    return {k: v.astype("float32") for k, v in out.items()}


def first(x):
    """Channels last → channels first."""
    return np.moveaxis(x, -1, 0)


def last(x):
    return np.moveaxis(x, 0, -1)


CONV = "conv: {filters: 4, kernel: 3, padding: 1}"
IMAGE = {"image": (5, 3, 2)}
NORM = "batch_norm: {epsilon: 1.0e-5}"


def features(p, x):
    return conv(p, "0", first(x), padding=1)


# name: inputs, body, arrays, and what the other network computes
FOLLOWED = {
    "flatten": (
        IMAGE,
        f"[{CONV}, flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 60)},
        lambda p, x: linear(p, "2", features(p, x).ravel()),
    ),
    "reshape to a vector": (
        IMAGE,
        f"[{CONV}, reshape: [60], relu, dropout: 0.5, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 60)},
        lambda p, x: linear(p, "2", relu(features(p, x).ravel())),
    ),
    "the image itself": (
        IMAGE,
        "[flatten, dense: 3, dense: 2]",
        {"1": (3, 30), "2": (2, 3)},
        lambda p, x: linear(p, "2", linear(p, "1", first(x).ravel())),
    ),
    "batch norm of the vector": (
        IMAGE,
        f"[{CONV}, flatten, {NORM}, prelu, dense: 3, flatten, dense: 2]",
        {"0": (4, 2, 3, 3), "bn": (60,), "prelu": (60,), "2": (3, 60), "3": (2, 3)},
        lambda p, x: linear(p, "3", linear(p, "2", prelu(p, batch_norm(p, "bn", features(p, x).ravel())))),
    ),
    "layer norm of the vector": (
        IMAGE,
        f"[{CONV}, flatten, layer_norm: {{epsilon: 1.0e-5}}, dense: 3]",
        {"0": (4, 2, 3, 3), "ln": (60,), "2": (3, 60)},
        lambda p, x: linear(p, "2", layer_norm(p, "ln", features(p, x).ravel())),
    ),
    "norm and pool before the vector": (
        {"image": (6, 4, 2)},
        f"[{CONV}, {NORM}, relu, max_pool: 2, flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "bn": (4,), "2": (3, 24)},
        lambda p, x: linear(p, "2", pooled(relu(batch_norm(p, "bn", features(p, x)))).ravel()),
    ),
    "slopes of an image's elements": (
        {"image": (3, 3, 2)},
        "[conv: {filters: 3, kernel: 3, padding: 1}, prelu: {shared: none}, flatten, dense: 2]",
        {"0": (3, 2, 3, 3), "prelu": (3, 3, 3), "2": (2, 27)},
        lambda p, x: linear(p, "2", prelu(p, features(p, x)).ravel()),
    ),
    "pooled over all": (
        IMAGE,
        f"[{CONV}, global_avg_pool, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 4)},
        lambda p, x: linear(p, "2", features(p, x).mean((1, 2))),
    ),
    "signals": (
        {"signal": (7, 2)},
        f"[{CONV}, flatten, dense: 3]",
        {"0": (4, 2, 3), "2": (3, 28)},
        lambda p, x: linear(p, "2", features(p, x).ravel()),
    ),
    "volumes": (
        {"volume": (3, 2, 4, 2)},
        f"[{CONV}, flatten, dense: 3]",
        {"0": (4, 2, 3, 3, 3), "2": (3, 96)},
        lambda p, x: linear(p, "2", features(p, x).ravel()),
    ),
    "two images side by side": (
        IMAGE,
        f"[{{branches: [[{CONV}, flatten], [conv: {{filters: 3, kernel: 3, padding: 1, stride: 2}}, flatten]], "
        "merge: concat}, dense: 3]",
        {"0": (4, 2, 3, 3), "1": (3, 2, 3, 3), "2": (3, 78)},
        lambda p, x: linear(p, "2", np.concatenate([features(p, x).ravel(), conv(p, "1", first(x), 2, 1).ravel()])),
    ),
    "a sum of two images": (
        IMAGE,
        f"[residual: [{CONV}], relu, flatten, dense: 3]".replace("filters: 4", "filters: 2"),
        {"0": (2, 2, 3, 3), "2": (3, 30)},
        lambda p, x: linear(p, "2", relu(features(p, x) + first(x)).ravel()),
    ),
    "a part of the vector": (
        IMAGE,
        f"[{CONV}, flatten, dense: 4, {{slice: [1, 4]}}, dense: 2]",
        {"0": (4, 2, 3, 3), "2": (4, 60), "3": (2, 3)},
        lambda p, x: linear(p, "3", linear(p, "2", features(p, x).ravel())[1:4]),
    ),
    "words": (
        {"words": (6,)},
        "[embedding: {vocab: 9, dim: 4}, relu, flatten, dense: 3]",
        {"embedding": (9, 4), "2": (3, 24)},
        lambda p, x: linear(p, "2", relu(p["embedding.weight"][x]).ravel()),
    ),
    "words through a convolution": (
        {"words": (6,)},
        f"[embedding: {{vocab: 9, dim: 2}}, {CONV}, flatten, dense: 3]",
        {"embedding": (9, 2), "0": (4, 2, 3), "2": (3, 24)},
        lambda p, x: linear(p, "2", features(p, p["embedding.weight"][x]).ravel()),
    ),
    "a recurrence": (
        {"signal": (5, 3)},
        "[gru: {units: 4, sequences: true}, layer_norm: {epsilon: 1.0e-5}, flatten, dense: 3]",
        {"rnn": (3, 4, 3), "ln": (4,), "2": (3, 20)},
        lambda p, x: linear(p, "2", layer_norm(p, "ln", recurrent("gru", p, "rnn", x)).ravel()),
    ),
    "a convolution before a recurrence": (
        {"signal": (5, 2)},
        f"[{CONV}, lstm: {{units: 3, sequences: true}}, flatten, dense: 3]",
        {"0": (4, 2, 3), "rnn": (4, 3, 4), "2": (3, 15)},
        lambda p, x: linear(p, "2", recurrent("lstm", p, "rnn", last(features(p, x))).ravel()),
    ),
    "tokens through dense layers": (
        {"words": (6,)},
        "[embedding: {vocab: 9, dim: 4}, dense: 5, flatten, dense: 3]",
        {"embedding": (9, 4), "1": (5, 4), "2": (3, 30)},
        lambda p, x: linear(p, "2", linear(p, "1", p["embedding.weight"][x]).ravel()),
    ),
    "axes moved as they lie there": (
        IMAGE,
        f"[{CONV}, permute: [2, 0, 1], flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 60)},
        lambda p, x: linear(p, "2", features(p, x).ravel()),
    ),
    "a signal's axes moved": (
        {"signal": (7, 2)},
        f"[{CONV}, permute: [1, 0], flatten, dense: 3]",
        {"0": (4, 2, 3), "2": (3, 28)},
        lambda p, x: linear(p, "2", features(p, x).ravel()),
    ),
    "rows of an image of one channel": (
        {"image": (5, 3, 1)},
        "[reshape: [5, 3], rnn: {units: 4, sequences: true}, flatten, dense: 3]",
        {"rnn": (1, 4, 3), "2": (3, 20)},
        lambda p, x: linear(p, "2", recurrent("rnn", p, "rnn", x[..., 0]).ravel()),
    ),
    "positions as steps": (
        IMAGE,
        f"[{CONV}, reshape: [-1, 4], gru: {{units: 3, sequences: true}}, flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "rnn": (3, 3, 4), "2": (3, 45)},
        lambda p, x: linear(p, "2", recurrent("gru", p, "rnn", features(p, x).reshape(4, 15).T).ravel()),
    ),
    "a generator": (
        {"z": (6,)},
        f"[dense: 30, {NORM}, relu, reshape: [5, 3, 2], conv_transpose: {{filters: 2, kernel: 2, stride: 2, "
        "padding: valid}]",
        {"1": (30, 6), "bn": (30,), "transpose": (2, 2, 2, 2)},
        lambda p, x: last(
            conv_transpose(p, "transpose", relu(batch_norm(p, "bn", linear(p, "1", x))).reshape(2, 5, 3), 2)
        ),
    ),
    "a generator of signals": (
        {"z": (6,)},
        f"[dense: 14, reshape: [7, 2], relu, {CONV}]",
        {"1": (14, 6), "0": (4, 2, 3)},
        lambda p, x: last(conv(p, "0", relu(linear(p, "1", x).reshape(2, 7)), padding=1)),
    ),
    "a generator of sequences": (
        {"z": (6,)},
        "[dense: 15, reshape: [5, 3], gru: {units: 4, sequences: true}]",
        {"1": (15, 6), "rnn": (3, 4, 3)},
        lambda p, x: recurrent("gru", p, "rnn", linear(p, "1", x).reshape(5, 3)),
    ),
    "a generator as it is written there": (
        {"z": (6,)},
        f"[dense: 30, reshape: [2, 5, 3], permute: [1, 2, 0], {CONV}]",
        {"1": (30, 6), "0": (4, 2, 3, 3)},
        lambda p, x: last(conv(p, "0", linear(p, "1", x).reshape(2, 5, 3), padding=1)),
    ),
    "an autoencoder": (
        IMAGE,
        f"[{CONV}, flatten, dense: 3, dense: 60, reshape: [5, 3, 4], {CONV}]",
        {"0": (4, 2, 3, 3), "1": (3, 60), "2": (60, 3), "3": (4, 4, 3, 3)},
        lambda p, x: last(
            conv(p, "3", linear(p, "2", linear(p, "1", features(p, x).ravel())).reshape(4, 5, 3), padding=1)
        ),
    ),
    "noise as an image of one place": (
        {"z": (6,)},
        "[reshape: [1, 1, 6], conv_transpose: {filters: 3, kernel: 2, stride: 2, padding: valid}, flatten, dense: 2]",
        {"transpose": (6, 3, 2, 2), "2": (2, 12)},
        lambda p, x: linear(p, "2", conv_transpose(p, "transpose", x.reshape(6, 1, 1), 2).ravel()),
    ),
    "a vector as an image of one place": (
        IMAGE,
        f"[{CONV}, flatten, reshape: [1, 1, 60], conv: {{filters: 3, kernel: 1}}]",
        {"0": (4, 2, 3, 3), "2": (3, 60, 1, 1)},
        lambda p, x: last(conv(p, "2", features(p, x).reshape(60, 1, 1))),
    ),
    "channels spread over space": (
        IMAGE,
        f"[{CONV}, pixel_shuffle: 2, flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 60)},
        lambda p, x: linear(p, "2", spread(features(p, x)).ravel()),
    ),
    "an image to a vector and back": (
        IMAGE,
        f"[{CONV}, flatten, reshape: [5, 3, 4], {CONV}]",
        {"0": (4, 2, 3, 3), "3": (4, 4, 3, 3)},
        lambda p, x: last(conv(p, "3", features(p, x), padding=1)),
    ),
}


def prelu(p, x):
    return np.where(x < 0, p["prelu.weight"] * x, x)


def spread(x):
    channels, height, width = x.shape
    return x.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2).reshape(-1, 2 * height, 2 * width)


def pooled(x):
    channels, height, width = x.shape
    return x.reshape(channels, height // 2, 2, width // 2, 2).max((2, 4))


def spec(tmp_path, inputs, body):
    path = tmp_path / "net.yaml"
    shapes = ", ".join(
        f"{name}: {{shape: {list(shape)}, dtype: {'int32' if name == 'words' else 'float32'}}}"
        for name, shape in inputs.items()
    )
    path.write_text(f"archspec: 1\nname: net\ninputs: {{{shapes}}}\nbody: {body}\n")
    return archspec.load(path)


def computed(graph, path, x, rules=None):
    values, _ = read(path, graph, rules)
    model = archspec.compile(graph)
    assign(model, values)
    return np.asarray(model(x[None]))[0]


@pytest.mark.fast(10)
@pytest.mark.parametrize("case", FOLLOWED)
def test_what_is_followed_computes_the_same(case, tmp_path):
    inputs, body, shapes, other = FOLLOWED[case]
    graph, state, rng = spec(tmp_path, inputs, body), state_of(shapes), np.random.default_rng(3)
    (shape,) = inputs.values()
    x = rng.integers(0, 9, shape) if "words" in inputs else rng.normal(size=shape).astype("float32")
    if "prelu" in shapes:
        del state["prelu.bias"]
    for name in [n for n in shapes if n.startswith("embedding")]:
        state.pop(f"{name}.bias", None)
    np.savez(tmp_path / "w.npz", **state)
    found, wanted = computed(graph, tmp_path / "w.npz", x), other(state, x)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 3e-6 * max(1, np.abs(wanted).max())


# name: inputs, body, shapes of the arrays, the place and what is said
REFUSED = {
    "an input that may be either": (
        {"signal": (5, 3)},
        "[flatten, dense: 2]",
        {"1": (2, 15)},
        r"net\.yaml:4:17: 'dense' depends on a vector of what is \(5, 3\) here, be it channels first or last; .*"
        r"\n  axes: \{signal: first\}   # or last, as here",
    ),
    "axes turned": (
        IMAGE,
        f"[{CONV}, permute: [1, 0, 2], flatten, dense: 2]",
        {"0": (4, 2, 3, 3), "1": (2, 60)},
        r"axes: \{permute: first\}",
    ),
    "a sequence turned": (
        {"signal": (5, 3)},
        "[gru: {units: 4, sequences: true}, permute: [1, 0], flatten, dense: 3]",
        {"rnn": (3, 4, 3), "2": (3, 20)},
        r"axes: \{permute: first\}",
    ),
    "columns as steps": (
        IMAGE,
        f"[{CONV}, reshape: [5, 12], gru: 3]",
        {"0": (4, 2, 3, 3), "rnn": (3, 3, 12)},
        r"net\.yaml:4:\d+: 'gru' depends on \(5, 3, 4\) as \(5, 12\), be the channels first or last; how it lies",
    ),
    "a vector given as an image": (
        {"x": (30,)},
        f"[reshape: [5, 3, 2], {CONV}]",
        {"0": (4, 2, 3, 3)},
        r"net\.yaml:4:8: here 'reshape' takes channels last what lies channels first in the file",
    ),
    "an image that nobody reads": (
        {"z": (6,)},
        "[dense: 30, reshape: [5, 3, 2]]",
        {"0": (30, 6)},
        r"axes: \{reshape: first\}",
    ),
    "a flattened output": (
        IMAGE,
        f"[{CONV}, flatten]",
        {"0": (4, 2, 3, 3)},
        r"the output 'output' is a flattened image",
    ),
    "a vector that goes to both an image and a skip": (
        {"z": (30,)},
        f"[residual: [dense: 30], reshape: [5, 3, 2], {CONV}]",
        {"1": (30, 30), "0": (4, 2, 3, 3)},
        r"no order of weights makes up for that",
    ),
    "groups of the vector": (
        IMAGE,
        f"[{CONV}, flatten, group_norm: {{groups: 4}}, dense: 3]",
        {"0": (4, 2, 3, 3), "gn": (60,), "2": (3, 60)},
        r"net\.yaml:4:\d+: here 'group_norm' takes channels last",
    ),
    "a part of an image's vector": (
        IMAGE,
        f"[{CONV}, flatten, {{slice: [0, 30]}}, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 30)},
        r"a stretch of a vector whose elements lie in another order",
    ),
    "taps along the other axis": (
        IMAGE,
        "[conv: {filters: 4, kernel: [1, 7]}]",
        {"0": (4, 2, 7, 1)},
        r"'0' of the file has a kernel of \[7, 1\], 'conv' one of \[1, 7\]",
    ),
    "positions in a row": (
        IMAGE,
        f"[{CONV}, reshape: [-1, 4], flatten, dense: 3]",
        {"0": (4, 2, 3, 3), "2": (3, 60)},
        r"axes: \{reshape: first\}",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_followed_is_refused_with_the_place(case, tmp_path):
    inputs, body, shapes, said = REFUSED[case]
    np.savez(tmp_path / "w.npz", **state_of(shapes))
    with pytest.raises(WeightsError, match=said):
        read(tmp_path / "w.npz", spec(tmp_path, inputs, body))


@pytest.mark.parametrize(("side", "moved"), [("first", first), ("last", lambda x: x)])
def test_rules_say_where_channels_are(side, moved, tmp_path):
    graph, state = spec(tmp_path, {"signal": (5, 3)}, "[flatten, dense: 2]"), state_of({"1": (2, 15)})
    np.savez(tmp_path / "w.npz", **state)
    x = np.random.default_rng(3).normal(size=(5, 3)).astype("float32")
    found = computed(graph, tmp_path / "w.npz", x, Rules.of({"axes": {"signal": side}}))
    np.testing.assert_allclose(found, linear(state, "1", moved(x).ravel()), rtol=1e-5, atol=1e-6)


def test_rules_say_that_channels_were_brought_last_before_an_image_became_a_vector(tmp_path):
    graph, state = spec(tmp_path, IMAGE, f"[{CONV}, flatten, dense: 3]"), state_of({"0": (4, 2, 3, 3), "2": (3, 60)})
    np.savez(tmp_path / "w.npz", **state)
    x = np.random.default_rng(3).normal(size=(5, 3, 2)).astype("float32")
    found = computed(graph, tmp_path / "w.npz", x, Rules.of({"axes": {"flatten": "last"}}))
    np.testing.assert_allclose(found, linear(state, "2", last(features(state, x)).ravel()), rtol=1e-5, atol=1e-6)


def test_rules_about_channels_that_cannot_be(tmp_path):
    graph = spec(tmp_path, IMAGE, f"[{CONV}, flatten, dense: 3]")
    np.savez(tmp_path / "w.npz", **state_of({"0": (4, 2, 3, 3), "2": (3, 60)}))
    for rules in ({"nothing": "first"}, {"conv": "last"}):
        with refuses(WeightsError):
            read(tmp_path / "w.npz", graph, Rules.of({"axes": rules}))
    with refuses(WeightsError):
        Rules.of({"axes": {"conv": "here"}})


def test_caffes_files_are_channels_first_too(tmp_path):
    graph, state = (
        spec(tmp_path, IMAGE, f"[{CONV}, reshape: [-1], dense: 3]"),
        state_of({"0": (4, 2, 3, 3), "2": (3, 60)}),
    )
    layers = [
        ("conv", "Convolution", [state["0.weight"], state["0.bias"]]),
        ("fc", "InnerProduct", [state["2.weight"], state["2.bias"]]),
    ]
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(layers))
    x = np.random.default_rng(3).normal(size=IMAGE["image"]).astype("float32")
    found = computed(graph, tmp_path / "net.caffemodel", x)
    np.testing.assert_allclose(found, linear(state, "2", features(state, x).ravel()), rtol=1e-5, atol=1e-5)


@pytest.mark.fast(3)
@pytest.mark.parametrize("name", ["C", "D", "F", "G", "I", "M", "S1"])
def test_state_dicts_compute_what_pytorch_computed(name):
    graph = archspec.load(CASES / f"{name}.yaml")
    values, _ = read(CASES / f"{name}.pth", graph)
    model = archspec.compile(graph)
    assign(model, values)
    kept = np.load(CASES / f"{name}.io.npz")
    inputs = dict(zip(graph.inputs, [kept[k] for k in sorted(kept.files) if k.startswith("x")], strict=True))
    found = np.asarray(model(inputs if len(inputs) > 1 else next(iter(inputs.values()))))
    assert np.abs(found - kept["y"]).max() <= 1e-6 * max(1, np.abs(kept["y"]).max())


@pytest.mark.fast(2)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_stacked_recurrent_layers(kind, both, tmp_path):
    """PyTorch keeps all layers and both directions in one module."""
    gates, units, rng, state = {"lstm": 4, "gru": 3, "rnn": 1}[kind], 4, np.random.default_rng(5), {}
    ways = ["", "_reverse"] if both else [""]
    for level in range(3):
        channels = units * len(ways) if level else 3
        for way in ways:
            for role, n in (("weight_ih", channels), ("weight_hh", units), ("bias_ih", 0), ("bias_hh", 0)):
                shape = (gates * units, n) if n else (gates * units,)
                state[f"r.{role}_l{level}{way}"] = rng.normal(size=shape).astype("float32") * 0.5
    layer = f"{kind}: {{units: {units}, sequences: true}}"
    body = f"{{bidirectional: {{{layer}}}}}" if both else f"{{{layer}}}"
    graph = spec(tmp_path, {"signal": (5, 3)}, f"[{', '.join([body] * 3)}]")
    np.savez(tmp_path / "w.npz", **state)
    x = wanted = rng.normal(size=(5, 3)).astype("float32")
    for level in range(3):
        wanted = np.concatenate([recurrent(kind, state, "r", wanted, f"_l{level}{way}") for way in ways], -1)
    np.testing.assert_allclose(computed(graph, tmp_path / "w.npz", x), wanted, rtol=1e-5, atol=1e-5)
