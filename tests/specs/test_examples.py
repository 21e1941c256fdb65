"""What each file of the catalogue says of itself holds, and the examples are the networks they claim to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import archspec

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SPECS = Path(__file__).parents[2] / "specs"
COUNTS = ("params", "trainable_params", "macs")


def documents() -> dict[Path, dict[str, Any]]:
    return {
        path: yaml.load(path.read_text(), LOADER)
        for path in sorted(SPECS.glob("*/*.yaml"))
        if path.parent.name != "runs"
    }


DOCUMENTS = documents()


def expectations() -> dict[str, dict[str, Any]]:
    """Catalogue name → its ``expect`` entry."""
    out = {}
    for document in DOCUMENTS.values():
        expect = document.get("expect") or {}
        if "source" in expect:
            out[document["name"]] = expect
        else:
            out.update(expect)
    return out


EXPECTATIONS = expectations()


def counts(graph, training: bool = False) -> dict[str, int]:
    totals = archspec.table(graph, training=training).totals
    return {key: getattr(totals, key) for key in COUNTS}


def nodes(graph, op: str):
    return [node for node in graph.nodes if node.op.name == op]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_spec_says_what_it_is(path):
    document = DOCUMENTS[path]
    assert path.read_text().startswith("# "), "the file's head names the paper, the table and the deviations"
    assert set(document["doc"]) >= {"title", "authors", "year"} and isinstance(document["doc"]["year"], int)
    names = list(document.get("variants") or {}) or [document["name"]]
    for name in names:
        entry = EXPECTATIONS[name]
        assert entry["source"] and all(isinstance(entry[key], int) for key in COUNTS)


def test_names_are_unique_over_the_catalogue():
    names = [n for d in DOCUMENTS.values() for n in {d["name"], *(d.get("variants") or {})}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_expectations_hold(name):
    expect = EXPECTATIONS[name]
    graph = archspec.load(name)
    assert counts(graph) == {key: expect[key] for key in COUNTS}
    if "training" in expect:
        assert counts(graph, training=True) == expect["training"]


SYMMETRIC = [
    "alexnet",
    "zfnet",
    "overfeat_fast",
    "nin_imagenet",
    "vgg16",
    "googlenet",
    "bn_inception",
    "inception_v2",
    "resnet18",
    "resnet34_a",
    "resnet50",
    "resnet152_keras",
    "resnet50_preact",
    "resnet50_v2_keras",
    "resnet110_cifar",
    "resnext50_32x4d",
    "densenet121",
    "densenet40_12_cifar",
    "squeezenet1_0",
    "squeezenet1_0_caffe",
    "shufflenet_v1_g3",
    "shufflenet_v2_x1_0",
    "se_resnet50",
    "darknet53",
    "yolov1",
    "yolov3",
    "yolov4",
    "retinanet",
    "deeplabv3",
]


@pytest.mark.parametrize("name", SYMMETRIC)
def test_networks_of_symmetric_padding_have_no_same_at_a_stride(name):
    """TensorFlow's ``same`` puts an odd row at the end: equal shapes and counts, other values."""
    for node in archspec.load(name).nodes:
        stride, kernel = getattr(node.op, "stride", 1), getattr(node.op, "kernel", None) or getattr(node.op, "size", 1)
        if (
            node.op.name in ("conv", "depthwise_conv", "separable_conv", "max_pool", "avg_pool")
            and stride not in (1, None)
            and kernel != 1
        ):
            assert node.op.padding != "same", node.name


def test_auxiliary_heads_are_for_training():
    assert [o.name for o in archspec.load("googlenet").inference().outputs] == ["main"]
    assert [o.name for o in archspec.load("googlenet").outputs] == ["main", "aux1", "aux2"]


def test_a_dilated_stage_begins_with_the_dilation_before_it():
    for stride, expected in ((8, [1] * 8 + [2] * 6 + [4] * 2), (16, [1] * 14 + [2] * 2), (32, [1] * 16)):
        graph = archspec.load("resnet50", output_stride=stride)
        assert [node.op.dilation for node in nodes(graph, "conv") if node.op.kernel == 3] == expected
        assert counts(graph)["params"] == EXPECTATIONS["resnet50"]["params"]


@pytest.mark.parametrize("base, depth, size", [(64, 4, 256), (32, 3, 64), (16, 5, 128)])
def test_unet_is_what_its_formula_says(base, depth, size):
    params = macs = 0

    def conv(c_in, c_out, kernel, side):
        nonlocal params, macs
        params += (kernel * kernel * c_in + 1) * c_out
        macs += kernel * kernel * c_in * c_out * side * side

    c = 1
    for i in [*range(depth), depth]:
        for _ in range(2):
            conv(c, c := base * 2**i, 3, size >> i)
    for i in reversed(range(depth)):
        width = base * 2**i
        conv(2 * width, width, 2, size >> (i + 1))  # transposed: every input position meets the whole kernel
        conv(2 * width, width, 3, size >> i)
        conv(width, width, 3, size >> i)
    conv(base, 2, 1, size)
    graph = archspec.load("unet", base=base, depth=depth, size=size)
    assert counts(graph) == {"params": params, "trainable_params": params, "macs": macs}
    assert graph.spec(graph.outputs[0].tensor).shape == (size, size, 2)


def test_the_trunk_of_retinanet_shares_its_heads_over_five_levels():
    graph = archspec.load("retinanet")
    for head in ("cls", "reg"):
        rows = [graph.by_name[f"{head}.{i}.reshape"].output.shape[0] for i in (3, 4, 5, 6, 7)]
        assert rows == [9 * s * s for s in (100, 50, 25, 13, 7)]


def test_yolov3_predicts_at_three_scales():
    graph = archspec.load("yolov3")
    nodes = {node.name: node for node in graph.nodes}
    assert [nodes[f"map.{i}"].output.shape for i in (5, 4, 3)] == [(13, 13, 255), (26, 26, 255), (52, 52, 255)]
    assert counts(archspec.load("yolov3", classes=20))["trainable_params"] == 61_626_049  # yolov3-voc.cfg


def test_the_captioner_is_a_trunk_and_the_formulas_of_its_layers():
    trunk, grid, words, dim, vocab, heads = 23_508_032, 49, 20, 256, 8000, 4 * 64
    layers = {
        "regions": (2048 * dim + dim, grid * 2048 * dim),
        "embedding": (vocab * dim, 0),
        "lstm": (4 * dim * (dim + dim + 1), words * 4 * dim * (dim + dim)),
        "attention": (
            3 * (dim * heads + heads) + heads * dim + dim,
            2 * words * dim * heads + 2 * grid * dim * heads + 4 * words * grid * (64 + 64),
        ),
        "layer_norm": (2 * dim, 0),
        "next_word": (dim * vocab + vocab, words * dim * vocab),
    }
    trunk_macs = EXPECTATIONS["resnet50"]["macs"] - 2048 * 1000
    got = counts(archspec.load("captioner"))
    assert got["trainable_params"] == trunk + sum(p for p, _ in layers.values())
    assert got["macs"] == trunk_macs + sum(m for _, m in layers.values())


def test_cyclegan_has_four_networks_of_the_published_sizes():
    graph = archspec.load("cyclegan")
    expected = {"params": 11_378_179, "trainable_params": 11_378_179, "macs": 49_551_507_456}
    assert counts(graph.networks["G"]) == counts(graph.networks["F"]) == expected
    expected = {"params": 2_764_737, "trainable_params": 2_764_737, "macs": 3_146_809_344}
    assert counts(graph.networks["DA"]) == counts(graph.networks["DB"]) == expected
    assert [step.update for step in graph.training.steps] == [("G", "F"), ("DB",), ("DA",)]
    assert {node.layer.split(".")[0] for node in graph.training.body.nodes if node.weights} == {"G", "F", "DA", "DB"}
