"""Memory, held to what XLA assigns, to what PyTorch's autograd saves, and to Keras's optimisers."""

from __future__ import annotations

import pytest

import archspec
from archspec.analysis.memory import POLICIES, largest_batch, live, memory, saved
from archspec.ir.tensors import UnknownSize
from archspec.training.optimizers import Optimizer
from tests.wording import refuses

MIB = 2**20


@pytest.fixture(scope="module")
def graphs():
    return {n: archspec.load(n) for n in ("vgg16", "inception_v3", "densenet201", "resnet50_keras")}


def net(tmp_path, *steps, head="inputs: {image: [8, 8, 4]}"):
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\n{head}\nbody:\n" + "".join(f"  - {s}\n" for s in steps), encoding="utf-8")
    return archspec.load(str(path))


@pytest.mark.parametrize(
    ("spec", "in_place", "most"),
    [
        # MiB of float32. XLA's buffer assignment of keras.applications lies between: 7.98 for InceptionV3, 7.63 for
        # DenseNet201; VGG16's is input and output of its second convolution, 2 · 224² · 64 numbers.
        ("vgg16", 24.50, 24.50),
        ("inception_v3", 7.91, 10.55),
        ("densenet201", 6.89, 8.04),
        ("resnet50_keras", 6.89, 9.19),
    ],
)
def test_peaks_of_published_networks(graphs, spec, in_place, most):
    peak = memory(graphs[spec]).peak
    assert (round(peak.in_place / MIB, 2), round(peak.bytes / MIB, 2)) == (in_place, most)


def test_what_is_saved_is_what_autograd_saves(graphs):
    """PyTorch's saved_tensors_hooks held 81.52 MiB for Keras's ResNet-50 at one sample: the two margins that Keras pads
    apart are tensors of their own there, and batch normalisation's means and deviations are not per sample."""
    margins = (230 * 230 * 3 - 224 * 224 * 3 + 114 * 114 * 64) * 4
    statistics = 53_120 * 4
    total = memory(graphs["resnet50_keras"]).saved + margins + statistics
    assert total / MIB == pytest.approx(81.52, rel=0.005)


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (["relu"], [0]),
        (["dense: 4", "relu", "dense: 4"], [1024, 1024, 0]),
        # A relu's output is the next layer's input: kept once.
        (["conv: {filters: 4, activation: relu}", "conv: 4"], [2048, 0]),
        (["dense: 4", "gelu"], [1024, 1024]),
        (["dense: {units: 4, activation: gelu}"], [2048]),
        (["dense: 4", "max_pool: 2"], [1024, 1024 + 16 * 4 * 8]),
        (["dense: 4", "dropout: 0.5", "dense: 4"], [1024, 8 * 8 * 4, 1024]),
        (["dense: 4", "flatten", "dense: 2"], [1024, 0, 1024]),
        (["dense: 4", "global_avg_pool", "softmax"], [1024, 0, 16]),
        (["dense: 4", "detach", "relu"], [1024, 0, 0]),
    ],
)
def test_saved_by_hand(tmp_path, steps, kept):
    assert saved(net(tmp_path, *steps)) == kept


def test_a_tensor_lives_until_it_is_read_last(tmp_path):
    """Of 8·8 positions and 4 bytes, 256 for each channel."""
    steps = ["{conv: 8, as: a}", "{conv: 2, as: b}", "{conv: 8, from: a, as: c}", "{concat: [b, c], as: d}"]
    graph = net(tmp_path, *steps)
    order = [node.name for node in graph.nodes]
    lives = dict(zip(order, live(graph), strict=True))
    # a: image and a; b: a and b; c: b, a and c; d: b, c and d.
    assert lives == {"a": 256 * 12, "b": 256 * 10, "c": 256 * 18, "d": 256 * 20}
    assert memory(graph).peak.node == "d"


def test_in_place_an_elementwise_op_takes_no_more(tmp_path):
    graph = net(tmp_path, "conv: 8", "relu")
    assert live(graph) == [256 * 12, 256 * 16]
    assert live(graph, in_place=True) == [256 * 12, 256 * 8]


def test_training_is_the_sum_of_its_parts(tmp_path):
    graph = net(tmp_path, "conv: {filters: 8, kernel: 3}", "batch_norm", "relu")
    one, four = memory(graph), memory(graph, 4)
    params, trained = 3 * 3 * 4 * 8 + 8 + 32, 3 * 3 * 4 * 8 + 8 + 16
    assert (one.weights, one.gradients, one.slots) == (4 * params, 4 * trained, 8 * trained)
    assert (four.saved, four.transient, four.weights) == (4 * one.saved, 4 * one.transient, one.weights)
    # Backwards: all that is saved and ReLU's two gradients; without ReLU's output, batch normalisation's two and the
    # gradients of its weights; the image, the gradient of the convolution's output, and all gradients of weights.
    assert one.saved == 1024 + 2048 + 2048
    assert one.moments == ((4 * trained, 0), (4 * trained, 1024 + 2048), (64, 3072 + 4096), (0, 5120 + 4096))
    assert one.training == one.weights + one.slots + 5120 + 4096
    assert four.training == four.weights + four.slots + 4 * (5120 + 4096)
    assert memory(graph, slots=0).training == one.training - one.slots


ADVERSARIES = """archspec: 1
name: pair
networks:
  make: {inputs: {z: [4]}, body: [{dense: {units: 8, bias: false}}]}
  judge: {inputs: {x: [8]}, body: [{dense: {units: 16, bias: false}}, relu, {dense: {units: 1, bias: false}}]}
train:
  inputs: {real: [8], z: {normal: [4]}}
  body:
    - {make, from: z, as: fake}
    - {detach, from: fake, as: shown}
    - {judge, from: real, as: of_real}
    - {judge, from: shown, as: of_shown}
    - {judge, from: fake, as: of_fake}
  steps:
    - {update: [judge], minimize: [{mse: [of_real, 1]}, {mse: [of_shown, 0]}]}
    - {update: [make], minimize: [{mse: [of_fake, 1]}]}
"""


def test_each_update_of_several_networks_needs_its_own(tmp_path):
    """Who judges saves two inputs of 8 and two hidden layers of 16 numbers, and makes gradients of 8 · 16 + 16 weights;
    who makes saves less, and makes fewer."""
    path = tmp_path / "pair.yaml"
    path.write_text(ADVERSARIES, encoding="utf-8")
    found = memory(archspec.load(str(path)), slots=2)
    assert (found.weights, found.gradients, found.slots) == (4 * 176, 4 * 144, 8 * 176)
    assert found.saved == 4 * 2 * (8 + 16)


def test_types(tmp_path):
    graph = net(tmp_path, "conv: 8", "relu")
    whole, half, mixed = (memory(graph, policy=p) for p in ("float32", "float16", "mixed_float16"))
    assert half.training * 2 == whole.training
    assert (mixed.weights, mixed.slots, mixed.saved) == (whole.weights, whole.slots, half.saved)
    assert all(memory(graph, policy=p).training for p in POLICIES)
    with refuses(ValueError):
        memory(graph, policy="int8")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("budget", [2**20, 2**26, 2**34])
def test_the_largest_batch_fits_and_one_more_does_not(graphs, training, budget):
    graph = graphs["densenet201"]

    def needs(batch):
        found = memory(graph, batch)
        return found.training if training else found.inference

    batch = largest_batch(memory(graph), budget, training=training)
    assert needs(batch + 1) > budget
    assert batch == 0 or needs(batch) <= budget


@pytest.mark.parametrize("training", [True, False])
def test_what_five_samples_need_holds_five(tmp_path, training):
    graph = net(tmp_path, "flatten", "{dense: 9, repeat: 3}")
    found = memory(graph, 5)
    needs = found.training if training else found.inference
    assert largest_batch(memory(graph), needs, training=training) == 5
    assert largest_batch(memory(graph), needs - 1, training=training) == 4


def test_open_sizes_are_no_figure(tmp_path):
    with pytest.raises(UnknownSize):
        memory(net(tmp_path, "dense: 3", head="inputs: {x: [T, 4]}"))


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "args",
    [
        {"sgd": {}},
        {"sgd": {"momentum": 0.9}},
        {"rmsprop": {}},
        {"rmsprop": {"momentum": 0.9, "centered": True}},
        {"adam": {}},
        {"adam": {"amsgrad": True}},
        *({name: {}} for name in ("adamw", "lion", "adagrad", "adadelta", "lamb")),
    ],
)
def test_slots_are_what_keras_keeps(args):
    import keras

    ((name, given),) = args.items()
    optimizer = Optimizer.find(name).model_validate(given)
    made = optimizer.lower(optimizer.learning_rate)
    made.build([keras.Variable([0.0, 0.0, 0.0])])
    assert sum(v.shape == (3,) for v in made.variables) == optimizer.slots()
