"""Which layer of a file is which of a spec, where several are alike in shape: told by evidence, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.archive import Archive, Stored, StoredLayer
from archspec.backend.importers import opened
from archspec.backend.rules import Rules
from archspec.backend.weights import match, matched
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
CASES = Path(__file__).parent / "cases"
DENSE, CHAIN = (4, 4), "[dense: 4, dense: 4, dense: 4]"
BOTTLENECKS = """
  - {conv_bn: {filters: 4, kernel: 3}, as: stem}
  - residual:
      - conv_bn: {filters: 4, kernel: 1}
      - conv_bn: {filters: 4, kernel: 3}
      - conv_bn: {filters: 16, kernel: 1, act: linear}
    repeat: 2
  - {conv: {filters: 2, kernel: 1, bias: false}, as: last}
"""


def spec(tmp_path, body, shape="[4]"):
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\ninputs: {{x: {shape}}}\nbody: {body}\n")
    return archspec.load(path)


def file(shapes, **kind):
    """A file of layers in this order; a shape of one axis is a batch norm's."""

    def arrays(shape):
        roles = ("weight", "bias", "running_mean", "running_var") if len(shape) == 1 else ("weight",)
        stored = {role: Stored(shape, lambda: np.zeros(shape)) for role in roles}
        return stored if len(shape) != 2 else stored | {"bias": Stored(shape[:1], lambda: np.zeros(shape[:1]))}

    return Archive(tuple(StoredLayer(name, arrays(shape)) for name, shape in shapes.items()), "torch", **kind)


def told(archive, graph, rules=None):
    return {layer: stored.name for layer, stored in match(archive, graph, rules).items()}


def test_two_layers_declared_in_another_order_than_used():
    graph, archive = archspec.load(CASES / "S4.yaml"), opened(CASES / "S4.pth")
    with pytest.raises(WeightsError) as refused:
        match(archive, graph)
    assert str(refused.value).splitlines() == [
        "'out' and 'hid' of the file have one shape, as have 'dense' and 'dense_2' of the spec; neither names nor "
        "order distinguish them: state in rules which is which",
        *("  names:", "    out: dense", "    hid: dense_2", "or", "  names:", "    out: dense_2", "    hid: dense"),
    ]
    assert told(archive, graph, Rules.of({"names": {"out": "dense_2"}})) == {"dense": "hid", "dense_2": "out"}


def test_parallel_branches_in_another_order():
    """Kernels are told by shape; their norms lie behind them under names of one stem."""
    pairs = told(opened(CASES / "two.pth"), archspec.load(CASES / "two.yaml"))
    assert [(layer.split(".")[1], name) for layer, name in pairs.items()] == [
        ("0", "conv1"), ("0", "bn1"), ("1", "conv3"), ("1", "bn3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("0", "2", "4"), {}),
        (("fc", "fc2", "fc10"), {}),
        (("a.0.fc1", "a.0.fc2", "a.1.fc1"), {}),
        (("fc_a", "fc_b", "fc_c"), {}),
        (("x", "fc", "loss"), {"is_executed": True}),
    ],
)
def test_a_chain_in_the_order_of_its_numbers(names, kind, tmp_path):
    graph = spec(tmp_path, CHAIN)
    assert list(told(file(dict.fromkeys(names, DENSE), **kind), graph).values()) == list(names)


def test_numbers_tell_where_the_order_of_the_file_means_nothing(tmp_path):
    graph = spec(tmp_path, CHAIN)
    archive = file(dict.fromkeys(("fc10", "fc9", "fc1"), DENSE), is_ordered=False)
    assert list(told(archive, graph).values()) == ["fc1", "fc9", "fc10"]


@pytest.mark.parametrize(
    "names",
    [
        ("fc2", "fc1", "fc3"),
        ("first", "second", "third"),
        ("fc1", "head", "fc3"),
        ("fc1", "fc3", "fc2"),
        ("k", "q", "v"),
    ],
)
def test_a_chain_in_an_order_that_nothing_confirms(names, tmp_path):
    with refuses(WeightsError):
        match(file(dict.fromkeys(names, DENSE)), spec(tmp_path, CHAIN))


def test_names_that_share_words(tmp_path):
    graph = spec(tmp_path, "[{dense: 4, as: encoder}, {dense: 4, as: decoder}]")
    assert told(file({"decoder.fc": DENSE, "encoder.fc": DENSE}), graph) == {
        "encoder": "encoder.fc",
        "decoder": "decoder.fc",
    }


def torch_bottlenecks(*, shortcut="downsample", is_first=False):
    """ResNet's names in PyTorch; in its first unit the last kernel and the shortcut's are alike."""
    shapes = {"conv1": (4, 3, 3, 3), "bn1": (4,)}
    for k in range(2):
        body = {
            "conv1": (4, 16 if k else 4, 1, 1), "bn1": (4,), "conv2": (4, 4, 3, 3), "bn2": (4,),
            "conv3": (16, 4, 1, 1), "bn3": (16,),
        }  # fmt: skip
        skip = {} if k else {f"{shortcut}.0": (16, 4, 1, 1), f"{shortcut}.1": (16,)}
        shapes |= {
            f"layer1.{k}.{name}": shape for name, shape in ((skip | body) if is_first else (body | skip)).items()
        }
    return shapes | {"fc": (2, 16, 1, 1)}


@pytest.mark.parametrize("is_first", [False, True])
def test_a_shortcut_is_told_wherever_it_was_declared(is_first, tmp_path):
    graph = spec(tmp_path, BOTTLENECKS, "[8, 8, 3]")
    pairs = told(file(torch_bottlenecks(is_first=is_first)), graph)
    (kernel,) = (name for layer, name in pairs.items() if "projection" in layer and layer.endswith("conv"))
    (norm,) = (name for layer, name in pairs.items() if "projection" in layer and layer.endswith("batch_norm"))
    assert (kernel, norm) == ("layer1.0.downsample.0", "layer1.0.downsample.1")
    rest = [name for layer, name in pairs.items() if "projection" not in layer]
    assert rest == [name for name in torch_bottlenecks() if "downsample" not in name]


@pytest.mark.parametrize("is_first", [False, True])
def test_a_shortcut_under_a_name_that_says_nothing(is_first, tmp_path):
    graph = spec(tmp_path, BOTTLENECKS, "[8, 8, 3]")
    with refuses(WeightsError):
        match(file(torch_bottlenecks(shortcut="other", is_first=is_first)), graph)


def test_norms_of_branches_whose_names_have_no_stem(tmp_path):
    graph = archspec.load(CASES / "two.yaml")
    shapes = {"b": (4, 4, 3, 3), "left": (4,), "a": (4, 4, 1, 1), "right": (4,)}
    with refuses(WeightsError):
        match(file(shapes), graph)


def test_rules_name_only_what_is_in_doubt(tmp_path):
    graph = spec(tmp_path, "[dense: 4, dense: 4, dense: 3]")
    archive = file({"last": (3, 4), "y": DENSE, "ix": DENSE})
    assert told(archive, graph, Rules.of({"names": {"ix": "dense"}})) == {
        "dense": "ix",
        "dense_2": "y",
        "dense_3": "last",
    }
    with refuses(WeightsError):
        match(archive, graph, Rules.of({"names": {"last": "dense"}}))


def test_what_rules_do_not_name_is_still_told_by_wiring(tmp_path):
    """Two branches could be either; the chain behind them is told by what it reads, whatever its names are."""
    import keras

    given = keras.Input((4,), name="x")
    one, two = (keras.layers.Dense(4, name=name)(given) for name in ("zeta", "alpha"))
    y = keras.layers.Dense(4, name="mu")(keras.layers.Add()([one, two]))
    keras.Model(given, keras.layers.Dense(4, name="beta")(y)).save(tmp_path / "net.keras")
    graph = spec(
        tmp_path,
        "\n  - branches: [[{dense: 4, as: first}], [{dense: 4, as: second}]]\n    merge: add\n"
        "  - {dense: 4, as: third}\n  - {dense: 4, as: fourth}\n",
    )
    archive = opened(tmp_path / "net.keras")
    with refuses(WeightsError):
        match(archive, graph)
    (first,) = (node.layer for node in graph.owners() if node.layer.endswith("first"))
    pairs = told(archive, graph, Rules.of({"names": {"alpha": first}}))
    assert [pairs[node.layer] for node in graph.owners() if node.weights] == ["alpha", "zeta", "mu", "beta"]


def test_a_folded_file_says_what_numbers_alone_told_apart_as_others_do(tmp_path):
    graph = spec(tmp_path, CHAIN)
    arrays = {"kernel": Stored(DENSE, lambda: np.zeros(DENSE)), "bias": Stored((4,), lambda: np.zeros(4))}
    layers = tuple(StoredLayer(f"layers.{i}", arrays) for i in range(3))
    (plain,), (folded,) = (matched(Archive(layers, is_folded=is_folded), graph)[1] for is_folded in (False, True))
    assert plain == folded
    assert all(layer.name in folded for layer in layers)


def test_a_norm_that_a_file_has_folded_adds_the_bias_and_nothing_else(tmp_path):
    graph = spec(tmp_path, "\n  - dense: {units: 4, bias: false}\n  - batch_norm: {epsilon: 0.01}\n")
    arrays = {"kernel": Stored(DENSE, lambda: np.ones(DENSE)), "bias": Stored((4,), lambda: np.arange(4.0))}
    pairs, _ = matched(Archive((StoredLayer("one", arrays),), is_folded=True), graph)
    (norm,) = (node.layer for node in graph.owners() if "gamma" in {w.name for w in node.weights})
    gamma, beta, mean, variance = (
        pairs[norm].arrays[name].read() for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    x = np.array([3.0, -1.0, 0.0, 5.0])
    np.testing.assert_allclose((x - mean) / np.sqrt(variance + 0.01) * gamma + beta, x + np.arange(4.0), rtol=1e-6)
