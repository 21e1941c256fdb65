"""A class for each word: padding counts in nothing, and a network learns what a word alone does not tell."""

import json
import random

import numpy as np
import pytest

from archspec.cli import main
from archspec.data.errors import DataError
from archspec.data.sources.tagged import Tagged
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import refuses

SPEC = """
archspec: 1
name: tagger
params: {vocab: 20, classes: 3}
inputs: {tokens: {shape: [T], dtype: int32}}
body:
  - embedding: {vocab: =vocab, dim: 8, mask_zero: true}
  - bidirectional: {layer: {gru: {units: 8, sequences: true}}}
heads:
  tag: {body: [dense: {units: =classes, activation: softmax}], loss: sparse_categorical_crossentropy}
"""
RUN = """
archspec_run: 1
spec: tagger.yaml
data: {tagged: {path: words.txt, bucket: 4}}
train: {task: labelling, optimizer: {adam: 0.02}, epochs: 6, batch: 16}
"""


def sentences(count=400, seed=0):
    """What a word is depends on the word before it: after 'not', good is bad and bad is good; 'film' is neither."""
    draw, out = random.Random(seed), []
    for _ in range(count):
        words = [draw.choice(["good", "bad", "not", "film"]) for _ in range(draw.randint(1, 9))]
        tags = []
        for before, word in zip(["", *words], words, strict=False):
            other = {"good": "BAD", "bad": "GOOD"}
            tags.append(other.get(word, "O") if before == "not" else word.upper() if word in other else "O")
        out.append("".join(f"{w} x {t}\n" for w, t in zip(words, tags, strict=True)))
    return "-DOCSTART- -X- O\n\n" + "\n".join(out)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "words.txt").write_text(sentences())
    (tmp_path / "tagger.yaml").write_text(SPEC)
    (tmp_path / "run.yaml").write_text(RUN)
    return tmp_path


def test_an_example_has_a_class_for_each_word(tmp_path):
    (tmp_path / "w.txt").write_text("a X\nb Y\n\n\nc Z X\n" + "\nd Y\n" * 8)
    source = Tagged(path=tmp_path / "w.txt", test=tmp_path / "w.txt")
    features = source.features()
    assert (features.class_names, features.splits) == (("X", "Y"), {"train": 10, "test": 10})
    arrays, vocabulary = source.arrays("train"), features.vocabularies["tokens"]
    assert arrays["tokens"][:2].tolist() == [
        [vocabulary.number("a"), vocabulary.number("b")],
        [vocabulary.number("c"), 0],
    ]
    assert arrays["label"][:3].tolist() == [[0, 1], [0, -1], [1, -1]]
    assert source.describe("train", 1) == f"{tmp_path / 'w.txt'}, line 5"
    cut = source.model_copy(update={"length": 1}).arrays("test")
    assert cut["tokens"].shape == cut["label"].shape == (10, 1)


@pytest.mark.parametrize(
    "text",
    [
        "a X\nb\n",
        "\n\n",
        "a X\n\na X\n\na X\n\nb Z\n",
    ],
)
def test_files_that_are_wrong_are_refused(tmp_path, text):
    (tmp_path / "w.txt").write_text(text)
    (tmp_path / "t.txt").write_text("a X\n")
    swap = "Z" in text
    source = Tagged(path=tmp_path / ("t.txt" if swap else "w.txt"), test=tmp_path / "w.txt" if swap else None)
    with refuses(DataError):
        source.features()


def test_a_tokenizer_that_divides_words_is_refused(tmp_path):
    from archspec.data.tokenizers.level import Words

    (tmp_path / "w.txt").write_text("it's X\n\nit's X\n")
    with refuses(DataError):
        Tagged(path=tmp_path / "w.txt", tokenizer=Words()).arrays("train")


REFUSED = [
    ("sparse_categorical_crossentropy", "categorical_crossentropy"),
    ("classes: 3", "classes: 4"),
    ("sequences: true}", "sequences: false}"),
    ("vocab: 20", "vocab: 3"),
    ("[T]", "[7]"),
]


@pytest.mark.parametrize(("old", "new"), REFUSED)
def test_networks_that_do_not_fit_are_refused_before_keras(folder, old, new):
    (folder / "tagger.yaml").write_text(SPEC.replace(old, new, 1))
    with refuses(SpecError):
        Run.open(str(folder / "run.yaml")).plan()


def test_data_with_a_class_for_each_example_are_refused(folder):
    (folder / "lines.txt").write_text("0 good\n1 bad\n2 film\n" * 4)
    (folder / "run.yaml").write_text(RUN.replace("tagged: {path: words.txt, bucket: 4}", "text: lines.txt"))
    with refuses(SpecError):
        Run.open(str(folder / "run.yaml")).plan()


@pytest.mark.tensorflow
def test_padding_counts_in_nothing(folder):
    import keras

    import archspec

    plan = Run.open(str(folder / "run.yaml")).plan()
    model = archspec.compile(plan.graph, training=True)
    objective = plan.task.trainer(plan.graph, model, plan.spec.train, plan.features)
    (loss,), ((accuracy,),) = objective.losses.values(), objective.metrics.values()
    # Two sentences in one batch, filled up to five steps, and each by itself.
    tokens = np.array([[2, 3, 4, 2, 3], [5, 3, 0, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 1], [2, 0, -1, -1, -1]])
    assert keras.ops.shape(model(tokens)) == (2, 5, 3)
    single = [(model(tokens[:1]), labels[:1]), (model(tokens[1:, :2]), labels[1:, :2])]
    expected = (5 * loss(single[0][1], single[0][0]) + 2 * loss(single[1][1], single[1][0])) / 7
    assert float(loss(labels, model(tokens))) == pytest.approx(float(expected), rel=1e-5)
    # The same where the network has no mask.
    bare = keras.ops.convert_to_tensor(np.asarray(model(tokens)))
    assert float(loss(labels, bare)) == pytest.approx(float(expected), rel=1e-5)
    said = np.asarray(bare).argmax(-1)
    hits = np.concatenate([said[0] == labels[0], said[1, :2] == labels[1, :2]])
    accuracy.update_state(labels, bare)
    assert float(accuracy.result()) == pytest.approx(hits.mean())


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_network_learns_what_only_the_word_before_tells(folder, capsys):
    from archspec.training.run import run

    result = run(Run.open(str(folder / "run.yaml")).plan(), folder / "run", progress=None)
    # By the word alone about one in eight is wrong.
    assert result.metrics["accuracy"] >= 0.98
    assert main(["evaluate", str(folder / "run"), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    tagged = Tagged(path=folder / "words.txt").arrays("val")
    assert said["examples"] == int((tagged["label"] >= 0).sum())
    assert said["top_1"] == pytest.approx(result.metrics["accuracy"], abs=1e-4)
    assert said["classes"] == ["BAD", "GOOD", "O"]
