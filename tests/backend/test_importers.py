"""Files of weights: what is read is what others wrote; what is damaged, crafted or no array of numbers is refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from archspec.backend.importers import hdf5, opened
from archspec.backend.wiring import WeightsError
from tests.backend import torch_files
from tests.backend.caffe import caffemodel, messages
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow  # h5py, NumPy and protobuf come with the extra

RNG = np.random.default_rng(3)
STATE = {
    "conv.weight": RNG.normal(size=(8, 3, 3, 3)).astype("float32"),
    "conv.bias": RNG.normal(size=8).astype("float32"),
    "norm.weight": RNG.normal(size=8).astype("float32"),
    "norm.bias": RNG.normal(size=8).astype("float64"),
    "norm.running_mean": RNG.normal(size=8).astype("float16"),
    "norm.running_var": RNG.uniform(size=8).astype("float32"),
    "norm.num_batches_tracked": np.array(7),
    "linear.weight": RNG.normal(size=(5, 8)).astype("float32"),
}


def read(path: Path) -> dict[str, np.ndarray]:
    """``layer.role`` → array."""
    return {f"{s.name}.{role}": array.read() for s in opened(path).layers for role, array in s.arrays.items()}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> bool:
    return found.keys() == wanted.keys() and all(np.array_equal(found[k], wanted[k]) for k in wanted)


WANTED = {k: v for k, v in STATE.items() if not k.endswith("tracked")}


def test_npz(tmp_path):
    np.savez(tmp_path / "w.npz", **STATE)
    assert same(read(tmp_path / "w.npz"), WANTED)
    assert [s.name for s in opened(tmp_path / "w.npz").layers] == ["conv", "norm", "linear"]


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file(STATE, tmp_path / "w.safetensors", metadata={"format": "pt"})
    archive = opened(tmp_path / "w.safetensors")
    assert same(read(tmp_path / "w.safetensors"), WANTED)
    assert archive.layout == "torch" and not archive.is_ordered


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    values = np.array([1.0, -2.5, 3.140625, 1e30], "float32")
    half = (values.view("<u4") >> 16).astype("<u2")
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors({"a": ("BF16", [4], half.tobytes())}))
    found = read(path)["a.weight"]
    assert np.array_equal(found, (half.astype("<u4") << 16).view("<f4"))
    assert found == pytest.approx(values, rel=2**-7)


def test_state_dict(tmp_path, monkeypatch):
    torch_files.stand_ins(monkeypatch)
    for name, saved in (("plain", STATE), ("nested", {"state_dict": STATE, "epoch": 3, "rate": 0.1, "best": None})):
        path = tmp_path / f"{name}.pth"
        path.write_bytes(torch_files.saved(saved))
        assert same(read(path), WANTED)
        assert opened(path).is_ordered


def test_state_dict_of_transposed_storage(tmp_path, monkeypatch):
    torch_files.stand_ins(monkeypatch)
    turned = np.arange(12, dtype="float32").reshape(3, 4).T
    path = tmp_path / "w.pt"
    path.write_bytes(torch_files.saved({"linear.weight": turned}))
    assert np.array_equal(read(path)["linear.weight"], turned)


def test_state_dicts_of_which_one_could_be_meant(tmp_path, monkeypatch):
    torch_files.stand_ins(monkeypatch)
    path = tmp_path / "w.pth"
    path.write_bytes(torch_files.saved({"model": STATE, "ema": STATE}))
    with refuses(WeightsError):
        opened(path)


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def test_pickles_that_do_more_than_hold_numbers_are_refused_and_not_run(tmp_path):
    import os

    mark = tmp_path / "mark"
    for k, evil in enumerate([Evil(os.mkdir, str(mark)), Evil(exec, f"open({str(mark)!r}, 'w')"), Evil(print, 1)]):
        for protocol in range(6):
            content = pickle.dumps({"a": evil}, protocol=protocol)
            path = tmp_path / f"{k}.pth"
            with zipfile.ZipFile(path, "w") as bundle:
                bundle.writestr("net/data.pkl", content)
            with refuses(WeightsError):
                opened(path)
            (tmp_path / "legacy.th").write_bytes(content)
            with pytest.raises(WeightsError):
                opened(tmp_path / "legacy.th")
    assert not mark.exists()


def test_a_tensor_must_lie_within_its_storage(tmp_path, monkeypatch):
    torch_files.stand_ins(monkeypatch)
    content = torch_files.saved({"a": np.zeros((2, 3), "float32")})
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        entries = {name: bundle.read(name) for name in bundle.namelist()}
    for old, new in ((b"K\x02K\x03\x86", b"K\x02K\x09\x86"), (b"K\x03K\x01\x86", b"K\x00K\x00\x86")):
        crafted = entries["net/data.pkl"].replace(old, new, 1)
        path = tmp_path / "w.pth"
        with zipfile.ZipFile(path, "w") as bundle:
            for name, entry in entries.items():
                bundle.writestr(name, crafted if name == "net/data.pkl" else entry)
        if new.startswith(b"K\x02"):
            with refuses(WeightsError):
                opened(path)
        else:
            assert read(path)["a.weight"].shape == (2, 3)  # one number, seen six times


MEGABYTE = 1 << 20
HOSTILE = {
    "a tuple in a tuple, and so on": b")" + b"\x85" * MEGABYTE + b".",
    "the same behind marks": b"(" * (MEGABYTE // 2) + b"t" * (MEGABYTE // 2) + b".",
    # Each holds the one before twice: 2^500,000 in all, and one of them names an entry of a dict.
    "a tuple that doubles": b"})" + b"q\0h\0\x86" * (MEGABYTE // 5) + b"K\x01s.",
    "a dict by a tuple": b"})K\x01s.",
    "a wide tuple in a wide tuple": b"}(" + b"K\x01" * 1000 + b"t" + b"q\0(" + b"h\0" * 1000 + b"t" + b"K\x01s.",
    "a tensor of many axes": b"(" + b"K\x01" * (MEGABYTE // 2) + b"t.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_would_take_for_ever_is_refused(tmp_path, name):
    """Refused with no more work than its length: the old reader took 2^n steps for n bytes, or n^2."""
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as bundle:
        bundle.writestr("net/data.pkl", b"\x80\x02" + HOSTILE[name])
    (tmp_path / "w.th").write_bytes(b"\x80\x02" + HOSTILE[name])
    for path in (tmp_path / "w.pth", tmp_path / "w.th"):
        with pytest.raises(WeightsError):
            opened(path)


def test_npz_of_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", a=np.array([{"x": 1}], dtype=object))
    with refuses(WeightsError):
        opened(tmp_path / "w.npz")


def test_caffemodel(tmp_path):
    kernel, bias = STATE["conv.weight"], STATE["conv.bias"]
    rng = np.random.default_rng(4)
    mean, variance = rng.normal(size=8).astype("float32"), rng.uniform(size=8).astype("float32")
    gamma, beta = rng.normal(size=(2, 8)).astype("float32")
    path = tmp_path / "net.caffemodel"
    factor = np.array([4.0], "float32")
    layers = [
        ("data", "Input", []),
        ("conv", "Convolution", [kernel, bias]),
        ("norm", "BatchNorm", [mean * 4, variance * 4, factor]),
        ("scale", "Scale", [gamma, beta]),
        ("relu", "ReLU", []),
        ("fc", "InnerProduct", [STATE["linear.weight"]]),
    ]
    path.write_bytes(caffemodel(layers))
    found = read(path)
    wanted = {"conv.weight": kernel, "conv.bias": bias, "norm.running_mean": mean, "norm.running_var": variance}
    wanted |= {"norm.weight": gamma, "norm.bias": beta, "fc.weight": STATE["linear.weight"]}
    assert same(found, wanted)


def test_caffemodel_before_2014(tmp_path):
    """Layers in field 2, blobs of four sides, double precision."""
    net = messages()["NetParameter"]()
    layer = net.layers.add(name="conv", type=4)
    blob = layer.blobs.add(num=2, channels=3, height=1, width=1)
    blob.double_data.extend(range(6))
    path = tmp_path / "net.caffemodel"
    path.write_bytes(net.SerializeToString())
    assert np.array_equal(read(path)["conv.weight"], np.arange(6.0).reshape(2, 3, 1, 1))


def small():
    import keras

    inputs = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(4, 3, name="second")(x)
    x = keras.layers.Reshape((4, 16))(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(3), name="both")(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    rng = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(rng.uniform(size=weight.shape))
    return model


@pytest.mark.fast(1)
@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving")
def test_files_of_keras(suffix, tmp_path):
    model = small()
    path = tmp_path / f"model{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    archive = opened(path)
    assert {s.name for s in archive.layers} == {layer.name for layer in model.layers if layer.weights}
    for stored in archive.layers:
        arrays = [a.read() for a in stored.arrays.values()]
        wanted = model.get_layer(stored.name).get_weights()
        assert len(arrays) == len(wanted) and all(map(np.array_equal, arrays, wanted))
    assert (archive.wiring is not None) is (suffix != ".weights.h5")


@pytest.mark.fast(3)
@pytest.mark.parametrize("kind", ["soft link", "external link", "external data", "virtual", "unwritten", "text"])
def test_hdf5_that_reaches_elsewhere_is_refused(kind, tmp_path):
    import h5py

    path, other = tmp_path / "w.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(4, "float32")
    with h5py.File(path, "w") as file:
        variables = file.create_group("layers/dense/vars")
        if kind == "soft link":
            file["there"] = np.ones(4)
            variables["0"] = h5py.SoftLink("/there")
        elif kind == "external link":
            variables["0"] = h5py.ExternalLink(str(other), "/secret")
        elif kind == "external data":
            variables.create_dataset("0", (4,), "f4", external=[(str(other), 0, h5py.h5f.UNLIMITED)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource(str(other), "secret", (4,))
            variables.create_virtual_dataset("0", layout)
        elif kind == "unwritten":
            variables.create_dataset("0", (1 << 30,), "f4", chunks=(1 << 20,))
        else:
            variables["0"] = "text"
    with refuses(WeightsError):
        opened(path)


def safetensors(arrays: dict[str, tuple[str, list[int], bytes]], **changes: object) -> bytes:
    """A file written by hand; ``changes`` are entries of the header to put in their place."""
    header, at = {}, 0
    for name, (kind, shape, content) in arrays.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps({**header, **changes}).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(c for _, _, c in arrays.values())


GOOD = {"a": ("F32", [2], bytes(8)), "b": ("F32", [2], bytes(8))}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        (1 << 60).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        safetensors(GOOD, a={"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}),
        safetensors(GOOD, b={"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}),
        safetensors(GOOD, a={"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}),
        safetensors(GOOD, a={"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}),
        safetensors(GOOD, a={"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}),
        safetensors(GOOD, a={"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}),
        safetensors(GOOD, a=None),
        safetensors(GOOD) + b"more",
        safetensors(GOOD)[:-1],
    ],
    ids=range(13),
)
def test_crafted_safetensors_are_refused(content, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(WeightsError):
        opened(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("suffix", "places"),
    [
        *((suffix, 60) for suffix in (".npz", ".safetensors", ".pth", ".caffemodel")),
        # HDF5 is read by a process of its own each time.
        *((suffix, 1) for suffix in (".keras", ".h5")),
        *(pytest.param(suffix, 8, marks=pytest.mark.slow) for suffix in (".keras", ".h5")),
    ],
)
@pytest.mark.filterwarnings("ignore:You are saving")
def test_cut_and_flipped_files_are_refused_or_give_the_same(suffix, places, tmp_path, monkeypatch):
    """Every cut is refused, and a flipped bit wherever the kind of file has checksums. Nothing else ever escapes."""
    from safetensors.numpy import save

    if suffix == ".pth":
        torch_files.stand_ins(monkeypatch)
    path = tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **STATE)
    elif suffix in (".keras", ".h5"):
        small().save(path)
    else:
        layers = [("conv", "Convolution", [STATE["conv.weight"], STATE["conv.bias"]])]
        make = {".safetensors": lambda: save(STATE), ".pth": lambda: torch_files.saved(STATE)}
        path.write_bytes(make.get(suffix, lambda: caffemodel(layers))())
    whole, wanted = path.read_bytes(), read(path)
    silent, rng = 0, np.random.default_rng(7)
    monkeypatch.setattr(hdf5, "SECONDS", 10.0)
    for at in rng.integers(0, len(whole), places):
        path.write_bytes(whole[:at])
        with pytest.raises(WeightsError):
            read(path)
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            found = read(path)
            # The directory of a zip has no checksum: an array that it loses is missed when the file meets a spec.
            known = found.keys() & wanted.keys() if suffix == ".npz" else found.keys() | wanted.keys()
            silent += any(not np.array_equal(found.get(k), wanted.get(k)) for k in known)
        except WeightsError as error:
            assert str(error).startswith(str(path)) or len(str(error)) > 10
    assert silent == 0 or suffix in (".safetensors", ".caffemodel", ".h5")


@pytest.mark.filterwarnings("ignore:You are saving")
@pytest.mark.slow
def test_a_file_that_hdf5_reads_for_ever_is_refused(tmp_path, monkeypatch):
    small().save(tmp_path / "w.h5")
    data = bytearray((tmp_path / "w.h5").read_bytes())
    # A heap's first object has a size with which its end is its beginning.
    at = data.index(b"GCOL") + 24
    data[at : at + 8] = (2**64 - 16).to_bytes(8, "little")
    (tmp_path / "w.h5").write_bytes(data)
    monkeypatch.setattr(hdf5, "SECONDS", 3.0)
    with refuses(WeightsError):
        opened(tmp_path / "w.h5")


def test_a_file_that_hdf5_crashes_on_is_refused(tmp_path, monkeypatch):
    (tmp_path / "w.h5").write_bytes(b"")
    monkeypatch.setattr(hdf5, "PROGRAM", "import os; os.abort()")
    with refuses(WeightsError):
        opened(tmp_path / "w.h5")


def test_what_is_no_file_of_weights(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with refuses(WeightsError):
        opened(tmp_path / "folder.npz")
    with refuses(WeightsError):
        opened(tmp_path / "w.onnx")
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none.npz")
