"""Networks laid over larger images: sizes that can be counted, and scores that crops give one by one."""

import json
from dataclasses import replace

import numpy as np
import pytest

import archspec
from archspec.analysis.convolutional import NotConvolutional, class_map, convolutional, reshaped
from archspec.frontend import catalogue
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op
from tests.shares import few
from tests.wording import refuses

HEAD = """
archspec: 1
name: net
inputs: {image: [12, 12, 3]}
body:
BODY
heads:
  main: {body: [HEAD], loss: categorical_crossentropy}
"""
DENSE = "[flatten, dropout: 0.5, dense: {units: 16, activation: relu}, dense: 5, softmax]"
SMALL = "  - conv: {filters: 4, kernel: 3, padding: valid}\n  - relu\n  - max_pool: {size: 2, padding: valid}\n"


def net(body, head, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(HEAD.replace("BODY", body).replace("[HEAD]", head))
    return archspec.load(str(path))


@pytest.mark.parametrize(
    ("name", "size", "places"),
    [
        ("vgg16", (448, 448), (8, 8)),
        ("vgg16", (224, 224), (1, 1)),
        ("vgg16", (256, 480), (2, 9)),
        ("alexnet", (227 + 3 * 32, 227), (4, 1)),
        ("resnet50", (448, 448), (8, 8)),
        ("lenet5", (40, 32), (3, 1)),
    ],
)
def test_the_class_map_has_the_size_that_counting_gives(name, size, places):
    graph = archspec.load(name)
    laid = convolutional(graph, size)
    assert class_map(laid).spatial == places
    assert laid.spec(laid.outputs[0].tensor) == graph.spec(graph.inference().outputs[0].tensor)
    assert sum(n.params for n in laid.owners()) == sum(n.params for n in graph.inference().owners())


def members():
    """Names of the catalogue's networks that take images of one size."""
    for spec in json.loads((catalogue.folder() / "index.json").read_text()):
        for member in spec["members"]:
            name = member["variant"] or spec["name"]
            if str(member["input"]).count("x") == 2 and "?" not in member["input"] and "x" not in str(member["output"]):
                yield name


@pytest.mark.slow
def test_every_image_classifier_is_laid_out_or_refused_with_its_layer():
    """Over the catalogue: over the network's own size there is one place, and the same number of weights."""
    laid_out, refused = 0, 0
    for name in members():
        graph = archspec.load(name)
        specs = list(graph.inputs.values())
        if len(specs) != 1 or specs[0].rank != 3 or graph.spec(graph.outputs[0].tensor).rank != 1:
            continue
        try:
            laid = convolutional(graph, specs[0].spatial)
        except NotConvolutional as error:
            refused += 1
            assert error.notes, name
            continue
        laid_out += 1
        assert class_map(laid).spatial == (1, 1), name
        assert sum(n.params for n in laid.owners()) == sum(n.params for n in graph.inference().owners()), name
    assert laid_out > 20 and refused > 0


@pytest.mark.parametrize(
    ("body", "head", "message"),
    [
        (SMALL, "[reshape: [25, 4], flatten, dense: 5, softmax]", "does not do the same at every place"),
        (SMALL, "[flatten, batch_norm, dense: 5, softmax]", "takes the places of the map apart"),
        (SMALL, "[flatten, softmax]", "takes the places of the map apart"),
        (SMALL + "  - bias: position\n", DENSE, "is of its own at each place"),
        (SMALL + "  - softmax: {axis: 0}\n", DENSE, "works along axis 0, which is a place"),
        (
            SMALL,
            "[adaptive_avg_pool: 3, flatten, dense: 5, softmax]",
            "'main.adaptive_avg_pool' does .*: its windows differ",
        ),
    ],
)
def test_what_cannot_be_laid_out_is_refused_with_its_layer(body, head, message, tmp_path):
    with pytest.raises(NotConvolutional, match=message) as error:
        convolutional(net(body, head, tmp_path))
    assert error.value.notes[0].span.source.name.endswith("net.yaml")


def test_a_network_without_a_size_of_its_own_is_refused():
    with refuses(NotConvolutional):
        convolutional(replace(archspec.load("lenet5"), inputs={"image": TensorSpec((None, None, 1))}))


NETS = {
    "flatten": (SMALL, DENSE),
    "mean": (SMALL + "  - batch_norm\n", "[global_avg_pool, dense: 5, softmax]"),
    "maximum": (SMALL, "[global_max_pool, dense: {units: 5, activation: softmax}]"),
    "kept": (SMALL, "[global_avg_pool: {keep: true}, conv: 7, relu, flatten, dense: 5, softmax]"),
    "adaptive": (SMALL, "[adaptive_avg_pool: 5, flatten, relu, dense: 5, softmax]"),
    "bins": (SMALL.replace("kernel: 3", "kernel: 5"), "[adaptive_avg_pool: 2, flatten, dense: 5, softmax]"),
    "logits": (SMALL, "[flatten, dense: 5]"),
    "concat": (SMALL, "[{branches: [[global_avg_pool], [global_max_pool]], merge: concat}, dense: 5, softmax]"),
}


def pair(graph, laid):
    """Both networks with the same random weights."""
    from archspec.backend.build import weight_name
    from archspec.backend.weights import assign

    one, other = archspec.compile(graph), archspec.compile(laid)
    draw = np.random.default_rng(0)
    values = {
        f"{layer.name}/{weight_name(w, layer.name)}": abs(draw.normal(size=w.shape).astype("float32") * 0.3)
        if "variance" in w.path
        else draw.normal(size=w.shape).astype("float32") * 0.3
        for layer in one.layers
        for w in layer.weights
    }
    assign(one, values)
    assign(other, reshaped(laid, values))
    return one, other


@pytest.mark.fast(3)
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NETS)
def test_scores_of_an_image_are_the_mean_of_those_of_its_crops(name, tmp_path):
    """The nets pad nothing, so that each place of the class map is the network on one crop of the image."""
    body, head = NETS[name]
    graph = net(body, head, tmp_path)
    laid = convolutional(graph, activation=Op.find("softmax")() if name == "logits" else None)
    one, other = pair(graph, laid)
    images = np.random.default_rng(1).normal(size=(2, 16, 18, 3)).astype("float32")

    def said(x):
        scores = np.asarray(one(x, training=False))
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True) if name == "logits" else scores

    # Two bins of two positions each are four pixels apart.
    rows, columns = ((0, 4), (0, 4)) if name == "bins" else ((0, 2, 4), (0, 2, 4, 6))
    crops = [said(images[:, y : y + 12, x : x + 12]) for y in rows for x in columns]
    assert np.std(crops, axis=0).max() > 1e-3
    np.testing.assert_allclose(other(images, training=False), np.mean(crops, 0), atol=1e-5)
    native = images[:, :12, :12]
    np.testing.assert_allclose(other(native, training=False), said(native), atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    few(
        [("vgg11", {"size": 64, "classes": 10}), ("squeezenet1_0", {"size": 96, "classes": 10}), ("lenet5", {})],
        "squeezenet1_0",
    ),
)
def test_networks_of_the_catalogue_say_the_same_at_their_own_size(name, settings):
    graph = archspec.load(name, **settings)
    one, other = pair(graph, convolutional(graph))
    shape = next(iter(graph.inputs.values())).shape
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(other(x, training=False), one(x, training=False), atol=1e-4)
