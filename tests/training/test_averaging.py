"""Polyak averages against a mean taken step by step outside of Keras, and their statistics of batch normalisation."""

import keras
import numpy as np
import pytest

import archspec
from archspec.ir.diagnostics import SpecError
from archspec.training.run import run
from tests.shares import few
from tests.training import runs
from tests.wording import refuses

# Without a bias before batch normalisation: its gradient is rounding, which Adam would make steps of.
SPEC = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body: [conv: {filters: 4, kernel: 3, bias: false}, batch_norm, relu, flatten, dropout: 0.2, {dense: 16, as: hidden},
  relu]
heads:
  main: {body: [dense: {units: 10, activation: softmax}], loss: categorical_crossentropy}
"""


@pytest.mark.parametrize("train", ["average_last: 2, ema: 0.9", "average_last: 4, epochs: 3", "average_last: 0"])
def test_what_makes_no_sense_is_refused(plan, train):
    with refuses(SpecError):
        plan(f"{{{train}}}", spec=SPEC)


def by_hand(made, last):
    """Weights after every step of the last epochs, of a bare loop; their mean; and the model with it."""
    from archspec import compile

    keras.utils.set_random_seed(made.spec.train.seed)
    model = compile(made.graph)
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", jit_compile=False)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    first, total = (made.spec.train.epochs - last) * made.steps, made.spec.train.epochs * made.steps
    seen = []
    for step, (x, y) in zip(range(total), made.pipeline.training(objective.pairs), strict=False):
        model.train_on_batch(x, y)
        if step >= first:
            seen.append([w.numpy() for w in model.trainable_variables])
    for variable, values in zip(model.trainable_variables, zip(*seen, strict=True), strict=True):
        variable.assign(np.mean(np.stack(values), 0, dtype=np.float64))
    return model, objective


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("last", few([1, 2], 2))
def test_averages_are_the_mean_of_the_weights_after_each_step(plan, tmp_path, last):
    made = plan(f"{{optimizer: {{sgd: 0.1}}, schedule: constant, epochs: 3, average_last: {last}, seed: 3}}", spec=SPEC)
    result = run(made, tmp_path / "run", progress=None)
    model, objective = by_hand(made, last)
    with np.load(tmp_path / "run" / "weights.npz") as file:
        for variable in model.trainable_variables:
            np.testing.assert_allclose(file[variable.path], variable.numpy(), atol=2e-5, err_msg=variable.path)
        found = {name.partition("/")[2]: file[name] for name in file.files if "moving" in name}
    # Statistics of a batch are those of the convolution's output: no need of Keras's running means.
    before = keras.Model(model.input, model.get_layer("conv").output)
    outputs = []
    for step, (x, _) in zip(range(min(100, made.steps)), made.pipeline.training(objective.pairs), strict=False):
        assert step < made.steps
        outputs.append(before(x).numpy())
    means = np.mean([out.mean((0, 1, 2)) for out in outputs], 0)
    np.testing.assert_allclose(found["moving_mean"], means, atol=1e-4)
    np.testing.assert_allclose(found["moving_variance"], np.mean([o.var((0, 1, 2)) for o in outputs], 0), atol=1e-4)
    # What was evaluated is what was saved.
    layer = model.get_layer("batch_norm")
    layer.moving_mean.assign(found["moving_mean"])
    layer.moving_variance.assign(found["moving_variance"])
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(made.pipeline.evaluation(made.split, objective.pairs), verbose=0)
    assert result.metrics["loss"] == pytest.approx(loss, abs=1e-4)
    assert result.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_averages_and_estimates_leave_the_training_alone_and_resume_to_the_bit(plan, tmp_path):
    """The weights that are trained, generators and running statistics are those of a run without averages."""
    import shutil

    settings = "optimizer: {adam: 0.01}, epochs: 4, seed: 5, checkpoint_steps: 19, steps_per_execution: 1"
    run(plan(f"{{{settings}}}", spec=SPEC), tmp_path / "plain", progress=None)
    made = plan(f"{{{settings}, average_last: 3}}", spec=SPEC)
    run(made, tmp_path / "whole", progress=None)
    a, b = runs.state(tmp_path / "plain"), runs.state(tmp_path / "whole")
    for name in a:
        if name.startswith(("weight/", "seed/")):
            # Putting averages in the place of the weights and back rounds them, in Keras.
            np.testing.assert_allclose(a[name], b[name], atol=2e-4, err_msg=name)
    for done in sorted((tmp_path / "whole" / "checkpoints").iterdir())[-1:]:
        shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
        shutil.rmtree(tmp_path / "stopped" / "checkpoints" / done.name)
    run(made, tmp_path / "stopped", progress=None, resume=True)
    runs.assert_same(tmp_path / "whole", tmp_path / "stopped")
    one, other = ((tmp_path / name / "weights.npz").read_bytes() for name in ("whole", "stopped"))
    assert one == other


GRAPH = """
archspec: 1
name: graph
inputs: {image: [8, 8, 1]}
body: [conv: {filters: 4, kernel: 3, bias: false}, batch_norm, relu, flatten, {dense: 10, as: told}]
heads: {told: {from: told}}
train:
  inputs: {label: {shape: [], dtype: int32}}
  body:
    - {one_hot: 10, from: label, as: wanted}
  minimize: [mse: [told, wanted]]
"""


@pytest.mark.tensorflow
@pytest.mark.slow
def test_statistics_of_a_network_with_a_train_section_are_estimated_anew_too(plan, tmp_path):
    """They stayed those of the training: its layers stand within the model that fit is called on."""
    made = plan("{optimizer: {sgd: 0.1}, epochs: 2, average_last: 1, seed: 3}", spec=GRAPH)
    assert made.task.name == "training_graph"
    run(made, tmp_path / "run", progress=None)
    network = archspec.compile(made.graph)
    with np.load(tmp_path / "run" / "weights.npz") as file:
        found = {name: file[name] for name in file.files}
    network.get_layer("conv").set_weights([found["conv/kernel"]])
    before = keras.Model(network.input, network.get_layer("conv").output)
    batches = made.pipeline.training(lambda batch: (batch["image"], ()))
    outputs = [before(x).numpy() for _, (x, _) in zip(range(min(100, made.steps)), batches, strict=False)]
    means = np.mean([out.mean((0, 1, 2)) for out in outputs], 0)
    np.testing.assert_allclose(found["batch_norm/moving_mean"], means, atol=1e-4)
    variances = np.mean([out.var((0, 1, 2)) for out in outputs], 0)
    np.testing.assert_allclose(found["batch_norm/moving_variance"], variances, atol=1e-4)
