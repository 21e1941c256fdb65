"""Darknet's files: what comes out of them computes what Darknet computes; what cannot be said is told at its line."""

import os
import random
import re
from pathlib import Path

import pytest

import archspec
from archspec.frontend import loads
from archspec.importing import imported
from archspec.ir.diagnostics import SpecError
from tests.importing import darknet
from tests.wording import refuses, told

DATA = Path(os.environ.get("ARCHSPEC_DATA", "/nowhere"))
REAL = DATA / "w_yolo_fastest" / "ModelZoo" / "yolo-fastest-1.1_coco"
HEAD = "[net]\nheight=12\nwidth=16\nchannels=3\nlearning_rate=0.1\n"
NETS = {
    "maps": HEAD
    + """
[convolutional]
filters=8
size=3
stride=2
pad=1
batch_normalize=1
activation=leaky

[convolutional]
filters=16
groups=8
size=3
pad=1
activation=mish

[convolutional]
filters=16
groups=4
size=3
pad=1
activation=swish

[shortcut]
from=-2
activation=relu

[route]
layers=-1
groups=2
group_id=1

[maxpool]
size=3
stride=2

[maxpool]
size=5
stride=1

[reorg]
stride=1

[upsample]
stride=2

[maxpool]
size=2
stride=2
padding=0

[route]
layers=-1,-4

[dropout]
probability=.3

[convolutional]
filters=6
size=1
activation=linear

[yolo]
mask=0,1
anchors=1,2,3,4

[route]
layers=3

[reorg]
stride=2

[convolutional]
size=2
stride=2
filters=4

[yolo]
mask=2
""",
    "classes": HEAD
    + """
[convolutional]
filters=4
size=3
padding=2
stride=1
batch_normalize=1
activation=relu
[avgpool]
[convolutional]
filters=4
activation=logistic
[scale_channels]
from=-3
[connected]
output=7
activation=leaky
[connected]
output=5
activation=linear
[softmax]
temperature=2
[cost]
""".replace("[cost]\n", ""),
}


def _files(folder, text, seed=3):
    import numpy as np

    draw = np.random.default_rng(seed)
    size = [int(re.search(rf"^{key}=(\d+)", text, re.MULTILINE)[1]) for key in ("channels", "height", "width")]
    numbers = draw.uniform(0.1, 1, darknet.count(text, size[0], size[1:])).astype("f4")
    (folder / "net.cfg").write_text(text)
    (folder / "net.weights").write_bytes(darknet.header() + numbers.tobytes())
    return darknet.Darknet(text, numbers.astype("f8")), draw.normal(size=size)


def _compiled(found):
    from archspec.backend.weights import assign

    model = archspec.compile(found.graph)
    assign(model, found.weights)
    return model


def _outputs(model, x):
    import numpy as np

    out = model(x.transpose(1, 2, 0)[None].astype("f4"))
    for y in out.values() if isinstance(out, dict) else [out]:
        y = np.array(y[0])
        yield y.transpose(2, 0, 1) if y.ndim == 3 else y


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NETS)
def test_outputs_are_those_of_darknet(tmp_path, name):
    import numpy as np

    net, x = _files(tmp_path, NETS[name])
    found = imported(tmp_path / "net.cfg", tmp_path / "net.weights")
    for ours, theirs in zip(_outputs(_compiled(found), x), net(x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.skipif(not REAL.is_dir(), reason="needs ARCHSPEC_DATA")
def test_a_published_detector_computes_what_darknet_computes():
    import numpy as np

    path = REAL / "yolo-fastest-1.1.cfg"
    numbers = np.frombuffer(path.with_suffix(".weights").read_bytes(), "<f4", offset=20).astype("f8")
    found = imported(path, path.with_suffix(".weights"))
    x = np.random.default_rng(0).uniform(size=(3, 320, 320))
    net = darknet.Darknet(path.read_text(), numbers)
    for ours, theirs in zip(_outputs(_compiled(found), x), net(x), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
    assert net.at == len(numbers)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ARCHSPEC_DATA")
def test_shapes_and_operations_of_a_published_detector_are_those_that_darknet_printed():
    found = imported(REAL / "yolo-fastest-1.1.cfg")
    log = (REAL / "mAP_log.txt").read_text()
    rows = re.findall(r"^ *\d* ?conv +\d+.*-> +(\d+) x +(\d+) x +(\d+) ([\d.]+) BF", log, re.MULTILINE)
    nodes = [node for node in found.graph.nodes if "conv" in node.op.name]
    assert [node.output.shape for node in nodes] == [tuple(map(int, row[:3])) for row in rows]
    for node, row in zip(nodes, rows, strict=True):
        assert abs(2 * node.cost().macs / 1e9 - float(row[3])) <= 0.0005 + 1e-9
    total = re.search(r"Total BFLOPS ([\d.]+)", log)[1]
    assert found.notes == (f"{total} BFLOPs by Darknet's count",)
    assert len(found.text.splitlines()) < 70


def test_the_text_is_a_spec_and_what_was_left_out_is_told(tmp_path):
    text = NETS["maps"].replace("stride=2\npadding=0", "stride=2\npadding=0\nstrides=3\nstride=7")
    (tmp_path / "net.cfg").write_text(text)
    found = imported(tmp_path / "net.cfg")
    assert loads(found.text).outputs[0].name == "boxes_1"
    assert found.weights is None
    told("\n".join(said.render() for said in found.warnings))


CONV = "[convolutional]\nfilters=4\n"
ODD = {
    "empty": "",
    "no section": "filters=3\n",
    "no net": CONV,
    "no layers": HEAD,
    "no sizes": "[net]\n" + CONV,
    "not a pair": HEAD + "[convolutional]\nfilters\n",
    "not a word": HEAD + "[convolutional] x\n",
    "word for a number": HEAD + "[convolutional]\nfilters=many\n",
    "huge": HEAD + "[convolutional]\nfilters=99999999999\n",
    "too many weights": HEAD + "[convolutional]\nfilters=2000000000\nsize=2000\npad=1\n",
    "negative": HEAD + "[convolutional]\nfilters=-1\n",
    "not finite": HEAD + "[dropout]\nprobability=nan\n",
    "no rate": HEAD + CONV + "[dropout]\nprobability=3\n",
    "unknown layer": HEAD + CONV + "[convolutionl]\n",
    "unknown activation": HEAD + CONV + "activation=leeky\n",
    "recurrent": HEAD + CONV + "[lstm]\noutput=3\n",
    "forwards": HEAD + CONV + "[route]\nlayers=5\n",
    "no layers of a route": HEAD + CONV + "[route]\n",
    "boxes taken": HEAD + CONV + "[yolo]\n[route]\nlayers=-1\n",
    "other sizes": HEAD + CONV + CONV + "stride=2\n[shortcut]\nfrom=-2\n",
    "other routes": HEAD + CONV + CONV + "stride=2\n[route]\nlayers=-1,-2\n",
    "groups": HEAD + CONV + "groups=2\n",
    "shared": HEAD + CONV + CONV + "share_index=0\n",
    "too small": HEAD + CONV + "size=20\n",
    "dilated": HEAD + CONV + "size=5\npadding=1\ndilation=2\n",
    "window": HEAD + "[maxpool]\nsize=2\nstride=2\npadding=9\n",
    "names": HEAD + CONV + "activation=\x1b[31m\n",
}


@pytest.mark.parametrize("name", ODD)
def test_what_no_spec_says_is_told_at_its_line(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("net.cfg").write_text(ODD[name])
    with refuses(SpecError):
        imported(Path("net.cfg"))


def test_other_files_are_told_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.cfg").write_bytes(b"[net]\n\xff\xfe")
    Path("large.cfg").write_bytes(b"#" * ((4 << 20) + 1))
    Path("net.tar").write_bytes(b"")
    for name in ("net.cfg", "large.cfg", "net.tar"):
        with refuses(SpecError):
            imported(Path(name))


@pytest.mark.parametrize("size", [0, 19, 20, 24, -4])
def test_weights_of_another_network_are_refused(tmp_path, monkeypatch, size):
    monkeypatch.chdir(tmp_path)
    _files(tmp_path, NETS["classes"])
    data = Path("net.weights").read_bytes()
    Path("net.weights").write_bytes(data[:size] if size >= 0 else data + b"1234")
    with refuses(SpecError):
        imported(Path("net.cfg"), Path("net.weights"))


def test_numbers_that_are_none_and_weights_from_nowhere_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _files(tmp_path, NETS["classes"])
    data = bytearray(Path("net.weights").read_bytes())
    data[20:24] = b"\xff\xff\xff\xff"
    Path("net.weights").write_bytes(data)
    Path("net.npz").write_bytes(data)
    with refuses(SpecError):
        imported(Path("net.cfg"), Path("net.weights"))
    with refuses(SpecError):
        imported(Path("net.cfg"), Path("net.npz"))
    with refuses(SpecError):
        imported(Path("net.cfg"), wants_weights=True)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_gets_an_answer(tmp_path, seed):
    draw = random.Random(seed)
    lines = NETS["maps"].splitlines()
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(lines))
        lines[at : at + draw.randint(0, 2)] = draw.choice(
            [[], [lines[draw.randrange(len(lines))]], [lines[at][: draw.randrange(9)]], ["stride=0"], ["layers=-1,-1,"]]
        )
    (tmp_path / "net.cfg").write_text("\n".join(lines))
    try:
        imported(tmp_path / "net.cfg")
    except SpecError as error:
        assert all(said.span.line >= 1 for said in error.diagnostics)
