"""A run on several devices, and in several processes, ends where it ends on one."""

import re
import signal
import time

import pytest

from archspec.ir.diagnostics import SpecError
from archspec.training import distribution
from archspec.training.launch import LaunchError, ProcessGroup, first_host, peers
from archspec.training.task import TaskError
from tests.training import runs
from tests.training.peers import ON_JAX, WITHOUT_TENSORFLOW, assert_close, finish_all, start_all
from tests.wording import refuses

ADDRESS = {"MASTER_ADDR": "10.0.0.1", "WORLD_SIZE": "4"}
SAID = {
    "torchrun": (ADDRESS | {"MASTER_PORT": "1234", "RANK": "3"}, ProcessGroup("10.0.0.1:1234", 4, 3)),
    "torchrun, two on a machine": (
        ADDRESS | {"RANK": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"},
        ProcessGroup("10.0.0.1:29500", 4, 3, 1),
    ),
    "an indexed job": (ADDRESS | {"JOB_COMPLETION_INDEX": "2"}, ProcessGroup("10.0.0.1:29500", 4, 2)),
    "jaxjob": (
        {"COORDINATOR_ADDRESS": "a", "COORDINATOR_PORT": "6666", "NUM_PROCESSES": "2", "PROCESS_ID": "0"},
        ProcessGroup("a:6666", 2, 0),
    ),
    "slurm": (
        {"SLURM_PROCID": "1", "SLURM_NTASKS": "8", "SLURM_STEP_NODELIST": "gpu[07-09,12],x", "SLURM_JOB_ID": "5000"},
        ProcessGroup("gpu07:30404", 8, 1),
    ),
    "by hand": (
        {"ARCHSPEC_COORDINATOR": "h:1", "ARCHSPEC_PROCESSES": "2", "ARCHSPEC_PROCESS": "1", "SLURM_PROCID": "7"},
        ProcessGroup("h:1", 2, 1),
    ),
}


@pytest.mark.parametrize("way", SAID)
def test_processes_are_found_in_the_environment(way):
    said, expected = SAID[way]
    assert peers(said) == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "does not say which"),
        (ADDRESS, "RANK is not set"),
        (ADDRESS | {"RANK": "4"}, "RANK is 4, which is no number below WORLD_SIZE, 4"),
        (ADDRESS | {"RANK": "one"}, "RANK is 'one', which is no integer"),
        ({"ARCHSPEC_COORDINATOR": "h", "ARCHSPEC_PROCESSES": "2", "ARCHSPEC_PROCESS": "1"}, "no address"),
    ],
)
def test_an_environment_that_says_too_little_is_refused(said, message):
    with pytest.raises(LaunchError, match=re.escape(message)):
        peers(said)


def test_the_first_host_of_a_list():
    assert [first_host(text) for text in ("n1", "n1,n2", "a[3-5,9],b", "r[01-02]-ib")] == ["n1", "n1", "a3", "r01-ib"]


def test_each_process_of_a_machine_has_devices_of_its_own():
    assert ProcessGroup("h:1", 4, 3, 1).local_devices(2) == [2, 3]
    assert ProcessGroup("h:1", 4, 3).local_devices(2) is None


PAIR = ProcessGroup("h:1", 2, 0)
REFUSED = {
    "clip: {norm: 1}": ("tensorflow", None, "clips the gradients of each", ("train", "clip")),
    "clip: {value: 1}": ("tensorflow", None, "clips the gradients of each", ("train", "clip")),
    "clip: {global_norm: 1}": ("tensorflow", None, "clips the gradients of each", ("train", "clip")),
    "accumulate: 2": ("tensorflow", None, "cannot accumulate", ("train", "accumulate")),
    "steps_per_execution: 4": ("tensorflow", None, "one step per execution", ("train", "steps_per_execution")),
    "freeze: {layers: conv, until: 2}": ("jax", None, "frozen for a while", ("train", "freeze")),
    "jit_compile: true": ("tensorflow", None, "XLA on TensorFlow", ("train", "jit_compile")),
    "batch: 31": ("tensorflow", None, "a batch of 31 cannot be divided among 2", ("train", "batch")),
    "sharding: {model: 2, layout: {kernel: [null, model]}}": (
        "tensorflow",
        None,
        "keras.distribution does nothing",
        ("train", "sharding"),
    ),
    "sharding: {model: 3, layout: {kernel: [null, model]}}": (
        "jax",
        None,
        "2 devices are no whole number of groups of 3",
        ("train", "sharding", "model"),
    ),
    "ema: 0.9, sharding: {model: 2, layout: {kernel: [null, model]}}": (
        "jax",
        PAIR,
        "averages of weights that processes divide",
        ("train", "ema"),
    ),
    "epochs: 1": ("torch", None, "KERAS_BACKEND is torch", ("train", "devices")),
    "epochs: 2": ("tensorflow", PAIR, "several processes train on JAX", ("train",)),
    "batch: 30": ("jax", PAIR, "a batch of 30 cannot be divided among 4", ("train", "batch")),
}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_several_devices_get_wrong_is_refused(plan, monkeypatch, setting):
    engine, together, message, at = REFUSED[setting]
    made = plan(f"{{devices: 2, {setting}}}")
    monkeypatch.setattr(distribution, "backend", lambda: engine)
    monkeypatch.setattr(distribution, "glob", lambda pattern: [])
    with pytest.raises(TaskError, match=re.escape(message)) as caught:
        distribution.check(made, together)
    assert caught.value.at == at


def test_one_device_may_have_all_of_it(plan):
    distribution.check(plan("{clip: {norm: 1}, accumulate: 2, steps_per_execution: 4, jit_compile: true}"))
    distribution.check(plan("{devices: 2}"))


@pytest.mark.parametrize(
    "text", ["{model: 1, layout: {a: [model]}}", "{model: 2, layout: {}}", "{model: 2, layout: {a: [x]}}"]
)
def test_a_wrong_sharding_is_refused_with_its_place(plan, text):
    with pytest.raises(SpecError) as caught:
        plan(f"{{devices: 2, sharding: {text}}}")
    assert caught.value.diagnostics[0].span.line == 5


@pytest.mark.tensorflow
def test_a_distribution_that_does_nothing_is_refused(plan, monkeypatch):
    import keras

    made = plan()
    monkeypatch.setattr(keras.distribution, "distribution", object)
    with (
        refuses(distribution.DistributionError),
        distribution.acquire_devices(made),
    ):
        pass


# No dropout: its masks on replicas are not those of one device.
SPEC = runs.SPEC.replace("rate: 0.3", "rate: 0.0").replace("  - flatten", "  - flatten\n  - {dense: 16, as: hidden}")
# No kinks, at which rounding would at once become another path.
SPEC = SPEC.replace("- relu", "- gelu")
TRAIN = "optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}, batch: 32, seed: 5, ema: 0.9, rates: {second: 0.5}"


def write(folder, settings, augment="[shift: 0.1, rescale]", fold=0):
    folder.mkdir(exist_ok=True)
    text = f"archspec_run: 1\nspec: small.yaml\ndata: {{digits: {fold}}}\naugment: {augment}\n"
    return runs.write(folder, f"{text}train: {{{TRAIN}, {settings}}}\n", SPEC)


def trained(run, logdir, *flags, code="", **environment):
    code, _, err = runs.finish(
        runs.start("train", run, "--logdir", logdir, "--quiet", *flags, code=code, environment=environment)
    )
    assert code == 0, err
    return logdir


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_devices_on_tensorflow_end_where_one_ends(tmp_path):
    # Few steps: rounding grows, however the run is divided.
    run = write(tmp_path, "epochs: 2")
    run.write_text(run.read_text().replace("batch: 32", "batch: 240"))
    one = trained(run, tmp_path / "one")
    two = trained(run, tmp_path / "two", "--devices", "2")
    assert_close(one, two, 1e-4)
    assert "devices: 2" in (two / "run.yaml").read_text()


def on_jax(folder, epochs=1):
    """A run whose held-out examples are odd in number."""
    pytest.importorskip("jax")
    return write(folder, f"epochs: {epochs}, checkpoint_steps: 5", "[rescale]", fold=2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run on JAX in one process on one device."""
    folder = tmp_path_factory.mktemp("alone")
    run = on_jax(folder)
    return run, trained(run, folder / "run", code=WITHOUT_TENSORFLOW, **ON_JAX)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_devices_of_a_process_on_jax_end_where_one_ends(alone, tmp_path):
    run, one = alone
    two = trained(run, tmp_path / "two", "--devices", "2", code=WITHOUT_TENSORFLOW, **ON_JAX)
    assert_close(one, two, 1e-5)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.tensorflow
def test_divided_weights_end_where_whole_ones_end(tmp_path):
    run = on_jax(tmp_path)
    run.write_text(run.read_text().replace("ema: 0.9, ", ""))
    one = trained(run, tmp_path / "one", code=WITHOUT_TENSORFLOW, **ON_JAX)
    sharding = "sharding: {model: 2, layout: {hidden/kernel: [null, model], main.dense/kernel: [model, null]}}"
    run.write_text(run.read_text().replace("epochs: 1", f"epochs: 1, {sharding}"))
    finish_all(
        start_all("train", run, "--logdir", tmp_path / "two", "--distributed", "--quiet", code=WITHOUT_TENSORFLOW)
    )
    assert_close(one, tmp_path / "two", 1e-5)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_processes_end_where_one_ends(alone, tmp_path):
    run, one = alone
    arguments = ("--logdir", tmp_path / "two", "--distributed", "--quiet")
    out = finish_all(start_all("train", run, *arguments, code=WITHOUT_TENSORFLOW))
    assert "44 steps" in out
    assert_close(one, tmp_path / "two", 1e-5)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.tensorflow
def test_a_process_that_is_killed_ends_the_other_and_the_run_goes_on_to_the_bit(tmp_path):
    run, killed = on_jax(tmp_path, epochs=3), tmp_path / "killed"
    flags = ("--distributed", "--quiet")
    finish_all(start_all("train", run, "--logdir", tmp_path / "whole", *flags, code=WITHOUT_TENSORFLOW))
    first, second = start_all("train", run, "--logdir", killed, *flags, code=WITHOUT_TENSORFLOW)
    assert runs.kill_when(second, lambda: runs.reached(killed) >= 10, 0.0, signal.SIGKILL)
    begin = time.monotonic()
    code, out, err = runs.finish(first)
    assert code != 0 and out == ""
    assert time.monotonic() - begin < 90
    assert "another process of the run is gone" in err or "heartbeat" in err.lower(), err
    assert runs.reached(killed) < 132
    finish_all(start_all("resume", killed, *flags, code=WITHOUT_TENSORFLOW))
    runs.assert_same(killed, tmp_path / "whole")
