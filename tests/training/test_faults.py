"""A save in which any one call to the system fails: what was there before stays whole, and the next save works."""

import errno
import os
import resource
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest

from archspec.training.checkpoint import Checkpoints, Position
from archspec.training.identity import RunIdentity

pytestmark = pytest.mark.tensorflow
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE]
CALLS = {"open", "os.mkdir", "os.rename", "os.fsync"}
faults = {"left": 0, "error": 0, "below": ""}


def _fail(event, arguments):
    """Audit hooks stay for the life of a process: this one does nothing until it is told to."""
    path = arguments[0] if arguments and isinstance(arguments[0], str | os.PathLike) else ""
    if not faults["left"] or event not in CALLS or not (event == "os.fsync" or str(path).startswith(faults["below"])):
        return
    faults["left"] -= 1
    if not faults["left"]:
        raise OSError(faults["error"], os.strerror(faults["error"]), str(path))


sys.addaudithook(_fail)


@contextmanager
def failing(monkeypatch, below, k, error):
    """The k-th call that opens, makes, renames or syncs something below a folder fails."""
    sync = os.fsync

    def synced(descriptor):
        _fail("os.fsync", ())
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", synced)
        faults.update(left=k, error=error, below=str(below))
        try:
            yield
        finally:
            faults.update(left=0)


@pytest.fixture
def saved(tmp_path):
    """A model with one generation on the disk; its weights are other ones since."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    kept = Checkpoints(tmp_path, RunIdentity("this"))
    assert kept.save(model, Position(1))
    first = [np.array(w) for w in model.get_weights()]
    model.set_weights([w + 1 for w in first])
    return model, kept, first


def is_whole(model, kept, first):
    """The first generation is read, and holds what it held."""
    now = model.get_weights()
    assert (kept.position().step, kept.passed_over) == (1, [])
    kept.restore(model, 1)
    for array, wanted in zip(model.get_weights(), first, strict=True):
        np.testing.assert_array_equal(array, wanted)
    model.set_weights(now)


def test_no_failing_call_spoils_the_generation_before(tmp_path, monkeypatch, saved):
    model, kept, first = saved
    struck = 0
    for error in ERRORS:
        for k in range(1, 40):
            try:
                with failing(monkeypatch, tmp_path, k, error):
                    kept.save(model, Position(2))
                    assert faults["left"], "the call that failed was passed over in silence"
                break
            except OSError as found:
                assert found.errno == error
                struck += 1
            if kept.position().step == 2:
                # The new one stood in its place already when its folder could not be synced.
                shutil.rmtree(tmp_path / "checkpoints" / "000000002")
            is_whole(model, kept, first)
        assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {"000000001", "000000002"}
        shutil.rmtree(tmp_path / "checkpoints" / "000000002")
    assert struck >= 6 * len(ERRORS)


@pytest.mark.slow
def test_a_disk_that_fills_up_at_any_byte_spoils_nothing(tmp_path, saved):
    model, kept, first = saved
    size = max(p.stat().st_size for p in (tmp_path / "checkpoints" / "000000001").iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in range(0, size, max(1, size // 40)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(OSError, match=r"a checkpoint takes [\d,]+ bytes, [\d,]+ are free") as found:
                kept.save(model, Position(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert Path(found.value.filename).name == "000000002"
        is_whole(model, kept, first)
        assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["000000001"]
    assert kept.save(model, Position(2))
    assert kept.position().step == 2
