"""Numbers of a .weights file alone, in the order of a spec's layers: the catalogue's YOLOs compute what Darknet does of
the same numbers and the network's own file."""

from __future__ import annotations

import pytest

import archspec
from archspec.cli import main
from tests.importing import darknet
from tests.shares import few

SIZE, CLASSES, WIDTH = 64, 3, 4
OUT = 3 * (5 + CLASSES)


def conv(filters, size=3, stride=1, activation="leaky"):
    sizes = f"filters={filters}\nsize={size}\nstride={stride}\npad=1"
    return f"[convolutional]\nbatch_normalize=1\n{sizes}\nactivation={activation}\n"


def last(filters=OUT):
    return f"[convolutional]\nfilters={filters}\nsize=1\nstride=1\npad=1\nactivation=linear\n[yolo]\n"


def pool(size=2, stride=2):
    return f"[maxpool]\nsize={size}\nstride={stride}\n"


def route(*layers, more=""):
    return f"[route]\nlayers={','.join(map(str, layers))}\n{more}"


UP = "[upsample]\nstride=2\n"


def tiny_v3():
    w = WIDTH
    stages = [conv(w * 2**i) + pool(stride=2 if i < 5 else 1) for i in range(6)]
    net = [*stages, conv(64 * w), conv(32, 1), conv(64), last()]
    return "".join([*net, route(-4), conv(16, 1), UP, route(-1, 8), conv(32), last()])


def v2():
    w = WIDTH
    net = conv(w) + pool() + conv(2 * w) + pool()
    for i, n in ((2, 1), (3, 1), (4, 2)):
        net += conv(w * 2**i) + n * (conv(w * 2 ** (i - 1), 1) + conv(w * 2**i)) + pool()
    net += conv(32 * w) + 2 * (conv(16 * w, 1) + conv(32 * w)) + 2 * conv(32 * w)
    return net + route(-9) + conv(4, 1) + "[reorg]\nstride=2\n" + route(-1, -4) + conv(32 * w) + last(5 * (5 + CLASSES))


def tiny_v4():
    w, half = 2 * WIDTH, "groups=2\ngroup_id=1\n"
    net = conv(w, 3, 2) + conv(2 * w, 3, 2)
    for i in (1, 2, 4):
        net += conv(2 * i * w) + route(-1, more=half) + 2 * conv(i * w) + route(-1, -2) + conv(2 * i * w, 1)
        net += route(-6, -1) + pool()
    net += conv(16 * w) + conv(32, 1) + conv(64) + last()
    return net + route(-4) + conv(16, 1) + UP + route(-1, 23) + conv(32) + last()


def v4():
    """yolov4.cfg with one residual a stage."""
    w, mish = WIDTH, {"activation": "mish"}
    net = conv(w, **mish)
    for i in range(1, 6):
        half = w * 2 ** max(i - 1, 1)
        net += conv(w * 2**i, 3, 2, **mish) + conv(half, 1, **mish) + route(-2) + conv(half, 1, **mish)
        net += conv(w * 2 ** (i - 1), 1, **mish) + conv(half, **mish) + "[shortcut]\nfrom=-3\nactivation=linear\n"
        net += conv(half, 1, **mish) + route(-1, -7) + conv(w * 2**i, 1, **mish)
    three = conv(32, 1) + conv(64) + conv(32, 1)
    net += three + pool(5, 1) + route(-2) + pool(9, 1) + route(-4) + pool(13, 1) + route(-1, -3, -5, -6) + three
    for n, lateral in ((16, 40), (8, 30)):
        net += conv(n, 1) + UP + route(lateral) + conv(n, 1) + route(-1, -3)
        net += 2 * (conv(n, 1) + conv(2 * n)) + conv(n, 1)
    net += conv(16) + last()
    for n, before in ((16, -16), (32, -37)):
        net += route(-4) + conv(n, 3, 2) + route(-1, before) + 2 * (conv(n, 1) + conv(2 * n)) + conv(n, 1)
        net += conv(2 * n) + last()
    return net


def tiny_v1():
    net = "".join(conv(WIDTH * 2**i) + pool() for i in range(4)) + conv(8)
    return net + f"[connected]\noutput={16 * (CLASSES + 10)}\nactivation=linear\n"


STAGES = [[[WIDTH * 2**i, 3, 1]] for i in range(4)]
NETS = {
    "yolov1_tiny": (tiny_v1, {"side": 4, "stages": [*STAGES, [[8, 3, 1]]]}, ["said"]),
    "yolov2": (v2, {"width": WIDTH, "passed": 4}, ["map"]),
    "yolov3_tiny": (tiny_v3, {"width": WIDTH, "base": 1}, ["map.5", "map.4"]),
    "yolov4": (v4, {"width": WIDTH, "base": 1, "depths": [1] * 5}, ["last.3", "last.4", "last.5"]),
    "yolov4_tiny": (tiny_v4, {"width": 2 * WIDTH, "base": 1}, ["last.5", "last.4"]),
}


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("name", few(NETS, "yolov2", "yolov4_tiny"))
def test_numbers_in_the_order_of_the_spec_compute_what_darknet_computes(name, tmp_path):
    import keras
    import numpy as np

    from archspec.backend.weights import assign

    text, settings, ends = NETS[name]
    cfg = "[net]\nheight=64\nwidth=64\nchannels=3\n" + text()
    draw = np.random.default_rng(1)
    numbers = draw.uniform(0.02, 0.1, darknet.count(cfg, 3, (SIZE, SIZE))).astype("f4")
    file = tmp_path / "net.weights"
    file.write_bytes(darknet.header() + numbers.tobytes())
    settings = {"size": SIZE, "classes": CLASSES, **settings}
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={str(value).replace(' ', '')}")]
    assert main(["weights", "import", name, str(file), "-o", str(tmp_path / "net.npz"), *sets]) == 0
    model = archspec.compile(archspec.load(name, **settings))
    with np.load(tmp_path / "net.npz") as arrays:
        assign(model, dict(arrays))
    inner = keras.Model(model.inputs, [model.get_layer(end).output for end in ends])
    x = draw.normal(size=(3, SIZE, SIZE))
    found = inner(x.transpose(1, 2, 0)[None].astype("float32"))
    for one, wanted in zip(
        found if len(ends) > 1 else [found], darknet.Darknet(cfg, numbers.astype("f8"))(x), strict=True
    ):
        one = np.asarray(one)[0]
        one = one.transpose(2, 0, 1) if one.ndim == 3 else one
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(one / scale, wanted.reshape(one.shape) / scale, atol=2e-5)


def test_another_order_and_another_number_are_told(tmp_path, capsys):
    import numpy as np

    graph = archspec.load("yolov3_tiny", size=SIZE, classes=CLASSES, width=2, base=1).inference()
    count = sum(w.size for node in graph.owners() for w in node.weights)
    file = tmp_path / "net.weights"
    arguments = ["weights", "import", "yolov3_tiny", str(file), "-o", str(tmp_path / "net.npz")]
    for key, value in {"size": SIZE, "classes": CLASSES, "width": 2, "base": 1}.items():
        arguments += ["--set", f"{key}={value}"]
    for numbers, said in ((np.ones(count - 1), "numbers, the network has"), (-np.ones(count), "below 0")):
        file.write_bytes(darknet.header() + numbers.astype("<f4").tobytes())
        assert main(arguments) == 1
        assert said in capsys.readouterr().err
        assert not (tmp_path / "net.npz").exists()
