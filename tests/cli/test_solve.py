"""``archspec solve``: the value that comes nearest, found as by trying all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.cli import main
from archspec.cli.solve import search

SPEC = """archspec: 1
name: net
params: {width: 8, groups: 1, shrink: 0}
inputs: {image: [8, 8, 4]}
body: [{conv: {filters: =width, kernel: 3, groups: =groups}}, relu, {dense: "=max(1, 200 - shrink)"}]
"""


@pytest.fixture
def solve(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(SPEC, encoding="utf-8")

    def run(*args):
        code = main(["solve", str(path), *args])
        said = capsys.readouterr()
        return code, said.out, said.err

    run.path = str(path)
    return run


@pytest.mark.parametrize("target", ["10k", "1M", "2.5M", "7M"])
def test_the_nearest_of_all(solve, target):
    code, out, err = solve("--for", "width", "--target", f"macs={target}", "--between", "1:200", "--format", "json")
    macs = {n: archspec.table(archspec.load(solve.path, width=n)).totals.macs for n in range(1, 201)}
    wanted = {"10k": 10**4, "1M": 10**6, "2.5M": 25 * 10**5, "7M": 7 * 10**6}[target]
    best = min(macs, key=lambda n: abs(macs[n] - wanted))
    rows = json.loads(out)["rows"]
    assert (code, err) == (0, "")
    assert [int(row["name"]) for row in rows] == [n for n in (best - 1, best, best + 1) if n in macs]
    assert {int(row["name"]): row["macs"] for row in rows}.items() <= macs.items()


def test_what_is_solved_for_is_named_by_its_flag(solve):
    code, out, err = solve("--for", "wdth", "--target", "params=1k")
    assert (code, out) == (1, "") and err.startswith("archspec: error[P01]: --for wdth: net has no parameter 'wdth'")


def test_values_that_cannot_be_built_are_passed_over(solve):
    code, out, _ = solve("--for", "width", "--target", "params=1k", "--set", "groups=4", "--format", "json")
    assert code == 0 and all(int(row["name"]) % 4 == 0 for row in json.loads(out)["rows"])


def test_a_figure_may_fall(solve):
    code, out, _ = solve("--for", "shrink", "--target", "params=1k", "--between", "0:199")
    assert code == 0 and "nearest is shrink=" in out
    best = min(range(200), key=lambda n: abs(archspec.table(archspec.load(solve.path, shrink=n)).totals.params - 1000))
    assert f"nearest is shrink={best}," in out


def test_a_figure_that_turns_is_told(solve):
    """The search is for one that does not: what it finds may be far from the nearest."""
    path = Path(solve.path)
    path.write_text(SPEC.replace("max(1, 200 - shrink)", "abs(100 - shrink) + 1"), encoding="utf-8")
    _, out, _ = solve("--for", "shrink", "--target", "params=200", "--between", "1:300")
    assert "params does not only grow or only fall with shrink: another value may come" in " ".join(out.split())
    _, out, _ = solve("--for", "width", "--target", "params=1k", "--between", "1:300")
    assert "another value" not in out


@given(
    st.integers(1, 40),
    st.integers(0, 120),
    st.integers(1, 7),
    st.integers(0, 2000),
    st.booleans(),
)
def test_the_bracket_is_that_of_trying_all(low, length, every, target, falls):
    high = low + length

    def figure(n):
        return None if n % every else (-n * n if falls else n * n)

    aim = -target if falls else target
    found = [n for n in search(figure, aim, low, high) if n is not None]
    built = [n for n in range(low, high + 1) if n % every == 0]
    assert bool(found) == bool(built)
    if built:
        assert min(abs(n * n - target) for n in found) == min(abs(n * n - target) for n in built)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--for", "width", "--target", "mac=3M"], 2, "did you mean 'macs'?"),
        (["--for", "width", "--target", "macs"], 2, "--target is COLUMN=VALUE"),
        (["--for", "width", "--target", "macs=lots"], 2, "--target macs must be a number"),
        (["--for", "width", "--target", "output=3"], 2, "no figure that can be aimed at"),
        (["--for", "widht", "--target", "macs=3M"], 1, "did you mean 'width'?"),
        (["--for", "groups", "--target", "macs=3M", "--between", "3:3"], 1, "3 groups do not divide"),
        (["--for", "width", "--target", "macs=3M", "--between", "9:3"], 2, "must be LOW:HIGH"),
    ],
)
def test_what_is_refused(solve, args, code, said):
    found, out, err = solve(*args)
    assert (found, out) == (code, "") and said in err


def test_a_parameter_that_changes_nothing_is_told(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(
        "archspec: 1\nname: a\nparams: {rate: 4, classes: 3}\ninputs: {x: [8]}\n"
        "body: [dropout: =1 / rate, dense: =classes]"
    )
    assert main(["solve", str(tmp_path / "a.yaml"), "--for", "rate", "--target", "params=100"]) == 2
    assert "params does not change with rate" in capsys.readouterr().err
