"""What the catalogue compiles to comes back as the same network: wired alike, with equal shapes and weights."""

from collections import Counter

import pytest

import archspec
from archspec.backend.decompiling import of_model
from archspec.frontend import catalogue, loads
from archspec.ir.graph import Tensor

pytestmark = pytest.mark.tensorflow
FILES = {file["spec"]: [m["variant"] or file["name"] for m in file["members"]] for file in catalogue.files()}


@pytest.fixture
def unallocated():
    """Keras makes variables without values."""
    keras = pytest.importorskip("keras")
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.backend.clear_session()


def _sizes(spec):
    """A size that is open has a name in a spec and none in a model."""
    return [size if isinstance(size, int) else None for size in spec.shape], spec.dtype


def _numbers(graph, inputs, outputs, ids):
    """A number for all that is computed, by what it is computed from; arguments of ops are not looked at."""

    def number(of):
        return ids.setdefault(repr(of), len(ids))

    known = {
        Tensor(name): number((key, _sizes(spec)))
        for key, (name, spec) in zip(inputs, graph.inputs.items(), strict=True)
    }
    calls = Counter(node.layer for node in graph.nodes)
    for node in graph.nodes:
        taken = [known[tensor] for tensor in node.inputs]
        if node.op.computed.operands == "any order":
            taken.sort()
        weights = [(w.shape, w.trainable) for w in node.weights]
        made = number((taken, list(map(_sizes, node.outputs)), weights, node.weights and calls[node.layer]))
        known |= {tensor: number((made, tensor.port)) for tensor in node.tensors}
    return sorted(known.values()), sorted((key, known[o.tensor]) for key, o in zip(outputs, graph.outputs, strict=True))


def is_isomorphic(one, other):
    """Whether two graphs are wired alike. Keras sorts the names of several inputs and outputs: they go by these."""
    ids, keys = {}, []
    for mine, theirs in (
        ([name.replace(".", "_") for name in one.inputs], list(other.inputs)),
        ([o.name.replace(".", "_") for o in one.outputs], [o.name for o in other.outputs]),
    ):
        keys.append((mine, theirs) if set(mine) == set(theirs) else (range(len(mine)), range(len(theirs))))
    ours, those = zip(*keys, strict=True)
    return _numbers(one, *ours, ids) == _numbers(other, *those, ids)


def networks_of(name):
    graph = archspec.load(name)
    return list(graph.networks.values()) or [graph.inference()]


def come_back(name):
    for graph in networks_of(name):
        model = archspec.compile(graph)
        again = loads(of_model(model))
        assert is_isomorphic(graph, again), graph.name
        assert sorted(tuple(w.shape) for w in model.weights) == sorted(
            w.shape for node in again.owners() for w in node.weights
        )


def test_another_wiring_is_no_isomorphism():
    head = "archspec: 1\nname: n\ninputs: {x: [4]}\nnetworks: {n: {body: [dense: 4]}}\nbody: [n, n, "
    one, other = (loads(f"{head}{last}]\n") for last in ("n", "dense: 4"))
    assert is_isomorphic(one, one) and not is_isomorphic(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["captioner", "mtcnn", "segnet_basic", "yolov1_tiny", "encoder_decoder", "fcn8s"])
def test_ops_of_every_kind_come_back(name, unallocated):
    come_back(name)


@pytest.mark.long
@pytest.mark.parametrize("names", [pytest.param(names, id=spec) for spec, names in FILES.items()])
def test_the_catalogue_comes_back(names, unallocated):
    for name in names:
        come_back(name)


APPLICATIONS = {
    "ResNet50": 80,
    "MobileNetV2": 60,
    "VGG16": 20,
    "DenseNet121": 50,
    "Xception": 50,
    "InceptionV3": 100,
    "InceptionResNetV2": 120,
    "NASNetMobile": 800,
    "EfficientNetB0": 100,
    "EfficientNetV2B0": 110,
    "MobileNet": 50,
    "MobileNetV3Small": 90,
    "ResNet50V2": 80,
    "ConvNeXtTiny": 50,
}
"""A network of each family of ``keras.applications``, and the most lines that its spec may have."""


@pytest.mark.parametrize(
    ("name", "lines"),
    [pytest.param(*one, marks=pytest.mark.slow if one[1] == 80 else pytest.mark.long) for one in APPLICATIONS.items()],
)
def test_networks_of_keras_applications_are_short(name, lines, unallocated):
    import keras

    model = getattr(keras.applications, name)(weights=None)
    text = of_model(model)
    assert len(text.splitlines()) < lines
    again = loads(text)
    # What a Normalization has learnt becomes arguments.
    learnt = sum(layer.count_params() for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    assert archspec.table(again).totals.params == model.count_params() - learnt
    assert is_isomorphic(again, loads(of_model(archspec.compile(again))))
