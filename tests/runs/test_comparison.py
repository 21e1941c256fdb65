"""Runs side by side, from directories that are written here: what is read of them, and the three formats."""

import csv
import json
import re
from io import StringIO
from xml.etree import ElementTree

import pytest

from archspec.cli import main
from archspec.report.axes import ticks
from archspec.runs.comparison import compare, flat

RUN = """archspec_run: 1
doc: {doc}
spec: spec/net.yaml
data: digits
augment: [rescale, {{shift: {shift}}}]
train: {{optimizer: {{adam: {{learning_rate: {rate}}}}}, epochs: 4}}
log: {{steps: {steps}}}
"""
LOSSES = {"a": [1.0, 0.5, 0.25, 0.3], "b": [2.0, 1.0, 0.8]}


@pytest.fixture
def folder(tmp_path):
    """``a`` has ended, and monitored accuracy; ``b`` is under way; neither has a network, data or events."""
    for name, losses in LOSSES.items():
        path = tmp_path / "runs" / name
        (path / "checkpoints").mkdir(parents=True)
        rate, shift, steps = (0.01, 0.1, 50) if name == "a" else (0.001, 0.1, 10)
        (path / "run.yaml").write_text(RUN.format(doc=name, rate=rate, shift=shift, steps=steps))
        (path / "environment.json").write_text(json.dumps({"network": "abc", "packages": {"keras": "3.15"}}))
        rows = []
        for epoch, loss in enumerate(losses, 1):
            rows.append({"epoch": epoch, "step": 10 * epoch, "loss": 9.0})
            rows.append({"epoch": epoch, "loss": loss + 1, "val_loss": loss, "val_accuracy": 1 - loss / 4})
        # A row that is being written.
        (path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"epoch": 9, "lo')
    result = {"epochs": 4, "steps": 40, "params": 1234, "cpu_seconds": 7.6, "best": {"step": 20, "value": 0.9}}
    (tmp_path / "runs" / "a" / "result.json").write_text(json.dumps(result))
    return tmp_path / "runs"


def test_what_is_read_of_a_directory(folder):
    one, other = compare([folder]).runs
    assert [run.name for run in (one, other)] == [str(folder / "a"), str(folder / "b")]
    assert one.curve("val_loss") == LOSSES["a"] and other.curve("val_loss") == LOSSES["b"]
    assert one.best == 2, "what it monitored was best after 20 of 40 steps"
    assert other.best == 3, "where nothing is said, the lowest loss"
    assert one.facts == {"params": 1234, "cpu_seconds": 7.6} and other.facts == {}


def test_epochs_keep_their_numbers_where_a_line_of_the_log_is_lost(folder):
    whole, log = compare([folder]).runs[1].history, folder / "b" / "log.jsonl"
    begun, _, *rest = log.read_text().splitlines()
    log.write_text("\n".join([begun, "[]", *rest]))
    assert compare([folder]).runs[1].history == [{}, *whole[1:]]


def test_settings_that_differ_are_told_and_no_others(folder):
    found = compare([folder / "a", folder / "b"])
    assert found.differences == ("train.optimizer.learning_rate",)
    path = folder / "b" / "run.yaml"
    path.write_text(path.read_text().replace("adam: {learning_rate: 0.001}", "sgd: {learning_rate: 0.001}"))
    path.write_text(path.read_text().replace("shift: 0.1", "shift: 0.2"))
    (folder / "b" / "environment.json").write_text(json.dumps({"network": "abd", "packages": {"keras": "3.16"}}))
    told = compare([folder]).differences
    assert told[:3] == ("augment", "train.optimizer", "train.optimizer.learning_rate")
    assert {"network", "packages.keras", "train.optimizer.momentum", "train.optimizer.beta_1"} < set(told)
    assert not [
        name for name in told if name.startswith(("log", "doc", "train.epochs", "train.optimizer.weight_decay"))
    ]


def test_a_rate_is_one_setting_in_each_way_of_writing_it(folder):
    forms = {"adam": "0.001", "{adam: 0.003}": "0.003", "{adam: {beta_1: 0.8}}": "0.001", "{ours: 1}": None}
    for form, rate in forms.items():
        path = folder / "b" / "run.yaml"
        path.write_text(re.sub("train: .*", f"train: {{optimizer: {form}, epochs: 4}}", path.read_text()))
        assert compare([folder]).runs[1].settings.get("train.optimizer.learning_rate") == rate
    assert compare([folder]).runs[1].settings["train.optimizer.ours"] == "1"


def test_more_runs_than_settings_are_a_row_each(folder, capsys):
    assert main(["compare", str(folder)]) == 0
    head, *rows = capsys.readouterr().out.split("\n\n")[1].splitlines()[1:]
    assert head.split() == ["train.optimizer.learning_rate"]
    assert [row.split()[-1] for row in rows] == ["0.01", "0.001"]


def test_the_best_epoch_of_a_run_under_way_is_that_of_its_checkpoint(folder):
    path = folder / "b" / "checkpoints" / "000000030"
    path.mkdir()
    (path / "manifest.json").write_text(json.dumps({"step": 30, "history": [{}, {}, {}], "best": {"step": 20}}))
    assert compare([folder]).runs[1].best == 2


def test_names_of_folders_may_have_signs_that_are_no_numbers(folder):
    (folder / "a").rename(folder / "10²")
    (folder / "b").rename(folder / "9")
    assert [run.name for run in compare([folder]).runs] == [str(folder / "9"), str(folder / "10²")]


def checkpoint(path, step, epochs, best):
    (path / "checkpoints" / f"{step:09d}").mkdir()
    manifest = {"step": step, "history": [{}] * epochs, "best": {"step": best}}
    (path / "checkpoints" / f"{step:09d}" / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("within", range(10))
def test_the_best_epoch_is_found_where_a_checkpoint_stands_within_one(folder, within):
    checkpoint(folder / "b", 20 + within, 2, 20)
    assert compare([folder]).runs[1].best == 2


def test_the_best_epoch_is_found_where_a_run_ended_within_one(folder):
    result = {"epochs": 3, "steps": 23, "best": {"step": 10}, "finished": False}
    (folder / "b" / "result.json").write_text(json.dumps(result))
    assert compare([folder]).runs[1].best == 1
    (folder / "b" / "result.json").write_text(json.dumps({**result, "best": {"step": 20}}))
    assert compare([folder]).runs[1].best == 2


def test_a_run_that_has_more_epochs_now_is_judged_by_those(folder):
    (folder / "b" / "result.json").write_text(json.dumps({"epochs": 2, "steps": 20, "best": {"step": 10}}))
    checkpoint(folder / "b", 30, 3, 30)
    assert compare([folder]).runs[1].best == 3


def test_leaves_of_maps_have_paths():
    assert dict(flat({"a": {"b": 1, "c": [1, {"d": None}]}, "e": None, "f": "x", "g": True})) == {
        "a.b": "1",
        "a.c": '[1, {"d": null}]',
        "f": "x",
        "g": "true",
    }


def test_the_text(folder, capsys):
    assert main(["compare", str(folder)]) == 0
    out = capsys.readouterr().out.replace(f"{folder}/", "")
    parts = [part.splitlines() for part in out.split("\n\n")]
    assert [line.split() for line in parts[0]] == [
        ["run", "last", "epoch", "loss", "accuracy", "best", "epoch", "loss", "accuracy", "params", "cpu_seconds"],
        ["a", "4", "0.3000", "0.9250", "2", "0.5000", "0.8750", "1,234", "8"],
        ["b", "3", "0.8000", "0.8000", "3", "0.8000", "0.8000", "-", "-"],
    ]
    assert parts[1][0] == "settings that differ"
    assert [line.split()[-1] for line in parts[1][1:]] == ["train.optimizer.learning_rate", "0.01", "0.001"]
    # Blocks of one scale: eighths of 0.25 … 2.
    assert [line.split() for line in parts[2]] == [
        ["loss,", "0.2500", "to", "2.0000"],
        ["a", "▄▂▁▁"],
        ["b", "█▄▃"],
    ]
    assert parts[3][0] == "accuracy, 0.5000 to 0.9375" and len(parts) == 4


def test_the_csv(folder, tmp_path, capsys):
    assert main(["compare", str(folder), "--format", "csv"]) == 0
    one, other = csv.DictReader(StringIO(capsys.readouterr().out))
    assert one["last.val_loss"] == "0.3" and one["best.epoch"] == "2" and one["best.val_accuracy"] == "0.875"
    assert one["train.optimizer.learning_rate"] == "0.01" and one["params"] == "1234"
    assert other["best.epoch"] == "3" and other["params"] == ""
    assert main(["compare", str(folder), "--format", "csv", "--curves", "-o", str(tmp_path / "c.csv")]) == 0
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert [(row["run"].rpartition("/")[2], int(row["epoch"]), float(row["val_loss"])) for row in rows] == [
        (name, epoch, loss) for name, losses in LOSSES.items() for epoch, loss in enumerate(losses, 1)
    ]


def test_the_page_stands_alone_and_draws_what_the_logs_say(folder, capsys):
    assert main(["compare", str(folder), "--format", "html"]) == 0
    page = capsys.readouterr().out
    for word in ("http", "<script", "<link", "@import", "url("):
        assert word not in page
    root = ElementTree.fromstring(page.replace("<!DOCTYPE html>\n", "").replace('<meta charset="utf-8">', ""))
    loss, accuracy = root.iter("figure")
    assert [figure.find("figcaption").text for figure in (loss, accuracy)] == ["loss", "accuracy"]
    lines = list(loss.iter("polyline"))
    told = [line.find("title").text.replace(f"{folder}/", "") for line in lines]
    assert told == ["a in training", "a", "b in training", "b"]
    points = [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in lines]
    assert [len(curve) for curve in points] == [4, 4, 3, 3]
    # Heights fall as losses rise, in proportion; one epoch is as wide as another.
    (_, top), (_, middle), (_, low), _ = points[1]
    assert (middle - top) / (low - middle) == pytest.approx((1.0 - 0.5) / (0.5 - 0.25), rel=0.01)
    across = [x for x, _ in points[0]]
    assert across[1] - across[0] == pytest.approx(across[3] - across[2], abs=0.2)
    assert points[0][0][0] == points[2][0][0]


def test_names_and_settings_are_no_markup(folder, capsys):
    path = folder / "a" / "run.yaml"
    path.write_text(path.read_text().replace("data: digits", 'data: {npz: {path: "<b>&.npz"}}'))
    (folder / "a").rename(folder / "<i>")
    assert main(["compare", str(folder), "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert "<b>" not in page and "<i>" not in page and "&lt;b&gt;&amp;.npz" in page


def test_a_run_that_has_only_begun_has_no_figures(folder, capsys):
    (folder / "b" / "log.jsonl").unlink()
    assert main(["compare", str(folder / "b")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [str(folder / "b"), "-", "-"]
    assert main(["compare", str(folder / "b"), "--format", "html"]) == 0


def test_what_holds_no_run_is_refused(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(folder), str(tmp_path / "empty")]) == 1
    assert capsys.readouterr().err == f"archspec: {tmp_path / 'empty'} holds no run\n"
    assert main(["compare", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"archspec: there is no folder {tmp_path / 'none'}\n"
    assert main(["compare", str(folder), "--curves"]) == 2
    assert "--curves is for --format csv" in capsys.readouterr().err


def test_runs_are_in_the_order_of_their_numbers(folder):
    for name, number in (("a", "10"), ("b", "9")):
        (folder / name).rename(folder / number)
    assert [run.name for run in compare([folder, folder / "9"]).runs] == [str(folder / "9"), str(folder / "10")]


def test_ticks_are_round_and_hold_all():
    assert ticks(0.21, 0.93) == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(1, 20) == [0, 5, 10, 15, 20]
    assert ticks(3, 3)[0] < 3 < ticks(3, 3)[-1]
    assert ticks(0.00031, 0.00092) == [0.0002, 0.0004, 0.0006, 0.0008, 0.001]


def test_nothing_of_it_needs_keras(folder):
    import subprocess
    import sys

    code = (
        "import sys; from archspec.cli import main; "
        f"code = main(['compare', {str(folder)!r}]); "
        "print({'keras', 'tensorflow', 'numpy'} & set(sys.modules), code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set() 0", done.stderr


def test_a_run_file_beside_the_runs_hides_none(folder):
    before = [run.name for run in compare([folder]).runs]
    (folder / "run.yaml").write_text("archspec_run: 1\n")
    assert [run.name for run in compare([folder]).runs] == before
