"""What a run of several networks is refused for, before TensorFlow is imported, and what it is given by default."""

from __future__ import annotations

import archspec
from archspec.data.example import from_specs
from archspec.data.transforms.geometry import Resize
from archspec.data.transforms.intensity import Rescale
from archspec.ir.tensors import TensorSpec
from archspec.tasks.adversarial import Adversarial
from archspec.training.document import Train
from archspec.training.task import Task
from tests.tasks.adversarial import specs


def features(shape=(16, 16, 1), dtype="float32", classes=10, **more):
    parts = {"image": TensorSpec(shape, dtype), "label": TensorSpec((), "int32"), **more}
    return from_specs(parts, {"train": 100}, classes)


def refusal(graph, given, loss=None):
    found = next(iter(Adversarial().check(graph, given, given, Train(loss=loss))))
    return found.message, found.at, found.help


def small(**params):
    return archspec.load("dcgan", size=16, channels=1, **params)


def test_the_task_goes_by_its_name():
    assert Task.find("adversarial") is Adversarial


def test_images_come_in_the_networks_size_from_minus_1_to_1():
    steps = Adversarial().defaults(small(), features((8, 8, 1), "uint8"))["augment"]
    assert steps == (Resize(size=(16, 16)), Rescale(low=-1.0))
    assert Adversarial().defaults(small(), features())["augment"] == ()


def test_a_single_array_is_the_image_and_a_label_the_class():
    Adversarial().check(small(), features(), features(), Train())
    Adversarial().check(archspec.load("cgan", size=16), features(), features(), Train())


def test_inputs_go_by_their_names_where_there_are_several():
    graph = archspec.load("pix2pix")
    pair = {name: TensorSpec((256, 256, 3)) for name in ("a", "b")}
    Adversarial().check(graph, features(**pair), features(**pair), Train())
    assert refusal(graph, features()) == (
        "the networks are trained on 'a', the data have image, label",
        ("data",),
        "name the input after one of these, or use data that have 'a' (unpaired has a and b)",
    )


def test_data_that_do_not_fit_are_refused():
    assert refusal(small(), features((8, 8, 1))) == (
        "'real' is to be (16, 16, 1), the data give (8, 8, 1)",
        ("augment",),
        "put {resize: [16, 16]} first in augment",
    )
    assert refusal(small(), features(dtype="uint8"))[0] == "'real' is float32, the data give uint8"
    assert refusal(archspec.load("cgan", size=16), features(classes=4)) == (
        "the data have 4 classes, input 'label' has 10",
        ("data",),
        "--set classes=4",
    )


def test_a_spec_without_updates_is_refused(tmp_path):
    graph = specs.graph(tmp_path, specs.NETWORKS)
    assert refusal(graph, features())[0] == "'small' has no 'train' section, which says what its networks minimise"


def test_a_loss_in_the_run_is_refused():
    assert refusal(small(), features(), loss="mse")[:2] == (
        "the losses of several networks are the spec's",
        ("train", "loss"),
    )
