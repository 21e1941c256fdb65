"""Ultralytics' model files: parameters and operations are those that Ultralytics prints; what cannot be said is told at
its row."""

import random
import re
from pathlib import Path

import pytest

import archspec
from archspec.analysis.conventions import answer
from archspec.importing import imported
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses

GROW = '[-1, 1, nn.Upsample, [None, 2, "nearest"]]'


def model(head: str, rows: list[str], top: list[str]) -> str:
    """A file of Ultralytics: ``backbone`` has the first rows, ``head`` those behind ``head``'s place."""
    at = rows.index(head)
    parts = {"backbone": rows[:at], "head": rows[at:]}
    return "\n".join(
        [*top, *(line for name, part in parts.items() for line in (f"{name}:", *(f"  - {r}" for r in part)))]
    )


def pyramid(first: str, deep: int, *behind: str) -> list[str]:
    """A path upwards and one downwards, as v8 and v11 have them: ``first`` are its stages, at most ``deep`` wide."""
    p3, p4, p5 = behind
    return [
        GROW, "[[-1, 6], 1, Concat, [1]]", first.format(512), GROW, "[[-1, 4], 1, Concat, [1]]", first.format(256),
        "[-1, 1, Conv, [256, 3, 2]]", f"[[-1, {p3}], 1, Concat, [1]]", first.format(512),
        "[-1, 1, Conv, [512, 3, 2]]", f"[[-1, {p4}], 1, Concat, [1]]", p5.format(deep),
    ]  # fmt: skip


def down(width: int) -> str:
    return f"[-1, 1, Conv, [{width}, 3, 2]]"


V8 = model(
    GROW,
    [
        down(64), down(128), "[-1, 3, C2f, [128, True]]", down(256), "[-1, 6, C2f, [256, True]]", down(512),
        "[-1, 6, C2f, [512, True]]", down(1024), "[-1, 3, C2f, [1024, True]]", "[-1, 1, SPPF, [1024, 5]]",
        *pyramid("[-1, 3, C2f, [{}]]", 1024, "12", "9", "[-1, 3, C2f, [{}]]"), "[[15, 18, 21], 1, Detect, [nc]]",
    ],
    ["nc: 80 # classes", "scales:", "  n: [0.33, 0.25, 1024]", "  m: [0.67, 0.75, 768]", "  x: [1.00, 1.25, 512]"],
)  # fmt: skip
V11 = model(
    GROW,
    [
        down(64), down(128), "[-1, 2, C3k2, [256, False, 0.25]]", down(256), "[-1, 2, C3k2, [512, False, 0.25]]",
        down(512),
        "[-1, 2, C3k2, [512, True]]", down(1024), "[-1, 2, C3k2, [1024, True]]", "[-1, 1, SPPF, [1024, 5]]",
        "[-1, 2, C2PSA, [1024]]",
        *pyramid("[-1, 2, C3k2, [{}, False]]", 1024, "13", "10", "[-1, 2, C3k2, [{}, True]]"),
        "[[16, 19, 22], 1, Detect, [nc]]",
    ],
    ["nc: 80", "scales:", "  n: [0.50, 0.25, 1024]", "  m: [0.50, 1.00, 512]"],
)  # fmt: skip
V5 = model(
    "[-1, 1, Conv, [512, 1, 1]]",
    [
        "[-1, 1, Conv, [64, 6, 2, 2]]", down(128), "[-1, 3, C3, [128]]", down(256), "[-1, 6, C3, [256]]", down(512),
        "[-1, 9, C3, [512]]", down(1024), "[-1, 3, C3, [1024]]", "[-1, 1, SPPF, [1024, 5]]",
        "[-1, 1, Conv, [512, 1, 1]]", GROW, "[[-1, 6], 1, Concat, [1]]", "[-1, 3, C3, [512, False]]",
        "[-1, 1, Conv, [256, 1, 1]]", GROW, "[[-1, 4], 1, Concat, [1]]", "[-1, 3, C3, [256, False]]",
        down(256), "[[-1, 14], 1, Concat, [1]]", "[-1, 3, C3, [512, False]]",
        down(512), "[[-1, 10], 1, Concat, [1]]", "[-1, 3, C3, [1024, False]]",
        "[[17, 20, 23], 1, Detect, [nc, anchors]]",
    ],
    [
        "nc: 80", "depth_multiple: 0.33", "width_multiple: 0.50",
        "anchors: [[10,13, 16,30, 33,23], [30,61, 62,45, 59,119], [116,90, 156,198, 373,326]]",
    ],
)  # fmt: skip
ONE = V8.replace("nc: 80", "kpt_shape: [5, 3]\nnc: 1")
CLASSES = model(
    "[-1, 1, Classify, [nc]]",
    [*re.findall(r"  - (.*)", V8.partition("head")[0])[:-1], "[-1, 1, Classify, [nc]]"],
    ["nc: 2", "scales: {n: [0.33, 0.25, 1024]}"],
)
CASES = {
    # Parameters with a gradient and GFLOPs, as Ultralytics prints them in its own files and logs.
    "yolov8n": (V8, 3_157_184, 8.9),
    "yolov8x": (V8, 68_229_632, 258.5),
    "yolo11n": (V11, 2_624_064, 6.6),
    "yolo11m": (V11, 20_114_672, 68.5),
    "yolov5s": (V5, 7_235_389, 16.6),
    "yolov8n-seg": (ONE.replace("Detect, [nc]", "Segment, [nc, 32, 256]"), 3_263_795, 12.1),
    "yolov8n-pose": (ONE.replace("Detect, [nc]", "Pose, [nc, kpt_shape]"), 3_083_408, 8.4),
    "yolov8n-cls": (CLASSES, 1_440_850, 3.4),
}


@pytest.mark.parametrize("name", CASES)
def test_parameters_and_operations_are_those_of_ultralytics(tmp_path, name):
    text, params, operations = CASES[name]
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    found = imported(path)
    assert found.graph.name == name.replace("-", "_")
    assert archspec.table(found.graph).totals.trainable_params == params
    counted = 2 * answer(found.graph, "thop").number / 1e9
    assert counted == pytest.approx(operations, abs=0.051)


def read(tmp_path, *rows, top=("nc: 4",), head=("[-1, 1, nn.Identity, []]",)):
    path = tmp_path / "net.yaml"
    lines = [*top, "backbone:", *(f"  - {row}" for row in rows), "head:", *(f"  - {row}" for row in head)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return imported(path).graph


def test_modules_that_no_list_above_has(tmp_path):
    graph = read(
        tmp_path,
        "[-1, 1, Focus, [16, 3]]",
        "[-1, 2, DWConv, [32, 3, 1]]",
        "[-1, 1, nn.ZeroPad2d, [[0, 1, 0, 1]]]",
        "[-1, 1, nn.MaxPool2d, [2, 1, 0]]",
        "[-1, 2, Bottleneck, [32, False]]",
        "[-1, 1, SPP, [32, [3, 5]]]",
        "[-1, 1, Conv, [16, 3, 2, None, 2, 1, False]]",
        top=["nc: 4", "activation: nn.ReLU()", "ch: 1"],
        head=["[-1, 1, Classify, [nc]]"],
    )
    assert graph.inputs["image"].shape == (640, 640, 1) and graph.nodes[-1].output.shape == (4,)
    kinds = {node.op.name for node in graph.nodes}
    assert "silu" not in kinds and {"relu", "pad", "max_pool", "softmax", "depthwise_conv"} <= kinds


def test_scales_are_chosen_as_ultralytics_does(tmp_path):
    for name, params in (("yolov8m", 25_902_624), ("mine", 3_157_184)):
        (tmp_path / f"{name}.yaml").write_text(V8, encoding="utf-8")
        found = imported(tmp_path / f"{name}.yaml")
        assert archspec.table(found.graph).totals.trainable_params == params
    assert found.notes[0] == "scale n of n, m, x"


LEVEL = "backbone: [[-1, 1, Conv, [8]]]\nhead: [[[0], 1, Detect, [2, anchors]]]\n"
ODD = {
    "a spec": "archspec: 1\nname: net\n",
    "no head": "backbone: []\n",
    "a head of words": "backbone: []\nhead: [words]\n",
    "three in a row": "[-1, 1, Conv]",
    "a module that is none": "[-1, 1, Convv, [64]]",
    "a module of other models": "[-1, 1, RepNCSPELAN4, [64]]",
    "no module at all": "[-1, 1, 7, [64]]",
    "no number": "[-1, none, Conv, [64]]",
    "arguments that are no list": "[-1, 1, Conv, 64]",
    "a row to come": "[4, 1, Conv, [64]]",
    "no channels": "[-1, 1, Conv, []]",
    "channels that are a word": "[-1, 1, Conv, [many]]",
    "an argument too many": "[-1, 1, SPPF, [64, 5, 3, 1]]",
    "another axis": "[[-1, -1], 1, Concat, [2]]",
    "a size and no factor": '[-1, 1, nn.Upsample, [[20, 20], None, "nearest"]]',
    "another interpolation": '[-1, 1, nn.Upsample, [None, 2, "bilinear"]]',
    "boxes of boxes": "[-1, 1, Detect, [nc]]",
    "anchors of nothing": "[-1, 1, Pose, [nc, kpt_shape]]",
    "anchors that are words": "anchors: [words]\n" + LEVEL,
    "half an anchor": "anchors: [[10, 13, 16]]\n" + LEVEL,
    "groups that do not divide": "[-1, 1, Conv, [16, 3, 1, None, 7]]",
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_told_at_its_row(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text = (
        ODD[name]
        if ODD[name].endswith("\n")
        else f"nc: 4\nbackbone:\n  - {ODD[name]}\nhead:\n  - [-1, 1, nn.SiLU, []]\n"
    )
    Path("net.yaml").write_text(text, encoding="utf-8")
    with refuses(SpecError):
        imported(Path("net.yaml"))


def test_what_concerns_the_whole_is_told_at_its_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for change in ("nc: 0", "nc: 4\nscales: {}", "nc: 4\nscales: {n: [1, 2]}", "nc: 4\nactivation: nn.Softmax2d()"):
        Path("net.yaml").write_text(f"{change}\nbackbone: [[-1, 1, Conv, [8]]]\nhead: []\n", encoding="utf-8")
        with refuses(SpecError):
            imported(Path("net.yaml"))


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_gets_an_answer(tmp_path, seed):
    draw = random.Random(seed)
    lines = V11.splitlines()
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        words = re.split(r"(\W)", lines[at])
        words[draw.randrange(len(words))] = draw.choice(["", "-1", "None", "0", "[", "nc", "1.5", "True", "x", ": "])
        lines[at] = "".join(words)
    (tmp_path / "yolo11n.yaml").write_text("\n".join(lines), encoding="utf-8")
    try:
        imported(tmp_path / "yolo11n.yaml")
    except SpecError as error:
        assert all(said.message and said.span for said in error.diagnostics)
