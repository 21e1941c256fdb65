"""What a task does not train is refused in words that lead somewhere: docs/training.md has the table."""

import pytest

import archspec
from archspec.ir.diagnostics import SpecError

TOWERS = """
archspec: 1
name: towers
inputs: {image: [8, 8, 1], extra: [3]}
body:
  - {flatten: {}, from: image, as: flat}
  - {concat: {}, from: [flat, extra]}
heads:
  kind: {body: [dense: 10, softmax], loss: categorical_crossentropy}
  size: {body: [dense: 1], loss: mse}
"""
PAIR = """
archspec: 1
name: pair
inputs: {source: {shape: [20], dtype: int32}, target: {shape: [20], dtype: int32}}
body:
  - {embedding: {vocab: 9, dim: 4}, from: source, as: a}
  - {embedding: {vocab: 9, dim: 4}, from: target, as: b}
  - {add: {}, from: [a, b]}
heads: {main: {body: [dense: 9], loss: sparse_categorical_crossentropy}}
"""
OF_ONE_INPUT = ("autoencoding", "labelling", "language_modelling")
OF_NAMED_INPUTS = ("classification", "multitask", "regression")


def said(folder, spec, task):
    (folder / "net.yaml").write_text(spec)
    run = folder / "run.yaml"
    run.write_text(f"archspec_run: 1\nspec: net.yaml\ndata: digits\ntrain: {{task: {task}}}\n")
    with pytest.raises(SpecError) as error:
        archspec.Run.open(run).plan()
    return [(d.span.line, d.message, d.help) for d in error.value.diagnostics]


@pytest.mark.parametrize("task", OF_ONE_INPUT)
def test_several_inputs_with_a_label_are_no_tasks(task, tmp_path):
    has = f"{task} trains a network with one input, 'towers' has 2: image, extra"
    (found,) = [one for one in said(tmp_path, TOWERS, task) if one[1] == has]
    assert found == (2, has, "classification, regression and multitask train networks of several inputs")


@pytest.mark.parametrize("task", ["classification", "multitask"])
def test_each_input_takes_the_part_of_its_name(task, tmp_path):
    has = "the network takes 'extra', the data have image"
    (found,) = [one for one in said(tmp_path, TOWERS, task) if one[1] == has]
    assert found[0] == 3 and found[2] == "of several inputs each takes the part of an example that has its name"


@pytest.mark.parametrize("task", OF_ONE_INPUT)
def test_source_and_target_have_their_task(task, tmp_path):
    has = f"{task} trains a network with one input, 'pair' has 2: source, target"
    (found,) = [one for one in said(tmp_path, PAIR, task) if one[1] == has]
    assert found[2] == "task: sequence_to_sequence trains a network that takes source and target"


@pytest.mark.parametrize("task", ["autoencoding", "labelling", "language_modelling", "regression"])
def test_several_heads(task, tmp_path):
    one = TOWERS.replace(", extra: [3]", "").replace("[flat, extra]", "[flat, flat]")
    has = f"{task} trains a network with one head, 'towers' has 2: kind, size"
    (found,) = [one for one in said(tmp_path, one, task) if one[1] == has]
    assert found[0] == 2 and found[2].startswith("task: multitask trains several heads, each with a task")


@pytest.mark.parametrize("task", [*OF_ONE_INPUT, *OF_NAMED_INPUTS])
def test_several_networks_are_told_once(task, tmp_path):
    (tmp_path / "run.yaml").write_text(f"archspec_run: 1\nspec: wgan_gp\ndata: digits\ntrain: {{task: {task}}}\n")
    with pytest.raises(SpecError) as error:
        archspec.Run.open(tmp_path / "run.yaml").plan()
    told = [d.help for d in error.value.diagnostics if "train section" in d.message]
    assert told == ["task: adversarial, or leave task out"]
