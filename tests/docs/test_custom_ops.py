"""The package of docs/custom_ops.md, installed: its own test, its spec, and what is told of one that is broken."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import archspec
from archspec.ops.base import Op
from tests.docs.blocks import ROOT, shown
from tests.wording import refuses

PAGE = ROOT / "docs" / "custom_ops.md"


def installed(folder):
    """The files of the page, with what an installer writes of them; the environment in which they are found."""
    for block in shown("toml", "python", "yaml", pages=[PAGE]):
        assert block.file is not None
        path = folder / block.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    info = folder / "archspec_shrinkage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: archspec-shrinkage\nVersion: 1.0\n")
    project = (folder / "pyproject.toml").read_text().partition('[project.entry-points."archspec.ops"]\n')
    (info / "entry_points.txt").write_text(f"[archspec.ops]\n{project[2]}".replace('"', ""))
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "80"}


def said(folder, *command, env):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=env, capture_output=True, text=True, timeout=240
    )
    return done.returncode, done.stdout, done.stderr


def test_a_spec_names_the_op_of_an_installed_package(tmp_path):
    env = installed(tmp_path)
    code, out, err = said(tmp_path, "archspec", "table", "lista.yaml", "--format", "csv", env=env)
    assert (code, err) == (0, "")
    rows = {line.split(",")[0]: line.split(",") for line in out.splitlines()}
    assert rows["code"][1] == "shrink" and rows["code"][4] == "128" and rows["code"][7] == str(5 * 128)
    assert said(tmp_path, "archspec", "check", "--strict", "lista.yaml", env=env)[0] == 0
    (tmp_path / "wrong.yaml").write_text(
        "archspec: 1\nname: wrong\ninputs: {x: {shape: [4], dtype: int32}}\nbody: [shrink: -1, shrink]\n"
    )
    code, _, err = said(tmp_path, "archspec", "check", "wrong.yaml", env=env)
    assert code == 1
    assert "wrong.yaml:4:16: error[T01]: shrink.start must be at least 0.0, got -1" in err
    code, out, _ = said(tmp_path, "archspec", "reference", "shrink", env=env)
    assert code == 0 and "What every threshold is before training." in out


def test_a_package_that_cannot_be_imported_is_told_and_left_out(tmp_path):
    env = installed(tmp_path)
    (tmp_path / "shrinkage" / "ops.py").write_text("import nothing_of_the_kind\n")
    code, _, err = said(tmp_path, "archspec", "check", "lista.yaml", env=env)
    assert code == 1 and "Traceback" not in err
    assert "shrinkage = shrinkage.ops, an entry point of archspec.ops, is left out: ModuleNotFoundError" in err
    assert "unknown op or block 'shrink'" in err


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_test_of_the_page_passes_and_a_file_says_what_it_needs(tmp_path):
    env = installed(tmp_path)
    code, out, _ = said(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "test_shrinkage.py", env=env)
    assert code == 0 and "2 passed" in out, out
    _, _, err = said(tmp_path, "archspec", "compile", "lista.yaml", "-o", "lista.keras", env=env)
    assert err.endswith("Keras opens it after 'import shrinkage.layers', for Shrinkage\n")


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "args", "shapes"),
    [
        ("conv", {"filters": 3, "kernel": 3}, [(5, 5, 2)]),
        ("add", {}, [(4,), (4,)]),
        ("dropout", {"rate": 0.5}, [(64,)]),
    ],
)
def test_our_own_ops_conform(name, args, shapes):
    layer = archspec.check_op(Op.find(name).model_validate(args), *shapes)
    assert layer.built


@pytest.mark.tensorflow
def test_every_difference_is_told():
    import keras

    from archspec import TensorSpec, WeightSpec

    dense = Op.find("dense")

    class Wrong:
        """A dense layer that says other things of itself."""

        name = "wrong"

        def infer(self, x):
            return TensorSpec((5,), "float16")

        def weights(self, x):
            return (WeightSpec("kernel", (3, 4)), WeightSpec("offset", (4,), False))

        def macs(self, out, x):
            return 1.5

        flops = transcendentals = lambda self, out, x: 0

        def lower(self, x):
            return dense(units=4).lower(x)

    with refuses(archspec.ConformanceError):
        archspec.check_op(Wrong(), (3,))

    class Noisy(Wrong):
        infer = lambda self, x: x  # noqa: E731
        weights = lambda self, x: ()  # noqa: E731
        macs = Wrong.flops
        is_random = lambda self: False  # noqa: E731

        def lower(self, x):
            return keras.layers.GaussianNoise(1.0)

    with refuses(archspec.ConformanceError):
        archspec.check_op(Noisy(), (3,))
