"""Regions of maps against onnxruntime and Caffe's rule, their gradients, and the map that a box is looked at on."""

import json
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op

VECTORS = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())


def computed(name, args, *inputs):
    op = Op.find(name).model_validate(args)
    given = [np.asarray(x, "float32")[None] for x in inputs]
    layer = op.lower(*(TensorSpec(x.shape[1:]) for x in given))
    return np.asarray(layer(given) if name == "roi_align" else layer(*given))[0]


@pytest.mark.tensorflow
@pytest.mark.parametrize("key", VECTORS["roi_align"]["out"])
def test_regions_are_those_that_onnxruntime_gave(key):
    known = VECTORS["roi_align"]
    said = dict(pair.split("=") for pair in key.split(","))
    args = {
        "size": int(said["size"]),
        "samples": int(said["sampling"]),
        "stride": 1 / float(said["scale"]),
        "aligned": said["aligned"] == "True",
    }
    found = computed("roi_align", args, known["map"], known["boxes"])
    np.testing.assert_allclose(found, known["out"][key], atol=1e-5)


def by_onnxruntime(x, boxes, size, samples, stride, aligned):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    kinds, helper = onnx.TensorProto, onnx.helper
    inputs = [
        helper.make_tensor_value_info("x", kinds.FLOAT, None),
        helper.make_tensor_value_info("boxes", kinds.FLOAT, None),
        helper.make_tensor_value_info("of", kinds.INT64, None),
    ]
    node = helper.make_node(
        "RoiAlign",
        ["x", "boxes", "of"],
        ["y"],
        output_height=size[0],
        output_width=size[1],
        sampling_ratio=samples,
        spatial_scale=1 / stride,
        mode="avg",
        coordinate_transformation_mode="half_pixel" if aligned else "output_half_pixel",
    )
    output = helper.make_tensor_value_info("y", kinds.FLOAT, None)
    graph = helper.make_graph([node], "regions", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {"x": x.transpose(2, 0, 1)[None], "boxes": boxes, "of": np.zeros(len(boxes), "int64")}
    return session.run(None, given)[0].transpose(0, 2, 3, 1)


@pytest.mark.tensorflow
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("samples", [0, 1, 2, 3])
def test_any_sampling_of_maps_that_are_not_square_is_onnxruntimes(samples, aligned):
    """Boxes over every border, and one of all of the map."""
    rng = np.random.default_rng(samples)
    x = rng.normal(size=(9, 14, 3)).astype("float32")
    low, size = rng.uniform(-12, 50, (40, 2)), rng.uniform(0.5, 60, (40, 2))
    boxes = np.concatenate([low, low + size], 1).astype("float32")
    boxes[0] = [0, 0, 56, 36]
    args = {"size": [3, 5], "samples": samples, "stride": 4, "aligned": aligned}
    found = computed("roi_align", args, x, boxes)
    np.testing.assert_allclose(found, by_onnxruntime(x, boxes, (3, 5), samples, 4, aligned), atol=2e-5)


@pytest.mark.tensorflow
def test_weights_of_every_position_give_what_reading_some_of_them_does(monkeypatch):
    """What other backends do, against what TensorFlow does; and its gradients."""
    import tensorflow as tf

    from archspec.layers.regions import AlignedRegions

    rng = np.random.default_rng(0)
    maps = [tf.constant(rng.normal(size=(2, 16 >> k, 24 >> k, 3)), tf.float32) for k in range(3)]
    low, size = rng.uniform(-3, 20, (2, 10, 2)), rng.uniform(1, 16, (2, 10, 2))
    boxes = tf.constant(np.concatenate([low, low + size], -1), tf.float32)
    layer = AlignedRegions((3, 2), (1, 2, 4), 2, aligned=True, canonical=(6, 2))
    onto = rng.normal(size=(2, 10, 3, 2, 3)).astype("float32")

    def both():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            found = layer([*maps, boxes])
            loss = tf.reduce_sum(found * onto)
        return found, *tape.gradient(loss, maps)

    read = both()
    monkeypatch.setattr(AlignedRegions, "_is_read", lambda self: False)
    for one, other in zip(read, both(), strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.tensorflow
def test_boxes_are_looked_at_on_the_map_of_their_size():
    """Feature pyramids: 224 pixels at stride 16, 112 at 8, and no further than there are maps."""
    maps = [np.full((n, n, 1), k, "float32") for k, n in enumerate((256, 128, 64, 32))]
    sides = np.array([1, 111, 112, 223, 224, 447, 448, 900], "float32")
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], 1)
    found = computed("roi_align", {"size": 1, "samples": 1, "stride": [4, 8, 16, 32]}, *maps, boxes)
    np.testing.assert_array_equal(found.ravel(), [0, 0, 1, 1, 2, 2, 3, 3])


def test_which_map_is_refused_where_there_is_no_stride_for_each():
    text = (
        "archspec: 1\nname: net\ninputs: {a: [8, 8, 2], b: [4, 4, 2], boxes: [5, 4]}\n"
        "body: [{roi_align: {size: 2, stride: [8, 16]}, from: [a, b, boxes]}]\n"
    )
    node = archspec.loads(text).nodes[0]
    assert node.output.shape == (5, 2, 2, 2)
    assert node.op.flops(node.output, *node.input_specs) == 8 * 4 * 40 + 12 * 5


@pytest.mark.tensorflow
def test_pooled_regions_are_those_of_caffes_rule():
    """Of a map whose numbers are the sines of their places, channel by channel and row by row."""
    known = VECTORS["roi_pool"]
    x = np.sin(np.arange(2 * 8 * 10)).reshape(2, 8, 10).transpose(1, 2, 0)
    boxes = np.array(known["rois_batch_xyxy"], "float32")[:, 1:]
    found = computed("roi_pool", {"size": 3, "stride": 2}, x, boxes)
    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), known["out"], atol=1e-6)


@pytest.mark.tensorflow
def test_the_gradient_of_a_pooled_region_goes_to_its_largest_numbers():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x = tf.constant(rng.permutation(6 * 8).reshape(1, 6, 8, 1), tf.float32)
    layer = Op.find("roi_pool")(size=2, stride=1).lower(TensorSpec((6, 8, 1)), TensorSpec((1, 4)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x, tf.constant([[[1.0, 1, 4, 4]]]))
    gradient = tape.gradient(found, x)[0, :, :, 0].numpy()
    part = x.numpy()[0, 1:5, 1:5, 0]
    wanted = np.zeros((6, 8))
    for i in (0, 2):
        for j in (0, 2):
            y, c = divmod(int(part[i : i + 2, j : j + 2].argmax()), 2)
            wanted[1 + i + y, 1 + j + c] = 1
    np.testing.assert_array_equal(gradient, wanted)


@pytest.mark.tensorflow
def test_a_crop_of_the_whole_is_a_resize():
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(7, 11, 3)).astype("float32")
    found = computed("crop_and_resize", {"size": [13, 5]}, x, [[0, 0, 11, 7]])
    np.testing.assert_allclose(found[0], tf.image.resize(x, (13, 5)), atol=1e-5)
