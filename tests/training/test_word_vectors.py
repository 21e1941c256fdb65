"""Embeddings that start from a file of word vectors."""

import numpy as np
import pytest

from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import refuses

SPEC = """
archspec: 1
name: words
params: {vocab: 12, dim: 3, both: false}
inputs: {tokens: {shape: [6], dtype: int32}}
body:
  - {embedding: {vocab: =vocab, dim: =dim, trainable: false}, as: fixed}
  - {embedding: {vocab: =vocab, dim: =dim}, from: tokens, as: learnt}
  - {concat: [fixed, learnt]}
  - global_avg_pool
heads:
  label:
    body: [dense: {units: 2, activation: softmax, kernel_constraint: {max_norm: 0.5}}]
    loss: categorical_crossentropy
"""
LINES = "".join(f"{i % 2} {'good' if i % 2 else 'bad'} film number {i % 3}\n" for i in range(20))


@pytest.fixture
def plan(tmp_path):
    """``plan(vectors)``: a run on sentences, with this text of a file of vectors."""

    def make(vectors, rest=""):
        (tmp_path / "words.yaml").write_text(SPEC)
        (tmp_path / "lines.txt").write_text(LINES)
        (tmp_path / "vectors.txt").write_bytes(vectors if isinstance(vectors, bytes) else vectors.encode())
        (tmp_path / "run.yaml").write_text(
            f"archspec_run: 1\nspec: words.yaml\ndata: {{text: {{path: lines.txt, length: 6}}}}\n{rest}"
            "train: {vectors: vectors.txt, optimizer: {adam: 0.1}, epochs: 2, batch: 4}\n"
        )
        return Run.open(str(tmp_path / "run.yaml")).plan()

    return make


GLOVE = "good 1 2 3\nbad -1 -2 -3.5\nunheard 9 9 9\ngood 7 7 7\n"


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GLOVE, id="glove"),
        pytest.param("3 3\n" + GLOVE, id="word2vec", marks=pytest.mark.slow),
        pytest.param(GLOVE.replace("\n", " \n"), id="space", marks=pytest.mark.slow),
    ],
)
def test_words_of_the_file_have_its_vectors_and_static_ones_keep_them(plan, text, tmp_path):
    from archspec.training.run import run

    made = plan(text)
    run(made, tmp_path / "run", progress=None)
    vocabulary = made.features.vocabularies["tokens"]
    with np.load(tmp_path / "run" / "weights.npz") as weights:
        fixed, learnt = weights["fixed/embeddings"], weights["learnt/embeddings"]
        kernel = weights["label.dense/kernel"]
    good, bad, film = (vocabulary.number(word) for word in ("good", "bad", "film"))
    np.testing.assert_array_equal(fixed[good], [1, 2, 3])
    np.testing.assert_array_equal(fixed[bad], [-1, -2, -3.5])
    assert 0 < np.abs(fixed[film]).max() <= 0.05
    # Both started there; one was trained on, at 0.1 a step for ten steps.
    assert 0 < np.abs(learnt[good] - [1, 2, 3]).max() < 1.1
    assert np.linalg.norm(kernel, axis=0).max() <= 0.5 + 1e-6
    assert (tmp_path / "run" / "vocabulary" / "tokens.json").read_text() == vocabulary.json


@pytest.mark.tensorflow
@pytest.mark.parametrize(("variant", "tables"), [("static", 1), ("multichannel", 2)])
@pytest.mark.slow
def test_textcnn_reads_vectors_that_the_user_gives(tmp_path, variant, tables):
    from archspec.training.run import run

    (tmp_path / "lines.txt").write_text(LINES)
    (tmp_path / "vectors.txt").write_text(GLOVE)
    (tmp_path / "run.yaml").write_text(
        f"archspec_run: 1\nspec: textcnn\nvariant: textcnn_{variant}\nset: {{vocab: 12, dim: 3, length: 6}}\n"
        "data: {text: {path: lines.txt, length: 6}}\ntrain: {vectors: vectors.txt, epochs: 1, batch: 4}\n"
    )
    plan = Run.open(str(tmp_path / "run.yaml")).plan()
    run(plan, tmp_path / "run", progress=None)
    good = plan.features.vocabularies["tokens"].number("good")
    with np.load(tmp_path / "run" / "weights.npz") as weights:
        found = [weights[name][good] for name in sorted(weights.files) if name.endswith("/embeddings")]
        assert np.linalg.norm(weights["label.dense/kernel"], axis=0).max() <= 3 + 1e-5
    assert len(found) == tables
    np.testing.assert_array_equal(found[0], [1, 2, 3])
    if tables == 2:
        assert 0 < np.abs(found[1] - [1, 2, 3]).max() < 0.1


REFUSED = [
    "good 1 2\n",
    "great 1 2 3\n",
    "good 1 2 3\nbad 1 2\n",
    "good 1 2 x\n",
    "good 1 2 nan\n",
    "",
    "good\n",
]


@pytest.mark.parametrize("text", REFUSED)
def test_files_that_do_not_fit_are_refused_before_keras(plan, text):
    with refuses(SpecError) as error:
        plan(text)
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.span.line, diagnostic.span.column) == (4, 18)


def test_vectors_need_words(tmp_path):
    from tests.training import runs

    (tmp_path / "vectors.txt").write_text(GLOVE)
    path = runs.write(tmp_path, "archspec_run: 1\nspec: small.yaml\ndata: digits\ntrain: {vectors: vectors.txt}\n")
    with refuses(SpecError):
        Run.open(str(path)).plan()


def test_a_vocabulary_larger_than_the_embedding_is_refused(plan):
    with refuses(SpecError) as error:
        plan(GLOVE, "set: {vocab: 8}\n")
    (diagnostic,) = error.value.diagnostics
    assert (diagnostic.span.line, diagnostic.span.column) == (3, 7)
    (note,) = diagnostic.notes
    assert note.span.source.name.endswith("words.yaml") and note.span.line == 7


def test_text_of_another_length_is_refused(plan, tmp_path):
    made = plan(GLOVE)
    path = tmp_path / "run.yaml"
    assert made.steps == 4
    for length in ("length: 7", "bucket: 2"):
        path.write_text(path.read_text().replace("length: 6", length).replace("length: 7, bucket", "bucket"))
        with refuses(SpecError):
            Run.open(str(path)).plan()
        path.write_text(path.read_text().replace(length, "length: 6"))
