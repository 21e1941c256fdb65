"""What ``archspec.load`` and ``loads`` take, and what a graph prints as."""

from pathlib import Path

import pytest
import yaml

import archspec
from archspec.training.identity import fingerprint
from tests.wording import refuses

ROOT = Path(__file__).parents[2]
SPEC = """
archspec: 1
name: tiny
params: {classes: 3}
inputs: {x: [4]}
body: [dense: =classes, relu]
variants: {wide: {classes: 9}}
"""


def test_text_a_mapping_and_a_file_are_one_graph(tmp_path):
    (tmp_path / "tiny.yaml").write_text(SPEC)
    values = yaml.safe_load(SPEC)
    values["inputs"]["x"] = (4,)
    found = [archspec.load(tmp_path / "tiny.yaml"), archspec.loads(SPEC), archspec.load(values)]
    assert len({fingerprint(graph) for graph in found}) == 1
    for load, spec in ((archspec.loads, SPEC), (archspec.load, values)):
        assert load(spec, classes=7).nodes[0].outputs[0].shape == (7,)
        assert load(spec, variant="wide").nodes[0].outputs[0].shape == (9,)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("[a-l]*/*.yaml"))[::6], ids=lambda p: p.stem)
def test_a_file_of_the_catalogue_is_the_same_as_a_mapping(path):
    values = yaml.safe_load(path.read_text())
    if "use" in values or "archspec" not in values:
        pytest.skip("it uses files beside it")
    # A file whose parameters have no values of their own is of its variants.
    variant = next(iter(values.get("variants", ())), None)
    assert fingerprint(archspec.load(values, variant=variant)) == fingerprint(archspec.load(path, variant=variant))


def test_a_string_is_never_taken_for_text_nor_text_for_a_name():
    with pytest.raises(archspec.SpecError) as error:
        archspec.load("archspec: 1")
    assert [d.code for d in error.value.diagnostics] == ["F01"]
    with pytest.raises(archspec.SpecError) as error:
        archspec.loads("lenet5")
    assert all(d.code != "F01" for d in error.value.diagnostics)


def test_mistakes_have_a_place_in_what_is_read():
    with refuses(archspec.SpecError):
        archspec.loads(SPEC.replace("dense", "dens"))
    with refuses(archspec.SpecError):
        archspec.load(yaml.safe_load(SPEC.replace("dense", "dens")))
    with refuses(TypeError):
        archspec.load({"archspec": 1, "name": object()})


def test_a_graph_prints_as_its_table():
    graph = archspec.load("lenet5")
    assert str(graph) == archspec.table(graph).render("text") and "61,706" in str(graph)
    assert graph._repr_html_() == archspec.table(graph).render("html")
    assert repr(graph) == "<Graph lenet5: 8 nodes>"
