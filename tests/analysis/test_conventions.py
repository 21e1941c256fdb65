"""What other tools print, held to what they printed (torch 2.13, Keras 3.15 on TensorFlow 2.21)."""

from __future__ import annotations

import pytest

import archspec
from archspec.analysis.conventions import answer, tools
from archspec.ir.tensors import UnknownSize
from tests.wording import refuses

RESNET50 = {
    "torch": 8_178_368_512,
    "deepspeed": 4_089_184_256,
    "calflops": 8_211_108_352,
    "ptflops_aten": 4_089_185_256,
    "torchinfo": 4_089_238_376,
    "torchprofile": 4_100_300_288,
    "fvcore": 4_111_512_576,
    "ptflops": 4_132_436_968,
    "thop": 4_133_742_592,
    "torchvision": 4_089_184_256,
    "keras": 25_610_152,
}


@pytest.fixture(scope="module")
def resnet50():
    return archspec.load("resnet50")


@pytest.mark.parametrize(("tool", "number"), RESNET50.items())
def test_one_network_and_the_answers_of_all(resnet50, tool, number):
    """torchvision's ResNet-50 on 224×224, as each tool printed it."""
    found = answer(resnet50, tool)
    assert (found.number, found.unknown) == (number, ())
    assert sum(found.terms.values()) == number


@pytest.mark.parametrize(
    ("spec", "tool", "number", "beside"),
    [
        # As each tool printed it of torchvision's network; ``beside`` is what that network has and the spec has not, or
        # calls as a function: an average of 7×7 before VGG's dense layers, and the last average of MobileNet v2.
        ("squeezenet1_1", "torch", 698_303_872, 0),
        ("squeezenet1_1", "fvcore", 349_320_936, 0),
        ("squeezenet1_1", "thop", 349_321_936, 0),
        ("squeezenet1_1", "torchinfo", 351_741_288, 0),
        ("squeezenet1_1", "ptflops", 359_982_728, 0),
        ("squeezenet1_1", "ptflops_aten", 351_741_288, 0),
        ("vgg16", "ptflops_aten", 15_483_821_032, 0),
        ("vgg16", "torchinfo", 15_483_821_032, 0),
        ("vgg16", "fvcore", 15_470_289_408, 7 * 7 * 512),
        ("vgg16", "thop", 15_470_314_496, 2 * 7 * 7 * 512),
        ("vgg16", "ptflops", 15_523_225_576, 2 * 7 * 7 * 512),
        ("mobilenet_v2", "fvcore", 314_193_216, 0),
        ("mobilenet_v2", "torchinfo", 300_809_384, 0),
        ("mobilenet_v2", "thop", 327_486_720, -50 * 1280),
        ("mobilenet_v2", "ptflops", 320_300_008, -49 * 1280),
        ("mobilenet_v2", "ptflops_aten", 300_775_272, 0),
    ],
)
def test_what_tools_printed_of_other_networks(spec, tool, number, beside):
    assert answer(archspec.load(spec), tool).number + beside == number


def net(tmp_path, step, shape="[8, 8, 4]", dtype="float32"):
    path = tmp_path / "net.yaml"
    text = f"archspec: 1\nname: net\ninputs: {{x: {{shape: {shape}, dtype: {dtype}}}}}\nbody:\n  - {step}\n"
    path.write_text(text, encoding="utf-8")
    return archspec.load(str(path))


@pytest.mark.parametrize(
    ("step", "shape", "ratios"),
    [
        # Ratios to the true MACs, measured of single layers without biases.
        ("dense: {units: 64, bias: false}", "[10, 64]", {"torchinfo": 0.1, "fvcore": 1, "thop": 1, "torch": 2}),
        (
            "conv_transpose: {filters: 4, kernel: 2, bias: false}",
            "[8, 8, 4]",
            {"torchinfo": 4, "thop": 4, "torchprofile": 4, "fvcore": 1, "ptflops": 1, "torch": 2},
        ),
        (
            "conv: {filters: 8, kernel: 3, groups: 4, bias: false}",
            "[8, 8, 4]",
            {"fvcore": 1, "thop": 1, "torchinfo": 1},
        ),
        ("lstm: {units: 8, bias: false}", "[20, 4]", {"fvcore": 0, "torch": 0, "deepspeed": 0, "torchinfo": 1}),
        ("gru: {units: 8, bias: false}", "[20, 4]", {"torch": 2, "fvcore": 0, "torchinfo": 1}),
        ("separable_conv: {filters: 6, kernel: 3, bias: false}", "[8, 8, 4]", {"fvcore": 1, "torchinfo": 1}),
    ],
)
def test_where_tools_are_right_and_wrong(tmp_path, step, shape, ratios):
    graph = net(tmp_path, step, shape)
    macs = graph.nodes[0].cost().macs
    assert {tool: answer(graph, tool).number / macs for tool in ratios} == ratios


def test_what_is_not_known_of_a_tool_is_named(tmp_path):
    graph = net(tmp_path, "attention: 2", "[10, 8]")
    assert answer(graph, "fvcore").unknown == ("attention",)
    with pytest.raises(UnknownSize):
        answer(net(tmp_path, "dense: 3", "[T, 8]"), "fvcore")
    with refuses(ValueError):
        answer(graph, "flopcounter")


@pytest.mark.parametrize(
    ("step", "shape", "printed"),
    [
        # Of single Keras layers, by ``tf.compat.v1.profiler``.
        ("conv: {filters: 6, kernel: 3}", "[8, 8, 4]", 28_032),
        ("conv_transpose: {filters: 6, kernel: 3}", "[8, 8, 4]", 29_184),
        ("depthwise_conv: 3", "[8, 8, 4]", 4_864),
        ("separable_conv: {filters: 6, kernel: 3}", "[8, 8, 4]", 8_064),
        ("dense: 7", "[5, 10]", 735),
        ("batch_norm", "[8, 8, 4]", 536),
        ("max_pool: {size: 3, stride: 2}", "[8, 8, 4]", 576),
        ("avg_pool: 2", "[8, 8, 4]", 256),
        ("global_avg_pool", "[8, 8, 4]", 256),
        ("softmax", "[10]", 50),
        ("gelu", "[8, 8, 4]", 1_024),
        ("silu", "[8, 8, 4]", 512),
        ("hard_swish", "[8, 8, 4]", 768),
        ("relu", "[8, 8, 4]", 0),
        ("residual: [linear: ]", "[8, 8, 4]", 256),
    ],
)
def test_tensorflows_profiler_of_single_layers(tmp_path, step, shape, printed):
    found = answer(net(tmp_path, step, shape), "tfprof")
    assert (found.number, found.unknown) == (printed, ())


@pytest.mark.parametrize(("spec", "printed"), [("vgg16", 30_960_211_824), ("resnet50_keras", 7_755_299_312)])
def test_tensorflows_profiler_of_networks(spec, printed):
    """As it printed of keras.applications' models."""
    assert answer(archspec.load(spec), "tfprof").number == printed


def test_an_activation_of_a_layer_is_a_layer(tmp_path):
    apart = net(tmp_path, "do: [{conv: {filters: 2, kernel: 3}}, relu]")
    within = net(tmp_path, "conv: {filters: 2, kernel: 3, activation: relu}")
    for tool in tools():
        assert answer(apart, tool).terms == answer(within, tool).terms


def test_a_shared_layer_has_its_weights_once_in_keras(tmp_path):
    body = "networks:\n  n: {body: [dense: 8]}\nbody:\n  - n\n  - n\n"
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\ninputs: {{x: [8]}}\n{body}", encoding="utf-8")
    graph = archspec.load(str(path))
    assert answer(graph, "keras").number == 72
    assert answer(graph, "fvcore").number == 128
