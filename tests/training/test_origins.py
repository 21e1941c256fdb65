"""Where weights come from at a run's start: several files, each for a part of the network."""

import numpy as np
import pytest

import archspec
from archspec.backend.weights import ARRAYS_ALONE
from archspec.ir.diagnostics import SpecError
from archspec.training.initial_weights import initial_weights
from archspec.training.task import TaskError
from tests.wording import refuses


@pytest.fixture(scope="module")
def graph():
    return archspec.load("srresnet", size=4, width=4, blocks=1)


@pytest.fixture
def file(graph, tmp_path):
    """``file("G.", first=…)`` writes the layers' weights without that part of their names."""

    def write(less="", leave=None):
        draw = np.random.default_rng(len(less))
        values = {
            f"{node.layer.removeprefix(less)}/{weight.name}": draw.normal(size=weight.shape).astype("float32")
            for node in graph.owners()
            for weight in node.weights
            if node.layer != leave
        }
        path = tmp_path / f"{len(less)}{leave}.npz"
        np.savez(path, **values)
        return path, values

    return write


def test_layers_below_a_name_have_theirs_with_it_or_without(graph, file):
    for less in ("", "G."):
        path, values = file(less)
        found = initial_weights(graph, {"G": path}).values
        assert {name.removeprefix(less) for name in found} == set(values)
        for name, array in found.items():
            np.testing.assert_array_equal(array, values[name.removeprefix(less)])


def test_what_a_file_of_arrays_does_not_say_is_noted(graph, file):
    for weights in ({"G": file("G.")[0]}, file()[0]):
        assert initial_weights(graph, weights).notes == (ARRAYS_ALONE,)


def test_of_two_files_each_gives_its_part(graph, file, tmp_path):
    whole, first = file()
    np.savez(tmp_path / "one.npz", **{name: 2 * value for name, value in first.items()})
    found = initial_weights(graph, {"G": whole, "G.conv": tmp_path / "one.npz"}).values
    np.testing.assert_array_equal(found["G.conv/kernel"], 2 * first["G.conv/kernel"])
    np.testing.assert_array_equal(found["G.conv_2/kernel"], first["G.conv_2/kernel"])


def test_a_file_without_a_layer_is_refused(graph, file):
    path, _ = file(leave="G.conv_2")
    with refuses(TaskError):
        initial_weights(graph, {"G": path})


def test_a_name_that_is_none_is_refused(graph, file):
    with pytest.raises(TaskError) as caught:
        initial_weights(graph, {"H": file()[0]})
    assert (caught.value.message, caught.value.at) == ("'H' is no layer and no network", ("train", "weights", "H"))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("{}", "train.weights must be a file, or a map of names of layers and files, got {}"),
        ("{conv: none.npz}", "train.weights must be an existing file or folder, got 'none.npz'"),
        ("3", "train.weights must be a path, got 3"),
    ],
)
def test_what_is_no_file_is_refused_where_it_stands(plan, weights, message):
    with pytest.raises(SpecError) as caught:
        plan(f"{{weights: {weights}}}")
    assert caught.value.diagnostics[0].message.startswith(message)


BODY = "archspec: 1\nname: net\ninputs: {{image: [8, 8, 1]}}\nbody:\n{}  - flatten\n  - {{dense: 10, as: fc}}\n"
LAYER = "  - {conv: {filters: 2, kernel: 3, padding: same}, as: c1}\n  - relu\n"


@pytest.mark.tensorflow
def test_layers_that_a_keras_file_computes_otherwise_are_warned_of(tmp_path):
    """Arrays fit in shape; what the file says of the layer that they are from is another thing."""
    base = archspec.compile(archspec.loads(BODY.format(LAYER + LAYER.replace("c1", "c0"))))
    base.save(tmp_path / "base.keras")
    run = tmp_path / "run.yaml"
    run.write_text("archspec_run: 1\nspec: net.yaml\ndata: digits\ntrain:\n  weights: base.keras\n")

    def warned(layer):
        (tmp_path / "net.yaml").write_text(BODY.format(layer) + "heads: {main: {loss: categorical_crossentropy}}\n")
        return [(d.code, d.span.line, d.message) for d in archspec.Run.open(run).warnings()]

    said = [
        ("W26", 5, "'c1': strides is [1, 1] in the file, 2 in the spec; padding is same in the file, valid in the spec")
    ]
    assert warned(LAYER.replace("same", "valid, stride: 2")) == said
    assert warned(LAYER.replace("relu", "tanh")) == [
        ("W26", 5, "'c1': activation is relu in the file, tanh in the spec")
    ]
    assert warned(LAYER) == []
