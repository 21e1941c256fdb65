"""Sequence to sequence: what is refused, with its place, before TensorFlow; what counts, and what is said."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.cli import main
from archspec.data.source import DataSource
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from archspec.tasks.decoding import Greedy
from archspec.tasks.decoding.beam import Beam

SPEC = """archspec: 1
name: small
params: {vocab: 13, source_length: 14, target_length: 13}
inputs: {source: {shape: [=source_length], dtype: int32}, target: {shape: [=target_length], dtype: int32}}
body:
  - {embedding: {vocab: =vocab, dim: 6, mask_zero: true}, from: source, as: heard}
  - {gru: {units: 6, states: true}, as: read}
  - {embedding: {vocab: =vocab, dim: 6, mask_zero: true}, from: target, as: said}
  - {gru: {units: 6, sequences: true}, from: {x: said, state: "read[1]"}}
heads:
  next: {body: [dense: =vocab], loss: sparse_categorical_crossentropy}
"""
RUN = """archspec_run: 1
spec: small.yaml
data: {symbols: {train: 200, test: 30}}
train: {task: sequence_to_sequence, epochs: 1, batch: 50}
"""
SMALL = {"source_length": 14, "target_length": 13, "dropout": 0.0, "depth": 2}
NETWORKS = {
    "seq2seq": {**SMALL, "source_vocab": 13, "target_vocab": 13, "units": 8},
    "transformer": {**SMALL, "vocab": 13, "dim": 8, "attention_heads": 2, "hidden": 16},
}


def files(folder: Path, run: str = RUN, spec: str = SPEC) -> str:
    (folder / "pairs.tsv").write_text("source\ttarget\n" + "".join(f"a{i} b\tc d{i}\n" for i in range(20)))
    (folder / "small.yaml").write_text(spec)
    (folder / "run.yaml").write_text(run)
    return str(folder / "run.yaml")


def test_a_run_that_can_start(tmp_path):
    plan = Run.open(files(tmp_path)).plan()
    assert plan.features.vocabularies["target"].size == 13 and (plan.steps, plan.split) == (4, "test")


def replaced(text, *changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


FAULTS = {
    "embedding": (
        RUN,
        replaced(SPEC, ("{vocab: 13,", "{vocab: 12,")),
        "3:7",
        "the vocabulary of source has 13 tokens, 'heard' has entries for 12",
        "--set vocab=13, or a limit of the tokenizer",
    ),
    "head": (
        RUN,
        replaced(SPEC, ("[dense: =vocab]", "[dense: 9]")),
        "3:7",
        "the vocabulary of target has 13 tokens, head 'next' scores 9",
        "--set vocab=13",
    ),
    "source length": (
        RUN,
        replaced(SPEC, ("source_length: 14", "source_length: 12")),
        "3:7",
        "the network reads 12 tokens of a source, the data give 14",
        "--set source_length=14",
    ),
    "target length": (
        RUN,
        replaced(SPEC, ("target_length: 13", "target_length: 14")),
        "3:7",
        "the network reads 14 tokens of a target, the data give 13",
        "--set target_length=13",
    ),
    "lengths vary": (
        replaced(RUN, ("symbols: {train: 200, test: 30}", "text_pairs: pairs.tsv")),
        SPEC,
        "3:7",
        "the network reads 14 tokens of a source, the data's differ in length",
        "source_length: 14, in the data",
    ),
    "padding": (
        RUN,
        replaced(SPEC, ("dim: 6, mask_zero: true}, from: source", "dim: 6}, from: source")),
        "2:7",
        "sources are filled up with zeros, which no layer marks as padding",
        "mask_zero: true, in embedding, reversible_embedding or one_hot",
    ),
    "the future": (
        RUN,
        replaced(
            SPEC,
            (
                "- {gru: {units: 6, sequences: true}, from",
                "- {attention: 2, from: said}\n  - {gru: {units: 6, sequences: true}, from",
            ),
            ("x: said", "x: prev"),
        ),
        "2:7",
        "'attention' (attention) reads later steps: the network would be given what it is to predict",
        "causal: true",
    ),
    "one score": (
        RUN,
        replaced(SPEC, ("sequences: true", "sequences: false")),
        "2:7",
        "sequence_to_sequence needs scores at every step of the target, head 'next' gives (13,)",
        "recurrent layers with sequences: true",
    ),
    "inputs": (
        RUN,
        replaced(SPEC, ("target: {", "words: {"), ("from: target", "from: words")),
        "2:7",
        "sequence_to_sequence needs a network of two inputs, source and target; 'small' has source, words",
        "inputs: {source: {shape: [20], dtype: int32}, target: {shape: [20], dtype: int32}}",
    ),
    "no pairs": (
        replaced(RUN, ("{symbols: {train: 200, test: 30}}", "digits")),
        SPEC,
        "3:7",
        "sequence_to_sequence needs pairs of texts, the data have image, label",
        "data: {text_pairs: {path: pairs.tsv}}",
    ),
    "loss": (
        replaced(RUN, ("epochs: 1", "loss: mse")),
        SPEC,
        "4:43",
        "sequence_to_sequence compares scores with the number of a token, mse does not",
        "sparse_categorical_crossentropy, or categorical_crossentropy for label_smoothing",
    ),
    "metrics": (
        RUN,
        replaced(SPEC, ("loss: sparse_categorical_crossentropy", "metrics: [accuracy]")),
        "2:7",
        "sequence_to_sequence reports accuracy and exact_match, head 'next' asks for accuracy",
        "leave metrics out",
    ),
    "no end": (
        replaced(RUN, ("symbols: {train: 200, test: 30}", "text_pairs: {path: pairs.tsv, tokenizer: words}")),
        SPEC,
        "3:7",
        "targets need a start and an end token: the tokenizer adds none at the start",
        "target_tokenizer: {words: {start: true, end: true}}",
    ),
    "decoding": (
        replaced(RUN, ("task: sequence_to_sequence", "task: {sequence_to_sequence: {decoding: bean}}")),
        SPEC,
        "4:49",
        "there is no decoding 'bean'",
        "did you mean 'beam'?",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_that_cannot_work_is_refused_where_it_is_wrong(tmp_path, name):
    run, spec, at, message, help = FAULTS[name]
    with pytest.raises(SpecError) as caught:
        Run.open(files(tmp_path, run, spec)).plan()
    # One mistake may be a fault of several things: of the source and of the target, of an embedding and of the head.
    found = next(d for d in caught.value.diagnostics if d.message == message)
    assert (f"{found.span.line}:{found.span.column}", found.help) == (at, help)


def test_refusals_come_before_tensorflow(tmp_path):
    path = files(tmp_path, spec=FAULTS["head"][1])
    code = f"import sys; from archspec.cli import main; print(main(['train', {path!r}]), 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["1", "False"] and "head 'next' scores 9" in done.stderr


# --- what counts ------------------------------------------------------------------------------------------------------


@pytest.mark.tensorflow
@pytest.mark.parametrize("smoothing", [None, 0.1])
def test_loss_and_accuracy_are_means_over_tokens_that_are_no_padding(smoothing):
    from archspec.ops.loss import Loss
    from archspec.tasks.sequence_to_sequence.measures import MaskedLoss, TokenAccuracy

    rng = np.random.default_rng(0)
    target, scores = np.array([[3, 1, 2, 0, 0], [2, 0, 0, 0, 0]]), rng.normal(size=(2, 5, 4)).astype("float32")
    scores[0, 3:] = scores[1, 1:] = 50.0, -50.0, 0.0, 0.0
    logarithms = scores - np.log(np.exp(scores.astype("float64")).sum(-1, keepdims=True))
    real = [(0, 0), (0, 1), (0, 2), (1, 0)]
    if smoothing is None:
        kind, classes = Loss.find("sparse_categorical_crossentropy")(), None
        wanted = -np.mean([logarithms[i][target[i]] for i in real])
    else:
        kind, classes = Loss.find("categorical_crossentropy")(label_smoothing=smoothing), 4
        shares = [(1 - smoothing) * np.eye(4)[target[i]] + smoothing / 4 for i in real]
        wanted = -np.mean([(logarithms[i] * share).sum() for i, share in zip(real, shares, strict=True)])
    loss, accuracy = MaskedLoss(kind.lower(from_logits=True), classes), TokenAccuracy(name="accuracy")
    assert float(loss(target, scores)) == pytest.approx(wanted, rel=1e-5)
    accuracy.update_state(target, scores)
    assert float(accuracy.result()) == np.mean([scores[i].argmax() == target[i] for i in real])


@pytest.mark.tensorflow
def test_what_is_said_must_be_the_target_up_to_its_end():
    from archspec.evaluators.text import is_exact

    wanted = np.array([[5, 6, 2, 0], [5, 6, 2, 0], [5, 6, 2, 0], [5, 6, 7, 2], [2, 0, 0, 0]])
    found = np.array([[5, 6, 2, 2], [5, 6, 6, 2], [5, 2, 2, 2], [5, 6, 7, 8], [2, 2, 2, 2]])
    assert is_exact(found, wanted, 2).tolist() == [True, False, False, False, True]


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A small network of large random weights, and three sources of different lengths."""
    pytest.importorskip("tensorflow")
    graph = archspec.load(request.param, **NETWORKS[request.param])
    model = archspec.compile(graph)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0.0, 0.7, w.shape) for w in model.weights])
    source = np.zeros((3, 14), np.int32)
    for row, length in zip(source, (14, 5, 9), strict=True):
        row[:length] = [1, *rng.integers(3, 13, length - 2), 2]
    return graph, model, source


def scored(model, source, target):
    """Logarithms of probabilities after each step of one target."""
    scores = np.asarray(model({"source": source[None], "target": np.array(target)[None]}), np.float64)[0]
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


def unpadded(graph, model, source, target):
    """The same of the same network for sequences of just these lengths."""
    lengths = {"source_length": len(source), "target_length": len(target)}
    small = archspec.compile(archspec.load(graph.name, **{**NETWORKS[graph.name], **lengths}))
    small.set_weights(model.get_weights())
    return scored(small, source, target)


@pytest.mark.tensorflow
def test_padding_changes_nothing(network):
    graph, model, source = network
    target = np.array([[1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 3, 4, 5], [1, 9, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    batch = np.asarray(model({"source": source[:2], "target": target}), np.float64)
    batch = batch - np.log(np.exp(batch).sum(-1, keepdims=True))
    np.testing.assert_allclose(unpadded(graph, model, source[1, :5], target[1, :3]), batch[1, :3], atol=1e-5)
    np.testing.assert_allclose(scored(model, source[0], target[0]), batch[0], atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_greedy_says_what_the_network_finds_most_probable_step_by_step(network):
    from archspec.tasks.sequence_to_sequence.generation import Network

    graph, model, source = network
    vocabulary = DataSource.find("symbols")().features().vocabularies["target"]
    said = Network(graph, model).generate(source, 13, Greedy(), vocabulary)
    for row, heard in zip(said, source, strict=True):
        read = [1]
        while len(read) < 7 and read[-1] != 2:
            scores = scored(model, heard, read + [0] * (13 - len(read)))[len(read) - 1]
            scores[[0, 1]] = -np.inf
            read.append(int(scores.argmax()))
        assert row[: len(read) - 1].tolist() == read[1:]


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_beam_scores_sequences_as_the_network_does_and_no_worse_than_greedy(network):
    from archspec.tasks.decoding import Limits
    from archspec.tasks.sequence_to_sequence.generation import Network, PrefixDecoder

    graph, model, source = network
    speaker = PrefixDecoder(Network(graph, model), source, 13)
    limits = Limits(13, end=2, banned_tokens=[0, 1])
    first = np.ones(3, np.int32)
    greedy = Greedy().decode(speaker, first, speaker.begin(3), limits)
    found, scores = Beam(width=5, alpha=0.0).search(speaker, first, speaker.begin(3), limits)

    def total(heard, tokens):
        tokens = tokens.tolist()
        tokens = tokens[: tokens.index(2) + 1] if 2 in tokens else tokens
        read = np.zeros(13, np.int32)
        read[: len(tokens)] = [1, *tokens[:-1]]
        return scored(model, heard, read)[np.arange(len(tokens)), tokens].sum(), 2 in tokens

    for i, heard in enumerate(source):
        value, _ = total(heard, found[i, 0])
        assert value == pytest.approx(scores[i, 0], abs=1e-4)
        of_greedy, is_over = total(heard, greedy[i])
        assert not is_over or value >= of_greedy - 1e-6


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_run_reports_exact_match_and_an_evaluation_the_same(tmp_path, capsys):
    run = replaced(
        RUN,
        ("epochs: 1", "epochs: 2"),
        ("task: sequence_to_sequence", "task: {sequence_to_sequence: {decoding: {beam: 2}}}"),
    )
    logdir = tmp_path / "out"
    assert main(["train", files(tmp_path, run), "--logdir", str(logdir), "--quiet", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) == {"loss", "accuracy", "exact_match"}
    with (logdir / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_exact_match"]) for row in rows][-1] == result["metrics"]["exact_match"]
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {name: again[name] for name in result["metrics"]} == pytest.approx(result["metrics"], rel=1e-5)
    # What TensorBoard shows are the first held-out pairs, and what was said of them at the end.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(logdir / "pictures"), size_guidance={"tensors": 0})
    board.Reload()
    shown = board.Tensors("examples")
    assert [event.step for event in shown] == [1, 2]
    lines = shown[-1].tensor_proto.string_val[0].decode().splitlines()
    assert len(lines) == 2 + 8
    source, target, said = (cell.strip() for cell in lines[2].strip("|").split("|"))
    assert source.split() == target.split()[::-1] != []
    # A line that is read gets the same answer.
    (tmp_path / "lines.txt").write_text(f"{source}\n\n")
    assert main(["predict", str(logdir), str(tmp_path / "lines.txt")]) == 0
    assert capsys.readouterr().out == f"{said}\n"
    (tmp_path / "lines.txt").write_text("1 " * 20)
    assert main(["predict", str(logdir), str(tmp_path / "lines.txt")]) == 1
    assert "has 22 tokens, the network reads 14" in capsys.readouterr().err


OPEN = replaced(SPEC, ("[=source_length]", "[S]"), ("[=target_length]", "[T]"), ("vocab: 13", "vocab: 26"))


@pytest.mark.slow
@pytest.mark.tensorflow
def test_texts_that_differ_in_length_train_and_are_answered(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    pairs = "".join(f"{' '.join(words[: i % 9 + 1])}\t{words[i % 9].upper()}\n" for i in range(90))
    run = replaced(
        RUN, ("{symbols: {train: 200, test: 30}}", "{text_pairs: {path: numbers.tsv, heading: false, bucket: 2}}")
    )
    path = files(
        tmp_path, replaced(run, ("batch: 50", "batch: 9, ema: 0.9, loss: {categorical_crossentropy: 0.1}")), OPEN
    )
    (tmp_path / "numbers.tsv").write_text(pairs)
    logdir = tmp_path / "out"
    assert main(["train", path, "--logdir", str(logdir), "--quiet", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) == {"loss", "accuracy", "exact_match"} and result["examples"] == 10
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    # Of the averages of the weights, which stand in their place.
    again = json.loads(capsys.readouterr().out)
    assert {name: again[name] for name in result["metrics"]} == pytest.approx(result["metrics"], rel=1e-5)
    (tmp_path / "lines.txt").write_text("one two\nthree\n")
    assert main(["predict", str(logdir), str(tmp_path / "lines.txt"), "--format", "json"]) == 0
    assert [said["text"] for said in json.loads(capsys.readouterr().out)] == ["one two", "three"]


@pytest.mark.tensorflow
def test_exact_match_counts_what_a_network_says_and_stops_where_it_is_told(tmp_path):
    from dataclasses import replace

    from archspec.tasks.decoding import Greedy
    from archspec.tasks.sequence_to_sequence.generation import Generator
    from archspec.training.evaluation import assess

    plan = Run.open(files(tmp_path)).plan()
    source = plan.source.arrays("test")["source"]

    class Parrot:
        """Says what it hears backwards, but for the first symbol 3."""

        heard = 0

        def generate(self, source, length, decoding, vocabulary):
            self.heard += len(source)
            out = np.full((len(source), length), 2, np.int32)
            for row, heard in zip(out, source, strict=True):
                inner = [n for n in heard if n > 2][::-1]
                row[: len(inner)] = [4 if n == 3 else n for n in inner]
            return out

    def said(decoded):
        """Figures of the first examples, in batches of 8, and how many were looked at."""
        train = plan.spec.train.model_copy(update={"task": plan.task.model_copy(update={"decoded": decoded})})
        evaluate = plan.spec.evaluate.model_copy(update={"batch": 8})
        spec = plan.spec.model_copy(update={"train": train, "evaluate": evaluate})
        made, parrot = replace(plan, task=train.task, spec=spec), Parrot()
        found = assess(made, Generator(plan.graph, parrot, Greedy(), plan.features))
        return [assessment.figures for assessment in found], parrot.heard

    def wanted(count):
        return np.mean([3 not in row for row in source[:count]])

    for decoded in (30, 12, 1000):
        (found,), heard = said(decoded)
        assert found == {"exact_match": wanted(min(30, decoded))} and heard == min(30, decoded)
        assert 0 < found["exact_match"] < 1
    assert said(0) == ([], 0)
