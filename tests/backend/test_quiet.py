"""What libraries write to stderr past Python is kept from a user's eyes; what archspec says is not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from archspec.backend.installation import quiet


def test_nothing_is_said_meanwhile(capfd, monkeypatch):
    monkeypatch.delenv("ARCHSPEC_TRACEBACK", raising=False)
    os.write(2, b"before\n")
    with quiet():
        os.write(2, b"noise\n")
        print("noise", file=sys.__stderr__, flush=True)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"
    with pytest.raises(OSError), quiet():
        raise OSError("said")
    monkeypatch.setenv("ARCHSPEC_TRACEBACK", "1")
    with quiet():
        os.write(2, b"all of it\n")
    assert capfd.readouterr().err == "all of it\n"


@pytest.mark.tensorflow
@pytest.mark.long
def test_an_export_says_one_line(tmp_path):
    """LiteRT's converter and interpreter log to stderr whatever the settings of TensorFlow's logs."""
    (tmp_path / "net.yaml").write_text("archspec: 1\nname: net\ninputs: {x: [4, 4, 1]}\nbody: [flatten, dense: 2]\n")
    program = (
        "import sys; from pathlib import Path; from archspec.backend.installation import quiet_start; quiet_start()\n"
        "import archspec; from archspec.backend.export import export; from archspec.runs.export import _needed\n"
        "model = archspec.compile(archspec.load('net.yaml')); export(model, 'net.tflite', 'litert')\n"
        "print('archspec: wrote' + _needed(Path('net.tflite')), file=sys.stderr)\n"
    )
    env = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "ARCHSPEC_TRACEBACK")}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("archspec: wrote\n", 0)
    assert (tmp_path / "net.tflite").stat().st_size > 0


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("level", [None, "0"])
def test_compiling_in_python_says_nothing(level):
    """TensorFlow's notices while it is imported and looks for devices came before the first line of a script."""
    program = "import archspec; print(archspec.compile(archspec.load('lenet5')).count_params())"
    env = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "ARCHSPEC_TRACEBACK")}
    env |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("61706\n", "")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_importing_weights_of_keras_says_nothing_of_tensorflow(tmp_path):
    """Softmax and leaky_relu name functions of layers, which imported TensorFlow with all its notices."""
    steps = "[dense: 4, leaky_relu: 0.1, dense: {units: 2, activation: softmax}]"
    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\ninputs: {{x: [4]}}\nbody: {steps}\n")
    command = "weights import net.yaml net.keras -o net.npz --quiet"
    env = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "ARCHSPEC_TRACEBACK")}
    import keras

    layers = [keras.Input((4,)), keras.layers.Dense(4), keras.layers.LeakyReLU(0.1), keras.layers.Dense(2, "softmax")]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    run = [sys.executable, "-m", "archspec", *command.split()]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.stderr, done.stdout) == ("archspec: wrote net.npz: 2 layers, 30 parameters\n", "")
