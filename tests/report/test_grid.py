"""Tables of chosen columns, of nodes and of networks, in every form."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest

from archspec import load, loads
from archspec.analysis.hardware import hardware
from archspec.cli import main
from archspec.cli import table as verb
from archspec.ops.activation import Relu
from archspec.report.columns import COLUMNS, Measured
from archspec.report.formats import html
from archspec.report.grid import Grid, of_networks, of_nodes
from archspec.report.page import compared
from archspec.report.table import formats, table
from tests.wording import refuses

SMALL = [
    ("conv", "conv", {"filters": 4, "kernel": 3, "stride": 2}),
    ("relu", "relu", {}),
    ("head.dense", "dense", {"units": 5, "bias": False}),
]


@pytest.fixture
def small(build):
    return build({"image": (8, 8, 3)}, SMALL)


def rows(grid):
    return [(name, *values) for name, values in grid.rows]


def test_every_column_by_hand(small):
    names = ("op", "params", "macs", "backward_macs", "bytes", "memory", "saved", "receptive_field", "offset")
    grid = of_nodes(Measured(small), names)
    image, mapped, out = 8 * 8 * 3 * 4, 4 * 4 * 4 * 4, 4 * 4 * 5 * 4
    assert rows(grid) == [
        ("conv", "conv", 112, 1728, 1728, image + mapped + 448, image + mapped, image, "3/2", "1"),
        ("relu", "relu", 0, 0, 0, 2 * mapped, 2 * mapped, mapped, "3/2", "1"),
        ("head.dense", "dense", 20, 320, 640, mapped + out + 80, mapped + out, 0, "3/2", "1"),
    ]
    total = ("", 132, 2048, 2368, image + 4 * mapped + out + 528, image + mapped, image + mapped, "3/2", "1")
    assert grid.last == total


def test_columns_and_their_help_are_the_same():
    said = verb.__doc__.split("chooses what is shown:")[1].split(".")[0]
    assert [name.strip() for name in said.split(",")] == list(COLUMNS)


def test_the_usual_table_and_a_grid_agree(stages):
    usual, grid = table(stages), of_nodes(Measured(stages), ("params", "macs", "flops", "activations"))
    assert grid.last == (*usual.totals[:1], *usual.totals[2:4], usual.totals[5])
    assert [values for _, values in grid.rows] == [(r.params, r.macs, r.flops, r.activations) for r in usual.rows]


def test_blocks_are_sums_or_maxima(stages):
    whole = of_nodes(Measured(stages), ("macs", "memory", "receptive_field"))
    folded = of_nodes(Measured(stages), ("macs", "memory", "receptive_field"), depth=2)
    assert folded.last == whole.last and len(folded.rows) == 7
    inside = [values for name, values in whole.rows if name.startswith("c.3.")]
    block = dict(folded.rows)["c.3"]
    assert block == (sum(v[0] for v in inside), max(v[1] for v in inside), inside[-1][2])
    assert "folded at depth 2" in folded.notes[0]


def test_sorted_the_largest_stands_first(stages):
    names = [name for name, _ in of_nodes(Measured(stages), sort="macs").rows]
    macs = {row.name: row.macs for row in table(stages).rows}
    assert [macs[name] for name in names] == sorted(macs.values(), reverse=True)
    fields = of_nodes(Measured(stages), ("receptive_field",), sort="receptive_field").rows
    assert fields[0][1] == ("global",) or int(fields[0][1][0].split("/")[0]) == 57


def test_networks_make_a_row_each(small, stages):
    grid = of_networks([("a", Measured(small)), ("b", Measured(stages))], ("macs", "training_memory"), sort="macs")
    assert [name for name, _ in grid.rows] == ["b", "a"]
    assert grid.last is None and grid.first == "network"
    assert all(values[1] > 0 for _, values in grid.rows)


def test_open_sizes_are_unknown(build):
    grid = of_nodes(Measured(build({"image": (None, None, 3)}, SMALL)), tuple(n for n in COLUMNS if n not in TIMED))
    assert dict(zip(grid.columns, grid.last, strict=True))["macs"] is None
    assert "?" in grid.render()


TIMED = [name for name, column in COLUMNS.items() if column.needs_hardware]


def test_times_need_hardware_and_say_that_they_are_bounds(small):
    with refuses(ValueError):
        of_nodes(Measured(small), ("time",))
    grid = of_nodes(Measured(small, machine=hardware("cpu_core")))
    assert grid.columns[-2:] == ("time", "limit")
    assert "lower bounds, not predictions: one core" in grid.render()


def test_an_op_without_costs_marks_the_total(small, monkeypatch):
    monkeypatch.setattr(Relu, "is_counted", classmethod(lambda cls: False))
    grid = of_nodes(Measured(small))
    assert "≥ 2.048 k" in grid.render().splitlines()[-3]
    assert "≥ relu does not say what it costs" in grid.render()
    usual = table(small)
    assert (usual.totals.macs, usual.rows[1].macs) == (2048, None)
    assert "≥ 2.048 k" in str(usual) and "≥ 2,048 MACs" in str(usual) and "relu does not say" in str(usual)
    assert json.loads(usual.render("json"))["uncounted"] == ["relu"]


def test_layers_of_keras_are_named_where_totals_are_lower_bounds():
    head = "archspec: 1\nname: k\ninputs: {x: [8, 8, 3]}\nbody:\n"
    layers = ("{layer: Rescaling, scale: 2.0}", "{layer: RMSNormalization}", "{layer: Rescaling, scale: 3.0}")
    graph = loads(head + "".join(f"- keras: {layer}\n" for layer in layers))
    said = "≥ Rescaling of keras, RMSNormalization of keras do not say what they cost, and are not counted"
    notes = [
        text[text.index("≥ Rescaling") :].split() for text in (str(table(graph)), of_nodes(Measured(graph)).render())
    ]
    assert notes == [said.split()] * 2


@pytest.mark.parametrize("format", formats())
def test_every_format_has_the_rows(small, format):
    text = of_nodes(Measured(small), ("output", "params", "macs")).render(format)
    assert all(name in text for name in ("conv", "relu", "head.dense", "112"))
    if format == "csv":
        assert next(csv.DictReader(StringIO(text))) == {
            "name": "conv",
            "output": "4x4x4",
            "params": "112",
            "macs": "1728",
        }
    if format == "json":
        assert json.loads(text)["rows"][2] == {"name": "head.dense", "output": [4, 4, 5], "params": 20, "macs": 320}
        assert json.loads(text)["totals"]["macs"] == 2048


@pytest.mark.parametrize("width", [60, 80, 120])
def test_names_give_way_to_the_width(build, width):
    name = "a_very_long_name_that_nobody_reads_to_its_end_but_somebody_wrote"
    graph = build({"image": (224, 224, 3)}, [(f"{name}.{i}", "conv", {"filters": 2048}) for i in range(3)])
    lines = of_nodes(Measured(graph), ("output", "params", "macs", "memory")).render(width=width).splitlines()
    assert max(map(len, lines)) <= max(width, 12 + 49)


SPEC = "archspec: 1\nname: net\nparams: {width: 8}\ninputs: {image: [16, 16, 3]}\nbody:\n  - conv: =width\n  - relu\n"


def run(capsys, *args):
    code = main(["table", *map(str, args)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_verb(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    code, out, _ = run(capsys, path, "--columns", "params, macs", "--sort", "macs", "--format", "json")
    assert code == 0 and json.loads(out)["totals"] == {"params": 32, "macs": 256 * 24}
    code, out, _ = run(capsys, path, "lenet5", "--format", "csv", "--columns", "params")
    assert (code, out) == (0, "name,params\nnet,32\nlenet5,61706\n")
    code, out, _ = run(capsys, path, "--as", "fvcore", "--format", "json")
    assert code == 0 and json.loads(out)["number"] == 256 * 24
    code, out, _ = run(capsys, "resnet50", "--as", "torchvision")
    assert code == 0 and out.startswith("resnet50: torchvision prints 4.089 GFLOPS\n")
    code, out, _ = run(capsys, path, "--memory", "1MiB", "--optimizer", "sgd", "--format", "json")
    found = json.loads(out)
    assert code == 0 and found["slots"] == 0 and found["budget"] == 2**20
    fits = found["largest_batch"]["training"]
    need = found["weights"] + found["gradients"] + fits * (found["saved"] + found["transient"])
    assert need <= 2**20 < need + found["saved"] + found["transient"]
    code, out, _ = run(capsys, path, "--memory", "1MiB")
    assert code == 0 and f"1.00 MiB hold at most {(2**20 - 32 * 4) // (256 * 16 * 4)} samples" in out
    code, out, _ = run(capsys, "vgg16", "--in-bounds", "--format", "json")
    assert code == 0 and json.loads(out)["in_bounds"] is True


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--columns", "mac"], "there is no column 'mac'; did you mean 'macs'?"),
        (["--sort", "time"], "column time needs hardware"),
        (["--sort", ""], "there is no column ''"),
        (["--sort", "macs,params"], "there is no column 'macs,params'"),
        (["--columns", ""], "there is no column ''"),
        (["--as", "flops"], "there are no rules of 'flops'"),
        (["--as", "fvcore", "--batch", "2"], "one sample"),
        (["--hardware", "h1000"], "there is no hardware 'h1000'; did you mean 'h100'?"),
        (["--hardware", "t4", "--dtype", "bfloat16"], "has no peak of bfloat16"),
        (["--memory", "1MiB", "--optimizer", "adamm"], "there is no optimizer 'adamm'; did you mean 'adam'?"),
        (["--memory", "1MiB", "--format", "csv"], "text or json"),
        (["--memory", "lots"], "must be a size, such as 24GiB or 512MB, got 'lots'"),
        (["--memory", "8"], "must be a size with its unit, such as 8GiB, got '8'"),
        (["--memory", "12k"], "must be a size, such as 24GiB or 512MB, got '12k'"),
        (["--sort", "macs", "--sort", "params"], "argument --sort: is given twice, and takes one value"),
    ],
)
def test_what_is_refused(tmp_path, capsys, args, said):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    code, out, err = run(capsys, path, *args)
    assert (code, out) == (2, "") and said in err


def test_a_network_that_does_not_fit_is_told(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")
    code, out, err = run(capsys, path, "--memory", "8B")
    assert code == 1 and "8 B hold not one sample: inference takes" in out
    assert err == "archspec: net does not fit into 8 B\n"
    code, out, err = run(capsys, path, "lenet5", "--memory", "100kB", "--format", "json")
    small, large = map(json.loads, out.splitlines())
    assert (small["largest_batch"]["inference"] > 0, large["largest_batch"]["inference"]) == (True, 0)
    assert (code, err) == (1, "archspec: lenet5 does not fit into 97.66 KiB\n")


def test_every_head_has_its_output(tmp_path, capsys):
    path = tmp_path / "two.yaml"
    path.write_text(
        "archspec: 1\nname: two\ninputs: {x: [4]}\nbody: [{dense: 3}]\nheads:\n"
        "  a: {body: [{dense: 1}]}\n  b: {body: [{dense: 5}]}\n",
        encoding="utf-8",
    )
    _, out, _ = run(capsys, path, "lenet5", "--sort", "output")
    assert "a 1, b 5" in out and out.index("\nlenet5") < out.index("\ntwo")
    _, out, _ = run(capsys, path, "lenet5", "--columns", "output", "--format", "json")
    assert [row["output"] for row in json.loads(out)["rows"]] == [{"a": [1], "b": [5]}, [10]]
    _, out, _ = run(capsys, path, "lenet5", "--columns", "output", "--format", "csv")
    assert out == 'name,output\ntwo,"a 1, b 5"\nlenet5,10\n'
    _, out, _ = run(capsys, path, "--columns", "output,params", "--depth", "all")
    assert out.splitlines()[-1].split() == ["total", "a", "1,", "b", "5", "39"]


@pytest.mark.parametrize(
    ("body", "field", "offset"),
    [
        ([{"conv": {"filters": 2, "kernel": 3, "padding": "same"}}, "relu"], "3/1", "0"),
        (
            [
                {"conv": {"filters": 2, "kernel": 3, "padding": "same"}},
                {"conv": {"filters": 2, "kernel": 1, "stride": 2}},
                {"subsample": 3},
            ],
            "3/6",
            "0",
        ),
        # By hand: a window of 3, unpadded, has its middle at 1; the step starts at the third of its positions.
        ([{"conv": {"filters": 2, "kernel": 3, "padding": "valid"}}, {"crop": [[2, 0]]}, {"subsample": 4}], "3/4", "3"),
    ],
)
def test_the_total_s_field_is_the_last_of_the_largest(body, field, offset):
    graph = load({"archspec": 1, "name": "net", "inputs": {"x": [60, 2]}, "body": body})
    grid = of_nodes(Measured(graph), ["receptive_field", "offset"])
    assert grid.last == grid.rows[-1][1] == (field, offset)
    assert of_networks([("net", Measured(graph))], ["receptive_field", "offset"]).rows == (("net", (field, offset)),)
    assert json.loads(grid.render("json"))["totals"] == {"receptive_field": field, "offset": offset}


@pytest.mark.parametrize("write", [html.grid, compared._rows], ids=["table", "page"])
def test_what_a_name_holds_is_no_element(write):
    text = "<i>&amp;"
    found = write(Grid(text, "network", ("op",), ((text, (text,)),), notes=(text,)))
    assert "<i" not in found
    assert found.count("&lt;i&gt;&amp;amp;") == 3 + (write is html.grid)
