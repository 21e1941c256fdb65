"""What a table says, in every form that it has."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from io import StringIO

import pytest

import archspec
from archspec.report.format import quantity
from archspec.report.table import READABLE_LINES, table
from tests.wording import refuses

SMALL = [
    ("conv", "conv", {"filters": 4, "kernel": 3, "stride": 2}),
    ("relu", "relu", {}),
    ("head.dense", "dense", {"units": 5, "bias": False}),
]


def test_counts_of_a_small_net_are_those_of_pencil_and_paper(build):
    t = table(build({"image": (8, 8, 3)}, SMALL))
    conv, relu, dense = t.rows
    assert (conv.params, conv.macs, conv.output_shape) == (3 * 3 * 3 * 4 + 4, 4 * 4 * 108, (4, 4, 4))
    assert (conv.flops, conv.activations) == (2 * 1728 + 64, 64)
    assert (relu.params, relu.macs, relu.flops, relu.activations) == (0, 0, 64, 64)
    assert (dense.params, dense.macs, dense.flops, dense.activations) == (20, 16 * 20, 640, 80)
    assert t.totals == (132, 132, 2048, 3520 + 64 + 640, 0, 208)
    assert [row.inputs for row in t.rows] == [("image",), ("conv",), ("relu",)]
    assert conv.source == "net.yaml:1:5"


def test_json_is_one_object_of_whole_numbers(build):
    record = json.loads(archspec.table(build({"image": (8, 8, 3)}, SMALL, variant="tiny")).render("json"))
    assert (record["name"], record["variant"], record["batch"]) == ("net", "tiny", 1)
    assert record["inputs"] == {"image": {"shape": [8, 8, 3], "dtype": "float32"}}
    assert record["outputs"] == {"main": {"shape": [4, 4, 5], "dtype": "float32"}}
    assert record["totals"] == {
        "params": 132,
        "trainable_params": 132,
        "macs": 2048,
        "flops": 4224,
        "transcendentals": 0,
        "activations": 208,
    }
    assert record["nodes"][0] == {
        "name": "conv",
        "op": "conv",
        "inputs": ["image"],
        "output_shape": [4, 4, 4],
        "params": 112,
        "trainable_params": 112,
        "macs": 1728,
        "flops": 3520,
        "transcendentals": 0,
        "activations": 64,
        "source": "net.yaml:1:5",
    }
    assert all(type(v) is int for v in record["totals"].values())


def test_batch_multiplies_all_but_parameters(build):
    graph = build({"image": (8, 8, 3)}, SMALL)
    one, eight = table(graph), table(graph, batch=8)
    assert eight.totals.params == one.totals.params
    assert eight.totals[2:] == tuple(8 * n for n in one.totals[2:])
    assert "batch 8" in str(eight)
    with refuses(ValueError):
        table(graph, batch=0)


def test_shared_weights_count_once_and_their_macs_at_every_call(build):
    graph = build(
        {"a": (4,), "b": (4,)},
        [
            ("left.dense", "dense", {"units": 3}, ["a"], "twin.dense"),
            ("right.dense", "dense", {"units": 3}, ["b"], "twin.dense"),
        ],
        outputs={"l": "left.dense", "r": "right.dense"},
    )
    t = table(graph)
    assert [row.params for row in t.rows] == [15, 0]
    assert [row.macs for row in t.rows] == [12, 12]
    assert (t.totals.params, t.totals.macs) == (15, 24)
    first, second = json.loads(t.render("json"))["nodes"]
    assert first["layer"] == second["layer"] == "twin.dense"
    assert "shared" not in first and second["shared"] == "left.dense"
    assert "(15)" in t.render() and "left.dense ×2" in t.render()
    assert "(15)" in t.render("markdown") and "(15)" in t.render("html")


def test_open_sizes_are_unknown_never_guessed(build):
    t = table(build({"image": (None, None, 3)}, SMALL))
    assert (t.totals.params, t.totals.macs, t.totals.flops, t.totals.activations) == (132, None, None, None)
    record = json.loads(t.render("json"))
    assert record["totals"]["macs"] is None
    assert record["nodes"][0]["output_shape"] == [None, None, 4]
    text = t.render()
    assert "?×?×4" in text and "? MACs" in text and "open" in text
    assert next(csv.DictReader(StringIO(t.render("csv"))))["macs"] == ""


def test_train_only_heads_are_left_out_unless_asked_for(build):
    graph = build(
        {"x": (4,)},
        [("trunk", "dense", {"units": 4}), ("main", "dense", {"units": 2}), ("aux", "dense", {"units": 2}, ["trunk"])],
        outputs={"main": "main", "aux": "aux"},
        train_only=("aux",),
    )
    assert [row.name for row in table(graph).rows] == ["trunk", "main"]
    assert [row.name for row in table(graph, training=True).rows] == ["trunk", "main", "aux"]
    assert "with what only training needs" in table(graph, training=True).render()


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 9])
def test_folding_keeps_the_sums_and_the_ends_of_blocks(stages, depth):
    whole, t = table(stages), table(stages, depth=depth)
    assert t.totals == whole.totals
    for column in ("params", "trainable_params", "macs", "flops", "activations", "nodes"):
        assert sum(getattr(row, column) for row in t.rows) == sum(getattr(row, column) for row in whole.rows)
    names = [row.name for row in t.rows]
    assert len(set(names)) == len(names)
    assert all(i in {"image", *names} and i != row.name for row in t.rows for i in row.inputs)
    assert len(t.rows) == {1: 3, 2: 7, 3: 13, 4: 31, 9: 58}[depth]


def test_a_folded_block_is_one_node_with_outside_inputs(stages):
    stage = table(stages, depth=2).rows[3]
    assert (stage.name, stage.op, stage.nodes, stage.inputs) == ("c.3", "block", 18, ("c.2",))
    assert stage.output_shape == (32, 32, 8)


def test_long_tables_are_folded_for_reading_only(stages):
    t = table(stages)
    assert len(t.rows) == 58 and len(json.loads(t.render("json"))["nodes"]) == 58
    assert len(t.render().splitlines()) <= READABLE_LINES + 9
    assert "folded at depth 4: --depth all" in t.render()
    everything = table(stages, depth=0).render()
    assert sum(" relu " in line for line in everything.splitlines()) == 29 and "folded" not in everything


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_text_keeps_to_the_width_and_its_columns(build, width):
    name = "a_very_long_name_that_nobody_reads_to_its_end_but_somebody_wrote"
    steps = [(f"{name}.{i}", "conv", {"filters": 2048, "kernel": 3}) for i in range(3)]
    lines = table(build({"image": (224, 224, 3)}, steps)).render(width=width).splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("─"))
    body = [line for line in lines[rule - 1 : rule + 7] if line.strip()]
    assert max(map(len, lines)) <= width
    assert all(line[-1] in "%0123456789─GMTs" for line in body)


def test_a_cut_name_keeps_its_end(build):
    text = table(build({"x": (4,)}, [("a" * 60 + "_tail", "dense", {"units": 4})])).render(width=60)
    assert "…" in text and "_tail" in text


def test_blocks_have_subtotals(build):
    text = table(build({"x": (4,)}, [("b.one", "dense", {"units": 4}), ("b.two", "dense", {"units": 4})])).render()
    block = next(line for line in text.splitlines() if line.startswith("b "))
    assert block.split() == ["b", "4", "40", "100.0", "32", "100.0"]


def test_shares_are_those_of_each_column(build):
    """112 of 132 parameters and 1728 of 2048 MACs; 20 and 320."""
    t = table(build({"image": (8, 8, 3)}, SMALL))
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in t.render("markdown").splitlines() if "|" in row]
    assert [row[3:] for row in cells[2:5]] == [
        ["112", "84.8", "1.728 k", "84.4"],
        ["0", "", "0", ""],
        ["20", "15.2", "320", "15.6"],
    ]


def test_colour_changes_nothing_but_colour(stages):
    import re

    t = table(stages)
    assert re.sub(r"\x1b\[[0-9;]*m", "", t.render(color=True)) == t.render()
    assert "\x1b" not in t.render()


def test_csv_has_a_line_per_node(stages):
    records = list(csv.DictReader(StringIO(table(stages).render("csv"))))
    assert len(records) == 58
    assert records[0]["output_shape"] == "32x32x8" and records[1]["inputs"] == "stem.conv"
    assert sum(int(r["params"]) for r in records) == table(stages).totals.params


def test_markdown_and_html_show_the_totals(build):
    t = table(build({"image": (8, 8, 3)}, SMALL))
    rows = [line for line in t.render("markdown").splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert "**132**" in rows[-1]
    html = t._repr_html_()
    assert html.count("<tr>") == 1 + 3 + 2 and "<th" in html and "132" in html


class Cells(HTMLParser):
    """The texts of the cells of a table, row by row, and the names of all elements."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.elements, self.caption = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.lasttag in ("td", "th") and self.rows[-1]:
            self.rows[-1][-1] += data
        elif self.lasttag == "caption":
            self.caption += data


ODD = "<script>alert('1 & 2')</script>|\"&lt;"


def test_html_shows_names_as_they_are_and_never_as_elements(build):
    """In rows, and in the title."""
    graph = build(
        {"a": (4,), "b": (4,)},
        [(ODD, "dense", {"units": 3}, ["a"]), (f"2{ODD}", "dense", {"units": 3}, ["b"], ODD)],
        variant=ODD,
    )
    found = Cells(table(graph).render("html"))
    assert found.elements <= {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "br"}
    assert [row[0] for row in found.rows[1:3]] == [ODD, f"2{ODD}"]
    assert {len(row) for row in found.rows[:-1]} == {7}
    assert ODD in found.caption


def test_markdown_keeps_its_columns_whatever_names_hold(build):
    rows = table(build({"x": (4,)}, [("a|b", "dense", {"units": 3})])).render("markdown").splitlines()
    line = next(row for row in rows if row.startswith("| a"))
    assert line.startswith("| a\\|b | dense |")


def test_str_is_the_plain_text(build, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    t = table(build({"image": (8, 8, 3)}, SMALL))
    assert str(t) == repr(t) == t.render(width=100)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1000, "1.000 k"),
        (99_949, "99.95 k"),
        (999_949, "999.9 k"),
        (999_950, "1.000 M"),
        (4_089_184_256, "4.089 G"),
        (15_470_264_320, "15.47 G"),
        (10**21, "1000.0 E"),
    ],
)
def test_quantities_have_four_digits(count, text):
    assert quantity(count) == text
