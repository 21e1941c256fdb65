"""``analyse`` raises nothing: graphs, errors and warnings, and what is known beside an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.frontend import analyse, check
from archspec.frontend.elaborate import Elaborator
from archspec.frontend.findings import OTHERS
from archspec.ir.diagnostics import SpecError

HEAD = "archspec: 1\nname: net\ninputs: {image: [32, 32, 3]}\n"


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return str(path)


def test_a_graph_of_every_variant_and_nothing_to_say():
    found = analyse("vgg")
    assert found.diagnostics == () and found.partial is None
    assert [g.variant for g in found.graphs] == [g.variant for g in check("vgg")]
    assert found.graph is found.graphs[0]


def test_warnings_leave_the_graph_and_stand_in_the_order_of_the_text(tmp_path):
    path = write(tmp_path, "params: {a: 1, b: 2}\nbody: [{conv: 4, from: image, as: lost}, {conv: 8, from: image}]\n")
    found = analyse(path)
    assert [(d.code, d.severity, d.span.line) for d in found.diagnostics] == [
        ("W10", "warning", 4),
        ("W10", "warning", 4),
        ("W11", "warning", 5),
    ]
    assert found.warnings == found.diagnostics and found.errors == ()
    assert [node.name for node in found.accepted()[0].nodes] == ["conv"]


def test_beside_an_error_stand_only_warnings_that_cannot_follow_from_it(tmp_path):
    path = write(tmp_path, "params: {width: 8}\nblocks: {relu: {body: [tanh]}}\nbody: [conv: =widht, relu]\n")
    found = analyse(path)
    assert [d.code for d in found.diagnostics] == ["W13", "N01"]
    with pytest.raises(SpecError) as raised:
        found.accepted()
    assert raised.value.diagnostics == found.errors


def test_what_was_made_beside_an_error_is_kept(tmp_path):
    found = analyse(
        write(
            tmp_path, "body: [conv: {filters: 4, stride: 2}, max_pool: 2, max_pool: {size: 90, padding: valid}, relu]\n"
        )
    )
    assert found.graphs == () and found.graph is None and [d.code for d in found.errors] == ["H01"]
    assert found.partial is not None and found.partial.inputs["image"].shape == (32, 32, 3)
    assert [(n.name, n.output.shape) for n in found.partial.nodes] == [("conv", (16, 16, 4)), ("max_pool", (8, 8, 4))]


def test_every_variant_is_looked_at_though_one_has_mistakes(tmp_path):
    text = (
        "params: {n: int}\nbody: [conv: 4, {max_pool: 2, repeat: =n}, conv: {filters: 3, kernel: =n, padding: valid}]\n"
    )
    path = write(tmp_path, text + "variants: {ok: {n: 1}, typo: {m: 1, n: 1}, deep: {n: 9}}\n")
    assert sorted(d.code for d in analyse(path).errors) == ["H01", "P01"]


@pytest.mark.parametrize(
    ("name", "code"), [("no/such/file.yaml", "F01"), ("no_such_spec", "F01"), (".", "F01"), ("/dev/null", "F01")]
)
def test_what_cannot_be_read_is_an_error_too(name, code):
    (error,) = analyse(name).diagnostics
    assert error.code == code and error.severity == "error"


def test_an_unknown_variant_or_parameter_is_one():
    assert [d.code for d in analyse("vgg", variant="vgg12").diagnostics] == ["V01"]
    assert [d.code for d in analyse("lenet5", set={"sise": 3}).diagnostics] == ["P01"]


def test_a_result_that_one_variant_takes_is_no_waste(tmp_path):
    body = "body:\n  - {conv: 8, as: a}\n  - {conv: 8, from: image}\n  - {add: [prev, a], when: =skip}\n"
    text = f"params: {{skip: false}}\n{body}"
    assert analyse(write(tmp_path, text)).diagnostics == ()
    text = text.replace("{skip: false}", "{skip: int}").replace("when: =skip", "when: =skip == 1")
    text += "variants: {plain: {skip: 0}, residual: {skip: 1}}\n"
    assert analyse(write(tmp_path, text)).diagnostics == ()


def test_a_network_that_vanishes_behind_a_step_that_is_never_there_is_told(tmp_path):
    text = "body:\n  - {conv: 8, repeat: 4}\n  - conv_bn: 16\n  - {relu, from: image, when: false}\n"
    (warning,) = analyse(write(tmp_path, text)).diagnostics
    assert (warning.code, warning.span.line) == ("W11", 6)


def test_variants_of_a_file_that_expects_nonsense_are_looked_at_for_a_while_only(tmp_path, monkeypatch):
    """25 networks of thousands of layers, and a mistake that needs none of them."""
    text = (Path(__file__).parents[2] / "specs" / "resnet" / "resnet.yaml").read_text(encoding="utf-8")
    path = tmp_path / "resnet.yaml"
    path.write_text(re.sub(r"(?m)^expect:\n", "expect:\n  resnet18x: {params: 1, source: nobody}\n", text, count=1))
    walks: list[Elaborator] = []
    made = Elaborator.__init__
    monkeypatch.setattr(Elaborator, "__init__", lambda self, *a, **k: (walks.append(self), made(self, *a, **k))[1])
    assert [d.code for d in analyse(str(path)).errors] == ["V01"]
    assert 0 < sum(len(walk.nodes) for walk in walks) < 2 * OTHERS


def test_a_row_of_a_map_is_no_picture_with_channels_first():
    text = "archspec: 1\nname: n\ninputs: {heard: [1, 128, 64]}\nbody: [{conv: 4}, flatten]\n"
    assert analyse("n.yaml", data=text.encode()).diagnostics == ()


@pytest.mark.parametrize(
    "steps",
    [
        "[lstm: 8]",
        "[{conv: {filters: 8, kernel: 3}}, global_max_pool]",
        "[flatten, dense: 8]",
        "[{attention: {heads: 2, key_dim: 4}, from: {query: x, value: x}}]",
    ],
)
def test_time_that_is_read_is_no_batch(steps):
    text = "archspec: 1\nname: n\ninputs: {x: [16, 8]}\nbody: " + steps
    text += "\nheads: {main: {body: [dense: 3], loss: sparse_categorical_crossentropy}}\n"
    assert analyse("n.yaml", data=text.encode()).diagnostics == ()
