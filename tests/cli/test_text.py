"""Runs on text from the command line: the vocabulary of the training goes with the run."""

import json
import shutil

import pytest

from archspec.cli import main
from tests.training import runs

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: reader
params: {vocab: 60, classes: 2}
inputs: {tokens: {shape: [T], dtype: int32}}
body:
  - embedding: {vocab: =vocab, dim: 8, mask_zero: true}
  - dropout: 0.2
  - gru: 8
heads:
  main: {body: [dense: {units: =classes, activation: softmax}], loss: categorical_crossentropy}
"""
RUN = """
archspec_run: 1
spec: reader.yaml
data: {text: {path: lines.txt, bucket: 3}}
train: {optimizer: {adam: 0.02}, epochs: 5, batch: 8, seed: 4, checkpoint_steps: 7, steps_per_execution: 1}
"""
LINES = "".join(
    f"{'good' if i % 3 else 'bad'} {'a very ' * (i % 7)}{'fine' if i % 3 else 'awful'} film {'indeed ' * (i % 4)}\n"
    for i in range(150)
)


def write(folder):
    (folder / "reader.yaml").write_text(SPEC)
    (folder / "lines.txt").write_text(LINES)
    (folder / "run.yaml").write_text(RUN)
    return folder / "run.yaml"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a finished run on a file of lines."""
    folder = tmp_path_factory.mktemp("text")
    assert main(["train", str(write(folder)), "--logdir", str(folder / "run"), "--quiet"]) == 0
    return folder


def output(capsys, *arguments):
    capsys.readouterr()
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.slow
def test_predict_says_what_lines_are(trained, tmp_path, capsys):
    (tmp_path / "new.txt").write_text("a very unheard fine film\n\nan awful, awful film\r\n")
    code, out, _ = output(capsys, "predict", trained / "run", tmp_path / "new.txt", "--top", "1", "--format", "json")
    found = json.loads(out)
    assert code == 0 and [r["text"] for r in found] == ["a very unheard fine film", "an awful, awful film"]
    assert [r["classes"][0]["class"] for r in found] == ["good", "bad"]
    assert all(r["classes"][0]["probability"] > 0.8 for r in found)


@pytest.mark.slow
def test_evaluate_says_what_training_said(trained, capsys):
    code, out, _ = output(capsys, "evaluate", trained / "run", "--format", "json")
    result = json.loads((trained / "run" / "result.json").read_text())
    assert code == 0 and json.loads(out)["examples"] == 30
    assert json.loads(out)["top_1"] == pytest.approx(result["metrics"]["accuracy"])


@pytest.mark.slow
def test_other_data_are_read_with_the_vocabulary_of_the_run(trained, tmp_path, capsys):
    """Its words come in another order there, so that a vocabulary of its own would have other numbers."""
    (tmp_path / "other.txt").write_text("bad awful awful awful film\ngood film film film film fine\n" * 20)
    code, out, err = output(
        capsys, "evaluate", trained / "run", "--data", tmp_path / "other.txt", "--split", "train", "--format", "json"
    )
    assert code == 0, err
    assert json.loads(out)["top_1"] == 1.0 and json.loads(out)["classes"] == ["bad", "good"]


@pytest.mark.slow
def test_a_run_directory_can_be_trained_again(trained, tmp_path):
    assert main(["train", str(trained / "run" / "run.yaml"), "--logdir", str(tmp_path / "again"), "--quiet"]) == 0
    kept = [folder / "vocabulary" / "tokens.json" for folder in (trained / "run", tmp_path / "again")]
    assert kept[0].read_bytes() == kept[1].read_bytes()
    runs.assert_same(trained / "run", tmp_path / "again")


@pytest.mark.slow
def test_looks_at_images_are_refused(trained, capsys):
    code, _, err = output(capsys, "evaluate", trained / "run", "--views", "flip")
    assert (code, "--views is for images" in err) == (1, True)


@pytest.mark.slow
def test_a_lost_vocabulary_is_told(trained, tmp_path, capsys):
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run" / "vocabulary" / "tokens.json").unlink()
    for verb in (["evaluate"], ["predict", trained / "lines.txt"]):
        code, out, err = output(capsys, verb[0], tmp_path / "run", *verb[1:])
        assert (code, out) == (1, "") and "tokens.json" in err and "Traceback" not in err


@pytest.mark.slow
def test_a_run_that_reads_its_own_vocabulary_is_the_same_run(trained):
    """``resume`` compares what a checkpoint was of with the run directory, which has a file for a tokeniser."""
    from archspec.runs import Run
    from archspec.training.identity import identity

    first = identity(Run.open(str(trained / "run.yaml")).plan())
    assert identity(Run.open(trained / "run").plan()).changes(first.settings) == []


@pytest.mark.slow
def test_a_killed_run_goes_on_in_the_same_batches(trained, tmp_path):
    """The pools of alike lengths, too, follow from the step alone."""
    logdir = tmp_path / "run"
    process = runs.start("train", write(tmp_path), "--logdir", logdir, "--quiet")
    assert runs.kill_when(process, lambda: any((logdir / "checkpoints").glob("[0-9]*")))
    runs.finish(process)
    runs.finished("resume", logdir, "--quiet")
    runs.assert_same(trained / "run", logdir)


@pytest.mark.slow
def test_the_run_file_says_how_many_are_evaluated_at_a_time(trained, tmp_path):
    """What cannot leave padding out, as convolutions, sees none in batches of one."""
    from archspec.runs import Run
    from archspec.runs.directory import recorded
    from archspec.training.distribution import DeviceLayout

    path = write(tmp_path)
    path.write_text(RUN + "evaluate: {batch: 1}\n")
    lengths = [
        batch.shape for batch, _ in DeviceLayout().evaluation(Run.open(str(path)).plan(), lambda b: (b["tokens"], ()))
    ]
    assert len(lengths) == 30 and {n for n, _ in lengths} == {1} and len({t for _, t in lengths}) > 3
    assert recorded(trained / "run", batch=7).plan().spec.evaluate.batch == 7


@pytest.mark.slow
def test_tables_and_folders_are_read_as_texts_where_the_run_is_of_texts(trained, tmp_path, capsys):
    """A table would else be taken for one of images; all of it is evaluated, with the run's vocabulary."""
    lines = ["good,film film fine fine", "bad,awful film awful"] * 10
    (tmp_path / "other.csv").write_text("label,text\n" + "\n".join(lines) + "\n")
    for name in ("good", "bad"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        for i, line in enumerate(line for line in lines if line.startswith(name)):
            (tmp_path / "folder" / name / f"{i}.txt").write_text(line.partition(",")[2])
    for other in ("other.csv", "folder"):
        code, out, err = output(capsys, "evaluate", trained / "run", "--data", tmp_path / other, "--format", "json")
        assert code == 0, err
        assert json.loads(out)["examples"] == 20 and json.loads(out)["top_1"] == 1.0


@pytest.mark.slow
def test_bad_files_of_text_are_told_and_the_good_ones_predicted(trained, tmp_path, capsys):
    (tmp_path / "new.txt").write_text("a fine film\n")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xfd")
    code, out, err = output(capsys, "predict", trained / "run", tmp_path / "bad.txt", tmp_path / "new.txt")
    assert code == 1 and "a fine film" in out and "bad.txt, line 1: not utf-8" in err
