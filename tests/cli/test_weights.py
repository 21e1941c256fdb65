"""``archspec weights``: what is imported is written; what leaves a choice is refused, and rules decide it."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import archspec
from archspec.cli import main
from tests.wording import told

pytestmark = pytest.mark.tensorflow

SPEC = """\
archspec: 1
name: twins
inputs: {image: [8, 8, 3]}
body:
  - {conv: {filters: 4, kernel: 3}, as: first}
  - {conv: {filters: 4, kernel: 3}, as: second}
  - {conv: {filters: 4, kernel: 3}, as: third}
  - flatten
  - {dense: 2, as: last}
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "twins.yaml"
    path.write_text(SPEC)
    return path


def arrays(*names: str) -> dict[str, np.ndarray]:
    """Torch arrays: the first convolution takes 3 channels, the others 4."""
    out, rng = {}, np.random.default_rng(5)
    for k, name in enumerate(names):
        shape = (2, 256) if name == "fc" else (4, 4 if k else 3, 3, 3)
        out[f"{name}.weight"] = rng.normal(size=shape).astype("float32")
        out[f"{name}.bias"] = rng.normal(size=shape[0]).astype("float32")
    return out


def test_import_by_order_then_compile(spec, tmp_path, capsys):
    source = arrays("a", "b", "c", "fc")
    np.savez(tmp_path / "torch.npz", **source)
    out = tmp_path / "out.npz"
    assert main(["weights", "import", str(spec), str(tmp_path / "torch.npz"), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert [line.split()[1] for line in said.out.splitlines()] == ["a", "b", "c", "fc"]
    assert "4 layers, 922 parameters" in said.err
    kept = np.load(out)
    first, *_ = [node.layer for node in archspec.load(spec).nodes]
    assert np.array_equal(kept[f"{first}/kernel"], source["a.weight"].transpose(2, 3, 1, 0))
    # Flattened channels last here, channels first there.
    last = next(k for k in kept if k.endswith("/kernel") and kept[k].ndim == 2)
    assert np.array_equal(kept[last][5], source["fc.weight"][:, 64 * 1 + 1])

    model = tmp_path / "twins.keras"
    assert main(["compile", str(spec), "--weights", str(out), "-o", str(model)]) == 0
    assert main(["weights", "import", str(spec), str(model), "-o", str(tmp_path / "again.npz"), "--quiet"]) == 0
    again = np.load(tmp_path / "again.npz")
    assert set(again) == set(kept) and all(np.array_equal(again[k], kept[k]) for k in kept)


def test_a_choice_is_refused_and_rules_make_it(spec, tmp_path, capsys):
    from safetensors.numpy import save_file

    source = arrays("zero", "two", "one", "fc") | {"ema.weight": np.ones(3, "float32")}
    save_file(source, tmp_path / "w.safetensors")
    out = tmp_path / "out.npz"
    command = ["weights", "import", str(spec), str(tmp_path / "w.safetensors"), "-o", str(out), "--quiet"]
    assert main(command) == 1
    told(capsys.readouterr().err)
    rules = tmp_path / "rules.yaml"
    rules.write_text("ignore: [ema]\n")
    assert main([*command, "--rules", str(rules)]) == 1
    said = capsys.readouterr().err
    assert "state in rules which is which\n  names:\n    one: second\n    two: third\nor\n" in said and not out.exists()
    layers = [node.layer for node in archspec.load(spec).nodes if node.weights]
    names = dict(zip(("zero", "one", "two", "fc"), layers, strict=True))
    rules.write_text(f"ignore: [ema]\nnames: {json.dumps(names)}\n")
    assert main([*command, "--rules", str(rules)]) == 0
    kept = np.load(out)
    assert np.array_equal(kept[f"{layers[1]}/bias"], source["one.bias"])
    assert np.array_equal(kept[f"{layers[2]}/bias"], source["two.bias"])


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("name: {a: b}", "did you mean 'names'?"),
        ("names: {'(': b}", "no regular expression"),
        ("names: {'.*': nothing}", "which the spec has not"),
        ("names: [a]", "must map a pattern to a name"),
        ("ignore: a", "must be a list"),
        ("7", "a mapping"),
    ],
)
def test_rules_that_say_nothing_usable(rules, said, spec, tmp_path, capsys):
    np.savez(tmp_path / "w.npz", **arrays("a", "b", "c", "fc"))
    path = tmp_path / "rules.yaml"
    path.write_text(rules)
    command = ["weights", "import", str(spec), str(tmp_path / "w.npz"), "-o", str(tmp_path / "o.npz")]
    assert main([*command, "--rules", str(path)]) == 1
    err = capsys.readouterr().err
    assert said in err and str(path.name if "spec has" not in said else "w.npz") in err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"b.weight": np.zeros((4, 4, 5, 5), "float32")}, "the layers differ in shape"),
        ({"b.weight": np.full((4, 4, 3, 3), np.nan, "float32")}, "holds NaN or infinity"),
        ({"d.weight": np.zeros((9, 9), "float32")}, "the file has d (9, 9)"),
    ],
)
def test_what_does_not_fit(change, said, spec, tmp_path, capsys):
    np.savez(tmp_path / "w.npz", **arrays("a", "b", "c", "fc") | change)
    out = tmp_path / "o.npz"
    assert main(["weights", "import", str(spec), str(tmp_path / "w.npz"), "-o", str(out)]) == 1
    err = capsys.readouterr().err
    assert said in err and "w.npz" in err and "Traceback" not in err and not out.exists()


def test_show(tmp_path, capsys):
    np.savez(tmp_path / "w.npz", **arrays("a", "fc"))
    assert main(["weights", "show", str(tmp_path / "w.npz")]) == 0
    out = capsys.readouterr().out
    assert "(4, 3, 3, 3)" in out and "2 layers, 626 parameters" in out
    assert main(["weights", "show", str(tmp_path / "w.npz"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][1]["arrays"]["bias"] == [2]


def test_bad_usage(spec, tmp_path, capsys):
    assert main(["weights"]) == 2
    assert main(["weights", "import", str(spec), "w.npz", "-o", "w.h5"]) == 2
    assert "must end in .npz" in capsys.readouterr().err
    assert main(["weights", "show", os.devnull]) == 1
    assert main(["weights", "show", str(tmp_path / "none.npz")]) == 1
    assert "No such file" in capsys.readouterr().err
