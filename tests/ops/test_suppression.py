"""Suppression against onnxruntime's, at ties, in tiles and in exported files."""

import json
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())


def computed(boxes, scores, **args):
    boxes, scores = (np.asarray(x, "float32")[None] for x in (boxes, scores))
    layer = Op.find("nms").model_validate(args).lower(TensorSpec(boxes.shape[1:]), TensorSpec(scores.shape[1:]))
    found, values, classes, count = (np.asarray(x)[0] for x in layer(boxes, scores))
    return found[:count], values[:count], classes[:count]


def rows_by_class(boxes, found, classes):
    """The numbers of the rows that stay, class by class, in the order of their scores."""
    rows = [int(np.flatnonzero((boxes == b).all(1))[0]) for b in found]
    return {c: [r for r, k in zip(rows, classes, strict=True) if k == c] for c in sorted(set(classes.tolist()))}


@pytest.mark.tensorflow
@pytest.mark.parametrize("iou", ["0.3", "0.5", "0.7"])
def test_what_stays_of_each_class_is_what_onnxruntime_kept(iou):
    known = VECTORS["nms"]
    boxes, scores = np.array(known["boxes"], "float32"), np.array(known["scores"], "float32").T
    found, _, classes = computed(boxes, scores, iou=float(iou), score=known["score_threshold"], keep=200)
    kept = {}
    for c, row in known["kept_class_index"][iou]:
        kept.setdefault(c, []).append(row)
    most = known["per_class"]
    assert {c: rows[:most] for c, rows in rows_by_class(boxes, found, classes).items()} == kept


def by_onnxruntime(boxes, scores, iou, score):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    kinds = onnx.TensorProto
    names = ["boxes", "scores", "most", "iou", "score"]
    inputs = [
        onnx.helper.make_tensor_value_info(name, kinds.INT64 if name == "most" else kinds.FLOAT, None) for name in names
    ]
    output = onnx.helper.make_tensor_value_info("kept", kinds.INT64, None)
    node = onnx.helper.make_node("NonMaxSuppression", names, ["kept"])
    graph = onnx.helper.make_graph([node], "nms", inputs, [output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = (boxes[None], scores.T[None], np.array([10**6]), np.array([iou], "float32"), np.array([score], "float32"))
    out = {}
    for _, c, row in session.run(None, dict(zip(names, given, strict=True)))[0].tolist():
        out.setdefault(c, []).append(row)
    return out


@pytest.mark.tensorflow
def test_many_boxes_in_tiles_stay_as_in_onnxruntime(monkeypatch):
    monkeypatch.setattr("archspec.layers.suppression.TILE", 64)
    rng = np.random.default_rng(0)
    low, size = rng.uniform(0, 60, (300, 2)), rng.uniform(5, 40, (300, 2))
    boxes = np.concatenate([low, low + size], 1).astype("float32")
    scores = rng.uniform(size=(300, 2)).astype("float32")
    found, values, classes = computed(boxes, scores, iou=0.45, score=0.05, keep=600)
    assert (np.diff(values) <= 0).all()
    assert rows_by_class(boxes, found, classes) == by_onnxruntime(boxes, scores, 0.45, 0.05)


@pytest.mark.tensorflow
def test_of_equal_scores_the_first_stays_and_an_overlap_of_just_the_limit_is_not_above_it():
    """As in torchvision: a stable order, and what overlaps by more than the limit goes."""
    boxes = [[0, 0, 10, 10], [0, 0, 10, 5], [1, 0, 11, 10]]
    found, _, _ = computed(boxes, [0.5, 0.5, 0.5], iou=0.5)
    np.testing.assert_array_equal(found, boxes[:2])
    found, _, _ = computed(boxes[::-1], [0.5, 0.5, 0.5], iou=0.5)
    np.testing.assert_array_equal(found, [boxes[2], boxes[1]])


@pytest.mark.tensorflow
def test_a_limit_that_no_float_is_is_the_number_that_was_written():
    """3 / 10 as float32 is above 0.3, and as torchvision compares, in double precision, such a box goes."""
    boxes = [[0, 0, 10, 10], [0, 0, 10, 3]]
    assert len(computed(boxes, [0.9, 0.8], iou=0.3)[0]) == 1
    assert len(computed(boxes, [0.9, 0.8], iou=0.31)[0]) == 2


@pytest.mark.tensorflow
def test_a_chain_of_boxes_is_gone_through_to_its_end():
    """Each makes the next one go, which then makes none go: every second stays."""
    starts = np.arange(100) * 4.0
    boxes = np.stack([starts, 0 * starts, starts + 10, 0 * starts + 10], 1)
    found, _, _ = computed(boxes, np.linspace(1, 0.5, 100), iou=0.4)
    np.testing.assert_array_equal(found, boxes[::2])


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize("jit", [False, True])
def test_nothing_found_is_a_count_of_zero(jit):
    import tensorflow as tf

    layer = Op.find("nms")(keep=5).lower(TensorSpec((3, 4)), TensorSpec((3, 2)))
    boxes, scores = tf.ones((2, 3, 4)), tf.constant([[[0.0, 0], [np.nan, 0], [0, 0]], [[0, 0.5], [0, 0], [0.2, 0]]])
    found, values, classes, count = tf.function(layer, jit_compile=jit)(boxes, scores)
    np.testing.assert_array_equal(count, [0, 2])
    np.testing.assert_array_equal(found[0], np.zeros((5, 4)))
    np.testing.assert_array_equal(values, np.array([[0] * 5, [0.5, 0.2, 0, 0, 0]], "float32"))
    np.testing.assert_array_equal(classes, [[-1] * 5, [1, 0, -1, -1, -1]])


NET = """archspec: 1
name: net
inputs: {image: [32, 48, 3]}
body:
  - {conv: {filters: 24, kernel: 8, stride: 8}, as: map}
  - {anchors: {sizes: 40, ratios: [0.5, 1, 2], stride: 8}, from: map, as: at}
  - {conv: 12, from: map}
  - {reshape: [-1, 4], as: deltas}
  - {conv: {filters: 6, activation: sigmoid}, from: map}
  - {reshape: [-1, 2], as: scores}
  - {decode_boxes: , from: [deltas, at], as: boxes}
  - {nms: {keep: 100, iou: 0.3}, from: [boxes, scores], as: found}
heads:
  objects: {from: found}
  best: {from: found.scores, body: [{reduce: {reduction: max, axis: 0, keep: true}}]}
"""


def test_results_go_by_name_in_the_text_and_in_the_outputs():
    graph = archspec.loads(NET)
    assert [(o.name, graph.spec(o.tensor).shape) for o in graph.outputs] == [
        ("objects.boxes", (100, 4)),
        ("objects.scores", (100,)),
        ("objects.classes", (100,)),
        ("objects.count", ()),
        ("best", (1,)),
    ]
    node = graph.nodes[-2]
    assert node.op.flops(node.outputs, *node.input_specs) == 144 + 3 * 144 + 13 * 144 * 143 // 2


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("form", ["saved_model", "onnx", "litert"])
@pytest.mark.parametrize("step", ["nms: {keep: 100, iou: 0.3}", "merge_boxes: {keep: 100, before: 40}"])
def test_exported_files_contain_the_suppression(form, step, tmp_path):
    import tensorflow as tf

    from archspec.backend.export import export
    from archspec.backend.onnx import write_onnx

    path = tmp_path / f"net{'.tflite' if form == 'litert' else ''}"
    model = archspec.compile(archspec.loads(NET.replace("nms: {keep: 100, iou: 0.3}", step)))
    image = np.random.default_rng(0).normal(size=(1, 32, 48, 3)).astype("float32")
    known = {name: np.asarray(value) for name, value in model(image).items()}
    assert 0 < known["objects.count"][0] < 100
    if form == "onnx":
        session = pytest.importorskip("onnxruntime")
        assert write_onnx(model, path) < 1e-4
        opened = session.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        values = opened.run(None, {opened.get_inputs()[0].name: image})
        found = dict(zip([o.name for o in opened.get_outputs()], values, strict=True))
    elif form == "litert":
        export(model, path, "litert")
        opened = tf.lite.Interpreter(str(path)).get_signature_runner()
        found = opened(**dict.fromkeys(opened.get_input_details(), image))
    else:
        export(model, path, "saved_model")
        opened = tf.saved_model.load(str(path))
        found = opened.serve(image)
    assert sorted(tuple(v.shape) for v in found.values()) == sorted(v.shape for v in known.values())
    by_shape = {(*v.shape, v.dtype.kind): v for v in map(np.asarray, found.values())}
    for value in known.values():
        np.testing.assert_allclose(by_shape[(*value.shape, value.dtype.kind)], value, atol=1e-4)
