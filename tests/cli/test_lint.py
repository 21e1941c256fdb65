"""``archspec lint``: what its rules leave alone, what a comment takes back, what --fix takes out. That each rule finds
what it is about is shown by the examples of its code (tests/report/test_explanations.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archspec.analysis.practice import RULES, findings
from archspec.cli import main
from archspec.frontend import analyse, catalogue
from archspec.frontend.layout import formatted
from archspec.ir.diagnostics import Source
from archspec.report.explanations import codes

ROOT = Path(__file__).parents[2]
HEAD = "archspec: 1\nname: net\ninputs: {image: [32, 32, 3]}\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def found(body, head=HEAD):
    analysis = analyse("net.yaml", data=(head + body).encode())
    assert analysis.graphs, analysis.diagnostics
    return [d.code for d in [*analysis.warnings, *findings(analysis)]]


def test_every_rule_is_explained():
    assert set(RULES) == {code for code in codes() if code[0] == "L"}


@pytest.mark.parametrize(
    "body",
    [
        # A bias that something reads before the norm, or that an activation stands between.
        "body: [conv: {filters: 8, kernel: 3, activation: relu}, batch_norm]",
        "body: [{conv: {filters: 8, kernel: 3}, as: a}, batch_norm, add: [prev, a]]",
        "body: [conv: {filters: 8, kernel: 3}, layer_norm]",
        "body: [conv: {filters: 8, kernel: 3}, rms_norm]",
        "body: [locally_connected: {filters: 8, kernel: 3}, batch_norm]",
        # A window that leaves nothing over; padding that is not read; a stride of one.
        "body: [max_pool: {size: 2, padding: valid}]",
        "body: [conv: {filters: 8, kernel: 7, stride: 2, padding: 3}]",
        "body: [conv: {filters: 8, kernel: 5, padding: valid}]",
        # A projection beside a branch that reads what is between.
        "body: [{residual: [conv: {filters: 8, kernel: 3, stride: 2}]}]",
        # Classes are as many as they are, and a gate has as many channels as it gates.
        "body: [flatten, dense: 10, softmax]",
        # A dense layer on what a pool gives; a flattened vector.
        "body: [{do: [conv: {filters: 64, kernel: 3, stride: 2}], repeat: 5}, global_avg_pool, dense: 64]",
        # Dropout behind, or another norm between.
        "body: [conv: {filters: 8, kernel: 3, bias: false}, batch_norm, dropout: 0.5, conv: 8]",
        # Another activation; a sum with one side linear.
        "body: [conv: {filters: 8, kernel: 3, activation: relu}, relu6, conv: 8]",
        "body: [conv: {filters: 8, kernel: 3, activation: relu}, residual: [conv: {filters: 8, kernel: 3}]]",
        # What noise or dropout made needs the activation again; so does what comes in another turn.
        "body: [conv: {filters: 8, kernel: 3, activation: relu}, gaussian_noise: 0.1, relu, conv: 8]",
        "body: [conv: {filters: 8, kernel: 3, activation: relu6}, dropout: 0.1, relu6, conv: 8]",
        "body: [conv: {filters: 8, kernel: 3, activation: relu}, {do: [relu, conv: 8], repeat: 2}]",
        # A count that another member of the family may have.
        "params: {n: 1}\nbody: [{conv: 8, repeat: =n}]",
    ],
)
def test_what_is_meant_is_no_finding(body):
    assert found(body) == []


@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm"])
def test_a_norm_takes_a_bias_away(norm):
    assert found(f"body: [conv: {{filters: 8, kernel: 3}}, {norm}]") == ["L01"]


def test_a_place_is_the_step_of_the_file_that_calls_a_block_of_the_prelude():
    text = HEAD + "body:\n  - relu\n  - conv_bn: {filters: 8, bias: true}\n"
    (finding,) = findings(analyse("net.yaml", data=text.encode()))
    assert (finding.code, finding.span.source.name, finding.span.line) == ("L01", "net.yaml", 6)


TWICE = "body:\n  - conv: {filters: 20, kernel: 3}\n  - conv: {filters: 20, kernel: 1}\n  - conv: 8\n"


def test_a_comment_takes_findings_back_on_its_line_or_in_the_file():
    assert found(TWICE) == ["L04", "L04"]
    first = TWICE.replace("kernel: 3}", "kernel: 3}  # archspec: ignore[L04] as published")
    assert found(first) == ["L04"]
    assert found("# archspec: ignore[L03, L04] as published\n" + TWICE) == []
    assert found("# archspec: ignore[L03] as published\n" + TWICE) == ["L04", "L04"]


def test_a_warning_of_check_is_taken_back_too_and_an_error_never(capsys):
    Path("net.yaml").write_text(HEAD + "params: {width: 8}  # archspec: ignore[W10] for later\nbody: [conv: 8]\n")
    assert main(["check", "--strict", "net.yaml"]) == 0
    Path("net.yaml").write_text(HEAD + "body: [cnov: 8]  # archspec: ignore[N00]\n")
    assert main(["check", "net.yaml"]) == 1


@pytest.mark.fast(10)
@pytest.mark.parametrize("spec", [file["spec"] for file in catalogue.files()])
def test_the_catalogue_has_no_finding_or_says_why(spec):
    analysis = analyse(str(catalogue.folder() / spec))
    assert [d.render() for d in [*analysis.warnings, *findings(analysis)]] == []


def test_findings_fail_and_are_said_in_each_form(capsys):
    Path("net.yaml").write_text(HEAD + TWICE)
    assert main(["lint", "net.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == "net.yaml: 2 found\n"
    assert err.startswith("net.yaml:5:5: warning[L04]: 20 channels are no multiple of 8")
    assert main(["lint", "--format", "json", "net.yaml"]) == 1
    assert [one["code"] for one in json.loads(capsys.readouterr().out)] == ["L04", "L04"]
    assert main(["lint", "lenet5"]) == 0


def test_a_folder_s_specs_are_looked_at_and_its_run_files_are_not(capsys):
    Path("specs").mkdir()
    Path("specs/net.yaml").write_text(HEAD + "body: [conv: 8]\n")
    Path("specs/run.yaml").write_text("archspec_run: 1\nspec: net.yaml\n")
    assert main(["lint", "specs"]) == 0
    assert capsys.readouterr().out == "specs/net.yaml: nothing found\n"


BEFORE = """\
archspec: 1
name: net
params: {unused: 3, width: 8}   # what can be set
inputs: {image: [32, 32, 3]}
blocks:
  old:
    # about old
    body: [conv: 8]
  used: {body: [conv: =width]}
body:
  - used
  - relu
  - relu   # again
  - {conv: 8, as: dead}
  - conv: {filters: 8, kernel: 3}
    from: used
  - [relu, relu, conv: 8]
"""
AFTER = """\
archspec: 1
name: net
params: {width: 8}   # what can be set
inputs: {image: [32, 32, 3]}
blocks:
  used: {body: [conv: =width]}
body:
  - used
  - conv: {filters: 8, kernel: 3}
    from: used
  - [relu, conv: 8]
"""


def test_fix_takes_out_what_does_nothing_and_the_network_stays(capsys):
    text = BEFORE.replace("  - used\n", "  - {used, as: used_}\n").replace("from: used", "from: used_")
    after = AFTER.replace("  - used\n", "  - {used, as: used_}\n").replace("from: used", "from: used_")
    Path("net.yaml").write_text(text)
    before = [(n.op, n.weights) for n in analyse("net.yaml").graphs[0].nodes if n.weights]
    assert main(["lint", "--fix", "net.yaml"]) == 0
    assert Path("net.yaml").read_text() == after
    assert [(n.op, n.weights) for n in analyse("net.yaml").graphs[0].nodes if n.weights] == before
    assert main(["lint", "--fix", "net.yaml"]) == 0
    assert Path("net.yaml").read_text() == after


def fixed(body, head=HEAD):
    """A file's text behind its head after --fix."""
    Path("net.yaml").write_text(head + body)
    main(["lint", "--fix", "net.yaml"])
    return Path("net.yaml").read_text().removeprefix(head)


CONV = "conv: {filters: 8, kernel: 3, activation: relu}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"body:\n  - {CONV}\n  - relu\n\n  # next\n  - conv: 8\n", f"body:\n  - {CONV}\n\n  # next\n  - conv: 8\n"),
        (
            f"body: [{CONV}, # one\n  relu, # two\n  # next\n  conv: 8]\n",
            f"body: [{CONV}, # one\n  # next\n  conv: 8]\n",
        ),
        (f"body: [{CONV}, # one\n  relu # two\n  ]\n", f"body: [{CONV}, # one\n  ]\n"),
        (
            "params: {a: 8, # width\n  b: 3}  # unread\nbody: [conv: =a]\n",
            "params: {a: 8, # width\n  }  # unread\nbody: [conv: =a]\n",
        ),
        (
            "blocks:\n  a: {body: [conv: 8]}\n  b:\n    body:\n      - relu\n    # of b\n\n# the network\nbody: [a]\n",
            "blocks:\n  a: {body: [conv: 8]}\n\n# the network\nbody: [a]\n",
        ),
    ],
)
def test_fix_leaves_comments_about_other_things(before, after):
    assert fixed(before) == after


@pytest.mark.parametrize(
    "body",
    [
        # A second variant, a second call, and what else is in the block that a step calls.
        "params: {act: relu}\nvariants: {a: {}, b: {act: tanh}}\n"
        "body: [conv: {filters: 8, kernel: 3, activation: =act}, relu, conv: 8]\n",
        f"blocks: {{b: {{body: [relu, max_pool: {{size: 3, stride: 1}}]}}}}\nbody: [conv: 8, b, {CONV}, b, conv: 8]\n",
    ],
)
def test_fix_takes_nothing_out_that_does_something_elsewhere(body):
    assert fixed(body) == body


@pytest.mark.parametrize("start", [b"PK\x03\x04\x97", b"\x89HDF\r\n\x97"], ids=["archive", "hdf5"])
def test_a_model_is_not_taken_for_a_text_of_another_encoding(capsys, start):
    Path("net.keras").write_bytes(start)
    assert main(["check", "net.keras"]) == 1
    said = capsys.readouterr().err
    assert "archspec decompile" in said and "save the file as UTF-8" not in said


SPOILT = {
    # What is found, and what makes it: at a place of a text, in each of the ways in which it may be written.
    "W10": [
        (r"^( *)params:\n( +)(?=\S)", r"\1params:\n\2unread_: 3   # of no use\n\2"),
        (r"params: {", "params: {unread_: 3, "),
    ],
    "W11": [(r"^( +)- (?={.*from: )", r"\1- {conv: {filters: 4, kernel: 3}, as: dead_}\n\1- ")],
    "W14": [(r"^blocks:\n( +)(?=\S)", r"blocks:\n\1unused_:\n\1  # about it\n\1  body: [conv: 8, relu]\n\1")],
    "L08": [(r"^( +)- relu\n", r"\1- relu\n\1- relu\n"), (r"\brelu\]", "relu, relu]"), (r"\brelu, ", "relu, relu, ")],
}


@pytest.mark.parametrize(
    "spec",
    [
        "alexnet/alexnet",
        *(pytest.param(f"{name}/{name}", marks=pytest.mark.slow) for name in ("unet", "segmenter", "retinanet")),
    ],
)
def test_what_spoils_a_spec_is_taken_out_again(spec, capsys):
    """As it was written and as ``fmt`` would write it, to the letter."""
    text = (ROOT / "specs" / f"{spec}.yaml").read_text("utf-8")
    tried = 0
    for code, ways in SPOILT.items():
        for place, new in ways:
            spoilt, count = re.subn(place, new, text, count=1, flags=re.MULTILINE)
            found = analyse("net.yaml", data=spoilt.encode(), folder=(ROOT / "specs" / spec).parent)
            if not count or code not in [d.code for d in [*found.warnings, *findings(found)]]:
                continue
            tried += 1
            for before, after in ((spoilt, text), (_form(spoilt), _form(text))):
                Path("net.yaml").write_text(before, "utf-8")
                main(["lint", "--fix", "net.yaml"])
                left = Path("net.yaml").read_text("utf-8")
                assert left == after
    assert tried
    capsys.readouterr()


def _form(text):
    return formatted(Source("net.yaml", text))


def test_a_file_of_another_encoding_is_refused(capsys):
    Path("net.yaml").write_bytes(b"archspec: 1\nname: net\ndoc: '\xe9'\n")
    assert main(["lint", "--fix", "net.yaml"]) == 1
    assert "not valid UTF-8" in capsys.readouterr().err


def test_fix_leaves_a_file_with_errors_and_what_is_no_file_alone(capsys):
    Path("net.yaml").write_text(HEAD + "body: [cnov: 8, relu, relu]\n")
    assert main(["lint", "--fix", "net.yaml"]) == 1
    assert Path("net.yaml").read_text() == HEAD + "body: [cnov: 8, relu, relu]\n"
    assert main(["lint", "--fix", "lenet5"]) == 0


def test_fixing_keeps_the_ends_of_lines(tmp_path, capsys):
    """A file of Windows stays one: what is cut out is whole lines, with both of their signs."""
    path = tmp_path / "net.yaml"
    text = "archspec: 1\nname: n\ninputs: {image: [32, 32, 3]}\nbody:\n  - {conv: 8}\n  - relu\n  - relu\n"
    path.write_bytes(text.replace("\n", "\r\n").encode())
    main(["lint", "--fix", str(path)])
    capsys.readouterr()
    assert path.read_bytes() == text.removesuffix("  - relu\n").replace("\n", "\r\n").encode()
