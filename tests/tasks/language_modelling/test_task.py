"""Language modelling: what is refused, with its place, before TensorFlow is imported; and what its figures are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from archspec.cli import main
from archspec.data.errors import DataError
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from tests.wording import told

TEXT = "the quick brown fox jumps over the lazy dog\n" * 20
CHARACTERS = len(set(TEXT))

SPEC = """archspec: 1
name: small
params: {vocab: 28, length: 8}
inputs: {tokens: {shape: [=length], dtype: int32}}
body:
  - embedding: {vocab: =vocab, dim: 6}
  - gru: {units: 5, sequences: true}
heads:
  next: {body: [dense: =vocab], loss: sparse_categorical_crossentropy}
"""
RUN = """archspec_run: 1
spec: small.yaml
data: {corpus: {path: text.txt, window: 8}}
train: {task: language_modelling, epochs: 1, batch: 4}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "labelled.txt").write_text("".join(f"{i % 2} the fox jumps{' high' * (i % 3)}\n" for i in range(40)))
    (tmp_path / "small.yaml").write_text(SPEC)
    return tmp_path


def plan(folder, run=RUN, spec=SPEC):
    (folder / "small.yaml").write_text(spec)
    (folder / "run.yaml").write_text(run)
    return Run.open(str(folder / "run.yaml")).plan()


def test_the_vocabulary_and_the_window_fit(folder):
    made = plan(folder)
    assert CHARACTERS == 28 and made.features.vocabularies["tokens"].size == 28
    assert (made.steps, made.split) == ((880 - 88 - 1) // 8 // 4, "val")


def test_a_text_without_line_breaks_needs_no_prompt(folder):
    (folder / "text.txt").write_text(TEXT.replace("\n", " "))
    made = plan(folder, spec=SPEC.replace("vocab: 28", "vocab: 27"))
    vocabulary = made.features.vocabularies["tokens"]
    with pytest.raises(DataError):
        vocabulary.encode("\n")
    assert made.task._begun(vocabulary) == ""


VOCABULARY = SPEC.replace("vocab: 28", "vocab: 20")
TEXTS = RUN.replace("corpus: {path: text.txt, window: 8}", "text: {path: labelled.txt, length: 9}")
FAULTS = {
    "embedding": (
        RUN,
        VOCABULARY,
        "3:7",
        "the vocabulary of tokens has 28 tokens, 'embedding' has entries for 20",
        "--set vocab=28, or a limit of the tokenizer",
        "6:5",
    ),
    "one hot": (
        RUN,
        VOCABULARY.replace("embedding: {vocab: =vocab, dim: 6}", "one_hot: =vocab"),
        "3:7",
        "the vocabulary of tokens has 28 tokens, 'one_hot' has entries for 20",
        "--set vocab=28, or a limit of the tokenizer",
        "6:5",
    ),
    "head": (
        RUN,
        SPEC.replace("[dense: =vocab]", "[dense: 30]"),
        "3:7",
        "the vocabulary has 28 tokens, head 'next' scores 30",
        "--set vocab=28",
        "9:3",
    ),
    "window": (
        RUN.replace("window: 8", "window: 9"),
        SPEC,
        "3:7",
        "the network reads 8 tokens at a time, the examples have 9 and the next one",
        "--set length=9, or window: 8, in the data",
        None,
    ),
    "no text": (
        RUN.replace("{corpus: {path: text.txt, window: 8}}", "digits"),
        SPEC,
        "3:7",
        "language modelling needs text, the data have image, label",
        "data: {corpus: {path: input.txt, window: 64}}",
        None,
    ),
    "one score for all": (
        RUN,
        SPEC.replace(", sequences: true", ""),
        "2:7",
        "language modelling needs scores at every position, (time, tokens), head 'next' gives (28,)",
        "recurrent layers with sequences: true",
        "9:3",
    ),
    "loss": (
        RUN.replace("epochs: 1", "loss: mse"),
        SPEC,
        "4:41",
        "language modelling compares scores with the number of a token, mse does not",
        "sparse_categorical_crossentropy",
        None,
    ),
    "sees what comes": (
        RUN,
        SPEC.replace("gru: {units: 5, sequences: true}", "bidirectional: {gru: {units: 5, sequences: true}}"),
        "2:7",
        "'bidirectional' (bidirectional) reads later steps: the network would be given what it is to predict",
        "layers that read from left to right",
        "7:5",
    ),
    "sees what comes by attention": (
        RUN,
        SPEC.replace("gru: {units: 5, sequences: true}", "attention: {heads: 2}"),
        "2:7",
        "'attention' (attention) reads later steps: the network would be given what it is to predict",
        "causal: true",
        "7:5",
    ),
    "prompt": (
        RUN.replace("language_modelling", "{language_modelling: {prompt: 'Ö!'}}"),
        SPEC,
        "4:45",
        "the prompt: 'Ö' is not in the vocabulary, in 'Ö!'",
        None,
        None,
    ),
    "images": (
        RUN,
        SPEC.replace("{shape: [=length], dtype: int32}", "[=length, 3]").replace(
            "  - embedding: {vocab: =vocab, dim: 6}\n", ""
        ),
        "2:7",
        "language modelling needs an input of tokens, 'tokens' is (8, 3) of float32",
        "inputs: {tokens: {shape: [64], dtype: int32}}",
        None,
    ),
    "padding that nobody marks": (
        TEXTS,
        SPEC.replace("vocab: 28", "vocab: 6"),
        "2:7",
        "the examples are filled up with zeros, which no layer marks as padding",
        "mask_zero: true, in embedding or one_hot",
        None,
    ),
    "padding that is none": (
        RUN,
        SPEC.replace("dim: 6", "dim: 6, mask_zero: true"),
        "3:7",
        "'embedding' takes number 0 for padding, in the data it is ' '",
        "mask_zero: false, or a tokenizer with pad: true",
        "6:5",
    ),
    "lengths that differ": (
        TEXTS.replace(", length: 9", ""),
        SPEC.replace("vocab: 28", "vocab: 6"),
        "3:7",
        "the network reads 8 tokens at a time, the examples differ in length",
        "length: 9, in the data",
        None,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_work_is_refused_with_its_place(folder, name):
    run, spec, place, message, help, noted = FAULTS[name]
    with pytest.raises(SpecError) as caught:
        plan(folder, run, spec)
    # One mistake may be a fault of several things: a vocabulary too small for the text is so in the head, too.
    said = next(d for d in caught.value.diagnostics if d.message == message)
    assert (f"{said.span.line}:{said.span.column}", said.help) == (place, help)
    assert Path(said.span.source.name).name == "run.yaml"
    notes = [f"{n.span.line}:{n.span.column}" for n in said.notes if n.span]
    assert notes == ([noted] if noted else [])


def test_a_refusal_needs_no_framework(folder):
    (folder / "small.yaml").write_text(VOCABULARY)
    (folder / "run.yaml").write_text(RUN)
    code = (
        "import sys\nfrom archspec.cli import main\n"
        "code = main(['train', 'run.yaml', '--logdir', 'run'])\n"
        "print(code, [m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 []\n"
    assert "run.yaml:3:7: error[R05]: the vocabulary of tokens has 28 tokens" in done.stderr
    assert "small.yaml:6:5" in done.stderr and "Traceback" not in done.stderr


# --- figures ------------------------------------------------------------------------------------------------------


def nats(scores, wanted, counts):
    """The mean of -ln p of the wanted tokens, where they count, in NumPy."""
    scores = scores.astype(np.float64)
    logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return -(np.take_along_axis(logs, wanted[..., None], -1)[..., 0] * counts).sum() / counts.sum()


def compiled(made, seed=0):
    """The model of a plan as a run compiles it, and its batches."""
    import keras

    import archspec

    keras.utils.set_random_seed(seed)
    model = archspec.compile(made.graph, training=True)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    (loss,), (metrics,) = objective.losses.values(), objective.metrics.values()
    model.compile("sgd", loss=loss, metrics=metrics)
    return model, made.pipeline.evaluation("val", objective.pairs)


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("head", ["[dense: =vocab]", "[dense: {units: =vocab, activation: softmax}]"])
def test_figures_are_those_of_the_next_tokens(folder, head):
    model, batches = compiled(plan(folder, spec=SPEC.replace("[dense: =vocab]", head)))
    said = model.evaluate(batches, return_dict=True, verbose=0)
    x, y = (np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True))
    tail = TEXT[-88:]
    letters = sorted(set(tail))
    assert x.shape == y.shape == (10, 8) and np.array_equal(x[:, 1:], y[:, :-1])
    numbers = {
        int(n): c for row, line in zip(x, range(10), strict=True) for n, c in zip(row, tail[line * 8 :], strict=False)
    }
    assert sorted(set(numbers.values())) == letters
    assert [numbers[int(n)] for n in y[:9].ravel()] == list(tail[1:73])
    scores = np.asarray(model(x))
    wanted = nats(np.log(scores) if "softmax" in head else scores, y, np.ones(y.shape))
    assert said["nats"] == pytest.approx(wanted, rel=1e-5)
    assert said["loss"] == pytest.approx(wanted, rel=1e-5)
    assert said["bits"] == pytest.approx(wanted / np.log(2), rel=1e-5)
    assert said["perplexity"] == pytest.approx(np.exp(wanted), rel=1e-5)


PADDED = SPEC.replace("vocab: 28", "vocab: 6").replace("dim: 6", "dim: 6, mask_zero: true")


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("length", ["length: 9", "bucket: 1"])
def test_padding_does_not_count(folder, length):
    """Sentences of one length, and of their own: the figures are those of their words alone."""
    run = TEXTS.replace("length: 9", length)
    spec = PADDED if "length" in length else PADDED.replace("[=length]", "[T]")
    model, batches = compiled(plan(folder, run, spec))
    said = model.evaluate(batches, return_dict=True, verbose=0)
    total = count = 0
    for x, y in batches:
        for row, next_words in zip(np.asarray(x), np.asarray(y), strict=True):
            words = int((next_words != 0).sum())
            alone = np.asarray(model(row[None, :words] if "[T]" in spec else row[None]))[:, :words]
            total += words * nats(alone, next_words[None, :words], np.ones((1, words)))
            count += words
    assert said["nats"] == pytest.approx(total / count, rel=1e-5)
    assert said["perplexity"] == pytest.approx(np.exp(total / count), rel=1e-5)


@pytest.mark.tensorflow
def test_the_loss_of_a_batch_is_the_mean_over_its_tokens(folder):
    """Padding neither adds to it nor divides it."""
    model, batches = compiled(plan(folder, TEXTS, PADDED))
    x, y = (np.asarray(part) for part in next(iter(batches)))
    assert (y == 0).any()
    loss = float(model.compute_loss(x, y, model(x), training=False))
    assert loss == pytest.approx(nats(np.asarray(model(x)), y, (y != 0).astype(float)), rel=1e-5)


# --- a run ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run directory of a small model that was trained until it knew its line."""
    folder = tmp_path_factory.mktemp("trained")
    patch = pytest.MonkeyPatch()
    patch.setenv("ARCHSPEC_CACHE", str(folder / "cache"))
    (folder / "text.txt").write_text(TEXT)
    (folder / "small.yaml").write_text(SPEC.replace("units: 5", "units: 32"))
    task = "{language_modelling: {prompt: the, length: 40, decoding: greedy}}"
    run = RUN.replace("language_modelling", task).replace("epochs: 1", "epochs: 40, optimizer: {adam: 0.02}, seed: 1")
    (folder / "run.yaml").write_text(run)
    from archspec.training.run import run as train

    result = train(Run.open(str(folder / "run.yaml")).plan(), folder / "run", progress=None)
    patch.undo()
    return folder / "run", result


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_text_is_learnt_and_told(trained, capsys, tmp_path):
    logdir, result = trained
    assert set(result.metrics) == {"loss", "nats", "bits", "perplexity"} and result.metrics["nats"] < 0.1
    assert (logdir / "vocabulary" / "tokens.json").is_file()

    def told(*flags):
        assert main(["sample", str(logdir), *flags]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    line = "the quick brown fox jumps over the lazy dog\n"
    assert told("--prompt", "the quick", "--decoding", "greedy", "-n", "35") == line + "\n"
    assert told("--prompt", "the quick", "--decoding", "{beam: 3}", "-n", "35") == line + "\n"
    assert told() == line[:43] + "\n"
    drawn = told("--prompt", "fox ", "-n", "60", "--temperature", "3", "--seed", "4")
    assert drawn == told("--prompt", "fox ", "-n", "60", "--temperature", "3", "--seed", "4")
    assert drawn != told("--prompt", "fox ", "-n", "60", "--temperature", "3", "--seed", "5")
    assert told("-n", "20", "--top-k", "1") == told("-n", "20", "--decoding", "greedy")
    run = Run.open(logdir)
    assert run.sample(35, prompt="the quick", decoding="greedy") == line
    hot = run.sample(60, prompt="fox ", decoding={"sample": {"temperature": 3}}, seed=4)
    assert hot + "\n" == drawn
    told("-n", "5", "-o", str(tmp_path / "said.txt"))
    assert (tmp_path / "said.txt").read_text() == "the quic\n"
    weights = ["--weights", str(logdir / "weights.npz")]
    assert main(["sample", str(logdir.parent / "run.yaml"), *weights]) == 0
    assert capsys.readouterr().out == line[:43] + "\n"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_tensorboard_shows_a_text_after_every_epoch(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logdir, result = trained
    events = EventAccumulator(str(logdir / "pictures"), size_guidance={"tensors": 0})
    events.Reload()
    shown = events.Tensors("sample")
    assert [e.step for e in shown] == list(range(1, result.epochs + 1))
    texts = [e.tensor_proto.string_val[0].decode() for e in shown]
    assert texts[-1] == "    the quick brown fox jumps over the lazy dog\n"
    assert all(text.startswith("    the") for text in texts) and texts[0] != texts[-1]


REFUSED = {
    "no run": (["run.yaml"], "archspec sample: error: --weights is needed: run.yaml is no run directory"),
    "nothing of the kind": (["RUN", "--label", "3"], "archspec sample: error: language_modelling takes no --label"),
    "not in the vocabulary": (
        ["RUN", "--prompt", "the Ö"],
        "archspec sample: error: 'Ö' is not in the vocabulary, in 'the Ö'; tokenizer: … unknown: true",
    ),
    "no decoding": (
        ["RUN", "--decoding", "gredy"],
        "archspec: error[R03]: --decoding gredy: there is no decoding 'gredy'",
    ),
    "no share": (["RUN", "--top-p", "1.5"], "sample.top_p must be at most 1.0, got 1.5"),
    "two ways": (
        ["RUN", "--decoding", "greedy", "--top-k", "3"],
        "archspec sample: error: --decoding says how: leave out --top-k",
    ),
    "an image": (["RUN", "-o", "a.png"], "archspec sample: error: -o FILE must end in .txt for text"),
    "unfinished": (["EMPTY"], "holds no finished run"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_is_said(folder, name, capsys, monkeypatch):
    """Of a run directory that has no weights: it is refused before they are looked for, or for want of them."""
    from archspec.training.record import write_plan

    made = plan(folder)
    for directory in ("RUN", "EMPTY"):
        (folder / directory).mkdir()
        write_plan(made, folder / directory)
    (folder / "RUN" / "weights.npz").write_bytes(b"")
    monkeypatch.chdir(folder)
    arguments, message = REFUSED[name]
    assert main(["sample", *arguments]) == 1
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


def test_a_class_is_not_to_be_had(folder, capsys, monkeypatch):
    from archspec.training.record import write_plan

    (folder / "RUN").mkdir()
    write_plan(plan(folder), folder / "RUN")
    (folder / "RUN" / "weights.npz").write_bytes(b"")
    monkeypatch.chdir(folder)
    assert main(["predict", "RUN", "text.txt"]) == 1
    told(capsys.readouterr().err)
