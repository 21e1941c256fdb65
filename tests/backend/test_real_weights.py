"""Weights that others trained, on photographs that others labelled: the counts that independent rebuilds reached."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.backend import weights
from archspec.backend.rules import Rules
from tests.backend.caffe import caffemodel
from tests.shares import few

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.mark.parametrize("suffix", [".th", ".npz"])
@pytest.mark.parametrize(
    ("name", "file", "right"),
    few([("resnet20_cifar", "resnet20-12fca82f", 180), ("resnet56_cifar", "resnet56-4bfd9763", 182)], "resnet20_cifar"),
)
def test_residual_networks_on_cifar_images(name, file, right, suffix, data):
    """The state dict's order and shapes tell which array is which; the count is exact."""
    images = np.load(data("mlperf_tiny_eval/ic01.npz"))
    graph = archspec.load(name)
    values, _ = weights.read(data(f"w_resnet_cifar10/pretrained_models/{file}{suffix}"), graph)
    model = archspec.compile(graph)
    weights.assign(model, values)
    x = (images["x"] / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    found = model.predict(x.astype("float32"), verbose=0).argmax(1)
    assert len(found) == 200 and (found == images["y"]).sum() == right


@pytest.fixture(scope="module")
def squeezenet(data, tmp_path_factory):
    """The released network with its released weights, by way of a .caffemodel file."""
    graph = archspec.load("squeezenet1_0_caffe")
    kernels = [node.weights[0].shape for node in graph.owners() if node.weights]
    shapes = [(k[3], k[2], k[0], k[1]) for k in kernels]
    blobs = decompressed(data("w_squeezenet_dc/compressed_SqueezeNet.net"), shapes)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.caffemodel"
    path.write_bytes(caffemodel((f"conv{k}", "Convolution", list(pair)) for k, pair in enumerate(blobs)))
    values, _ = weights.read(path, graph)
    model = archspec.compile(graph)
    weights.assign(model, values)
    return model


@pytest.fixture(scope="module")
def synsets(data) -> list[str]:
    """``n01440764 tench, Tinca tinca``, in the order of the classes."""
    return [line.strip("'") for line in data("imagenet_names/synset.txt").read_text().splitlines()]


def test_squeezenet_on_photographs(squeezenet, synsets, data):
    files = sorted(data("imagenet_sample_256").glob("*.JPEG"))
    number = {line.split()[0]: k for k, line in enumerate(synsets)}
    wanted = np.array([number[file.name.partition("_")[0]] for file in files])
    images = np.stack([prepared(Image.open(file)) for file in files])
    ranked = np.argsort(-squeezenet.predict(images, batch_size=32, verbose=0), axis=1)
    assert len(files) == 160
    assert abs((ranked[:, 0] == wanted).sum() - 94) <= 1
    assert abs((ranked[:, :5] == wanted[:, None]).any(axis=1).sum() - 136) <= 1


@pytest.mark.parametrize(
    ("photo", "likely"),
    few(
        [
            ("chelsea", {"Egyptian cat": 0.60, "tiger cat": 0.20, "tabby": 0.15}),
            ("coffee", {"espresso": 0.72}),
            ("rocket", {"pole": 0.42, "missile": 0.26, "projectile": 0.14}),
        ],
        "coffee",
    ),
)
def test_squeezenet_on_a_photograph_that_everybody_has(photo, likely, squeezenet, synsets):
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, photo)())
    out = squeezenet.predict(prepared(image)[None], verbose=0)[0]
    names = [line.partition(" ")[2].partition(",")[0] for line in synsets]
    top = np.argsort(-out)[: len(likely)]
    assert [names[k] for k in top] == list(likely)
    assert out[top] == pytest.approx(list(likely.values()), abs=0.02)


DEEPLAB = """
names:
  conv_2d_35: branches.1.conv_bn.conv
  conv_2d_36: branches.0.conv_bn.conv
"""
"""Which of the pyramid's two convolutions of one shape is which."""


@pytest.mark.parametrize(
    "photo", few(["bird_segmentation.bmp", "dog_segmentation.bmp", "cat.bmp"], "bird_segmentation.bmp")
)
def test_deeplab_finds_what_the_interpreter_finds(photo, data, tmp_path):
    """Of the pixels 97 % and more: the interpreter computes in 8 bits, of which the spec has the weights alone."""
    path = data("w_coral_tflite/deeplabv3_mnv2_dm05_pascal_quant.tflite")
    (tmp_path / "rules.yaml").write_text(DEEPLAB)
    model = with_weights("deeplabv3_mobilenet_v2_dm05", path, Rules.read(tmp_path / "rules.yaml"))
    image = np.asarray(Image.open(data(f"w_coral_tflite/{photo}")).resize((513, 513), Image.Resampling.BILINEAR))
    wanted = interpreted(path, image[None])[0]
    found = np.asarray(model.predict((image[None] - 128.0) / 128, verbose=0))[0].argmax(-1)
    assert len(np.unique(wanted)) > 1
    assert (found == wanted).mean() >= 0.97


def test_an_lstm_reads_digits_as_the_interpreter_does(data, tmp_path):
    import gzip

    path = data("w_coral_tflite/keras_lstm_mnist_ptq.tflite")
    (tmp_path / "net.yaml").write_text(
        "archspec: 1\nname: net\ninputs: {rows: [28, 28]}\nbody: [lstm: {units: 20, sequences: true}, flatten]\n"
        "heads:\n  main: {body: [dense: {units: 10, activation: softmax}], loss: sparse_categorical_crossentropy}\n"
    )
    model = with_weights(str(tmp_path / "net.yaml"), path)
    images, labels = (
        gzip.decompress(data(f"mnist/t10k-{name}-ubyte.gz").read_bytes()) for name in ("images-idx3", "labels-idx1")
    )
    x = np.frombuffer(images[16:], "uint8").reshape(-1, 28, 28)[:500]
    found = np.asarray(model.predict(x / 255, verbose=0))
    wanted = np.concatenate([interpreted(path, image[None]) for image in x]) / 256
    np.testing.assert_allclose(found, wanted, atol=0.03)
    assert (found.argmax(1) == np.frombuffer(labels[8:], "uint8")[:500]).mean() >= 0.96


def with_weights(name: str, path: Path, rules: Rules | None = None):
    graph = archspec.load(name).inference()
    model = archspec.compile(graph)
    weights.assign(model, weights.imported(path, graph, rules).values)
    return model


def interpreted(path: Path, x: np.ndarray) -> np.ndarray:
    """What TensorFlow Lite's own interpreter makes of a file's input."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def prepared(image: Image.Image) -> np.ndarray:
    """Short side 256, the middle 227, blue first, Caffe's channel means taken off."""
    image = image.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(n * scale) for n in image.size], Image.Resampling.BILINEAR)
    left, top = ((n - 227) // 2 for n in image.size)
    cut = np.asarray(image.crop((left, top, left + 227, top + 227)), "float32")
    return cut[..., ::-1] - np.array([104, 117, 123], "float32")


def decompressed(path: Path, shapes: list[tuple[int, ...]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of every layer out of Han's file.

    All counts of codes come first; then per layer the codebook, the bias, a code for every kept weight, and the gap
    before it in four bits, the low half of a byte first.
    """
    content, at = path.read_bytes(), 0

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal at
        out = np.frombuffer(content, kind, count, at)
        at += out.nbytes
        return out

    layers = []
    for count, shape in zip(take("<u4", len(shapes)), shapes, strict=True):
        codebook, bias = take("<f4", 256), take("<f4", shape[0])
        codes, pairs = take("u1", count), take("u1", (count + 1) // 2)
        gaps = np.stack([pairs & 15, pairs >> 4], axis=1).reshape(-1)[:count].astype(int)
        kernel = np.zeros(int(np.prod(shape)), "float32")
        kernel[np.cumsum(gaps + 1) - 1] = codebook[codes]
        layers.append((kernel.reshape(shape), bias))
    assert at == len(content)
    return layers
