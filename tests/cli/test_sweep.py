"""``archspec sweep``: members, what is kept of them, and those that cannot be built."""

from __future__ import annotations

import csv
import json
import os
from io import StringIO
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.analysis.pareto import front
from archspec.cli import main
from archspec.report.members import WORTHWHILE, worthwhile

SPEC = """archspec: 1
name: net
params: {width: 8, groups: 1, kernel: 3}
inputs: {image: [8, 8, 4]}
body: [{conv: {filters: =width, kernel: =kernel, groups: =groups}}, relu]
"""


@pytest.fixture
def sweep(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")

    def run(*args, spec=str(path)):
        code = main(["sweep", spec, *args])
        said = capsys.readouterr()
        return code, said.out, said.err

    run.path = str(path)
    return run


def records(text):
    return json.loads(text)["rows"]


def test_every_combination_is_a_row(sweep):
    code, out, err = sweep("--vary", "width=8:16:4", "--vary", "kernel=[1, 3]", "--format", "json")
    found = {row["name"]: (row["params"], row["macs"]) for row in records(out)}
    assert (code, err) == (0, "")
    for width in (8, 12, 16):
        for kernel in (1, 3):
            totals = archspec.table(archspec.load(sweep.path, width=width, kernel=kernel)).totals
            assert found.pop(f"width={width} kernel={kernel}") == (totals.params, totals.macs)
    assert found == {}


def test_where_keeps_what_it_is_true_of(sweep):
    code, out, _ = sweep("--vary", "width=4:64:4", "--where", "macs < 0.1M and params > 0.2k", "--format", "csv")
    rows = list(csv.DictReader(StringIO(out)))
    assert code == 0 and 0 < len(rows) < 16
    assert all(int(row["macs"]) < 100_000 and int(row["params"]) > 200 for row in rows)
    code, out, _ = sweep("--vary", "kernel=1:5:2", "--where", "receptive_field >= 3 and memory < 1MiB")
    assert code == 0 and "kernel=1" not in out and "2 of 3 members" in out


def test_the_front_is_what_no_other_beats(sweep):
    vary = ("--vary", "width=4:16:4", "--vary", "kernel=1:5:2")
    code, out, _ = sweep(*vary, "--pareto", "macs,+receptive_field", "--columns", "macs", "--format", "json")
    assert code == 0 and {row["name"] for row in records(out)} == {f"width=4 kernel={k}" for k in (1, 3, 5)}
    _, out, _ = sweep(*vary, "--sort", "macs", "--columns", "macs", "--format", "json")
    macs = [row["macs"] for row in records(out)]
    assert macs == sorted(macs, reverse=True) and len(macs) == 12


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), max_size=20))
def test_fronts_by_definition(points):
    def is_beaten(p):
        return any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points)

    assert front(points) == [i for i, p in enumerate(points) if not is_beaten(p)]


def test_members_with_a_lower_bound_are_on_no_front_and_told(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: net\nparams: {width: 8}\ninputs: {image: [8, 8, 4]}\n"
        "body: [conv: =width, {keras: {layer: GaussianNoise, stddev: 0.1}, when: =width < 12}]\n",
        encoding="utf-8",
    )
    assert main(["sweep", str(path), "--vary", "width=8:16:4", "--pareto", "macs"]) == 0
    out = capsys.readouterr().out
    assert "width=12" in out and "1 of 3 is not compared, for macs is not known in full: width=8" in out


def test_members_that_cannot_be_built_are_told_and_left_out(sweep):
    code, out, err = sweep("--vary", "groups=1:4", "--format", "csv")
    assert code == 0 and [line.split(",")[0] for line in out.splitlines()[1:]] == ["groups=1", "groups=2", "groups=4"]
    assert err == "archspec sweep: groups=3: conv: 3 groups do not divide 4 input channels\n"


def test_what_is_wrong_with_all_is_told_once_at_its_place(sweep):
    code, out, err = sweep("--vary", "groups=[3, 5]")
    assert (code, out) == (1, "") and err.count("error[H01]") == 1 and f"{sweep.path}:5" in err


def test_what_was_varied_is_named_by_its_flag(sweep):
    code, out, err = sweep("--vary", "wdth=[1, 2]")
    assert (code, out) == (1, "") and err.startswith("archspec: error[P01]: --vary wdth=1: net has no parameter 'wdth'")
    code, out, err = sweep("--vary", "width=[a]", "--set", "groups=1")
    assert (code, out) == (1, "") and err.startswith("archspec: error[T01]: --vary width=a: net.width must be")
    code, out, err = sweep("--vary", "width=1:2", "--set", "grups=1")
    assert (code, out) == (1, "") and err.startswith("archspec: error[P01]: --set grups=1: ")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--vary", "width=32,64"], "several values are a list: --vary 'width=[32, 64]'"),
        (["--vary", "width=1:2", "--where", "params < 5m"], "--where: 5m has no unit that is known; write 5M"),
        (["--vary", "width=1:2", "--where", "memory < 2 mib"], "--where: 2 mib has no unit that is known; write 2MiB"),
        (["--vary", "width=1:2", "--where", "1 if macs > 3 else 2"], "must be true or false of a member"),
        (["--vary", "width=1:2", "--columns", "mac"], "did you mean 'macs'?"),
        (["--vary", "width=1:2", "--pareto", "mac"], "did you mean 'macs'?"),
        (["--vary", "width=1:2", "--where", "mac < 3"], "did you mean 'macs'?"),
        (["--vary", "width=1:2", "--where", "macs <"], "--where: 'macs <' is not an expression"),
        (["--vary", "width=1:2", "--where", "macs + 1"], "must be true or false of a member"),
        (["--vary", "width=1:2", "--sort", ""], "there is no column ''"),
        (["--vary", "width=1:2", "--sort", "macs,params"], "there is no column 'macs,params'"),
        (["--vary", "width=1:2", "--sort", " macs"], "there is no column ' macs'"),
        (["--vary", "width=1:2", "--columns", ""], "there is no column ''"),
        (["--vary", "width=1:2", "--columns", "macs,"], "there is no column ''"),
        (["--vary", "width=1:2", "--pareto", "macs,,+params"], "there is no column ''"),
        (["--vary", "width=1:2", "--pareto", "+"], "there is no column ''"),
        (["--vary", "width=1:2", "--sort", "time"], "column time needs hardware"),
        (["--vary", "width=1:2", "--pareto", "params,output"], "column output has no figures"),
        (["--vary", "width=1:2", "--pareto", "params,+offset"], "column offset has no figures"),
        (["--vary", "width=1:2", "--best", "op"], "column op has no figures"),
        (["--vary", "width=1:9999", "--vary", "kernel=1:9999"], "99,980,001 members are more than 100,000"),
        (["--vary", "width=9:1"], "9:1 holds no values"),
        (["--vary", "width"], "write NAME=VALUE"),
    ],
)
def test_what_is_refused(sweep, args, said):
    code, out, err = sweep(*args)
    assert (code, out) == (2, "") and said in err


VARIED = ("--vary", "width=4:40:4", "--vary", "kernel=1:5")


@pytest.mark.parametrize(("count", "expected"), [(8, 4), (1, 1), (None, 1)])
def test_processors_are_counted_where_no_system_says_which_a_process_may_use(monkeypatch, count, expected):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert worthwhile(4 * WORTHWHILE) == expected


@pytest.mark.slow
def test_two_processes_find_what_one_does(sweep):
    one, two = (sweep(*VARIED, "--format", "json", "--processes", n) for n in "12")
    assert one == two and len(records(one[1])) == 50


def test_the_best_member_is_the_smallest_or_largest_of_all(sweep):
    macs = {row["name"]: row["macs"] for row in records(sweep(*VARIED, "--format", "json")[1])}
    for column, best in (("macs", min(macs.values())), ("+macs", max(macs.values()))):
        (row,) = records(sweep(*VARIED, "--best", column, "--format", "json")[1])
        assert row["macs"] == best == macs[row["name"]]


def test_files_are_written_instead_of_the_table(sweep, tmp_path):
    pareto = (*VARIED, "--pareto", "macs,+receptive_field")
    files = [tmp_path / f"front.{suffix}" for suffix in ("svg", "csv", "md")]
    code, out, err = sweep(*pareto, *(word for path in files for word in ("-o", str(path))))
    assert (code, out, err) == (0, "", "")
    assert files[1].read_text() == sweep(*pareto, "--format", "csv")[1]
    assert files[2].read_text() == sweep(*pareto, "--format", "markdown")[1]
    drawn = ElementTree.parse(files[0]).getroot()
    circles = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 50 and sum(c.get("class") == "front" for c in circles) == 5
    code, out, err = sweep(*VARIED, "-o", str(files[0]))
    assert code == 2 and "drawn over two columns" in err


def test_parquet_holds_numbers(sweep, tmp_path):
    from pyarrow import parquet

    path = tmp_path / "members.parquet"
    assert sweep(*VARIED, "--columns", "params,output,receptive_field", "-o", str(path))[0] == 0
    assert parquet.read_table(path).to_pylist() == [
        row | {"output": "x".join(map(str, row["output"]))}
        for row in records(sweep(*VARIED, "--columns", "params,output,receptive_field", "--format", "json")[1])
    ]


def test_python_gives_the_table_that_the_verb_prints(sweep):
    found = archspec.sweep(sweep.path, {"width": [8, 16], "groups": [1, 3]}, where="macs > 1k", sort="macs")
    _, out, _ = sweep("--vary", "width=[8, 16]", "--vary", "groups=[1, 3]", "--sort", "macs", "--format", "json")
    assert found.records() == records(out) and [name for name, _ in found.unbuilt] == [
        "width=8 groups=3",
        "width=16 groups=3",
    ]


def test_a_spec_may_come_on_stdin(sweep, capsys, monkeypatch):
    from io import BytesIO, TextIOWrapper

    from archspec.cli import _arguments

    for args in (["--vary", "width=8:16:8"], ["--vary", "depth=1:2"]):
        expected = sweep(*args)
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(SPEC.encode())))
        _arguments._typed.cache_clear()
        code, out, err = sweep(*args, spec="-")
        assert (code, out, err) == (expected[0], expected[1], expected[2].replace(sweep.path, "stdin"))
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(SPEC.encode())))
    _arguments._typed.cache_clear()
    assert main(["table", "-"]) == 0
    assert "conv" in capsys.readouterr().out
    _arguments._typed.cache_clear()
