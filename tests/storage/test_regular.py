"""What is read is what ends: regular files, whatever the path leads to."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Thread

import pytest

from archspec.frontend.reading import read_source
from archspec.ir.diagnostics import SpecError
from archspec.storage.regular import is_endless, opened
from tests.wording import refuses


def test_a_regular_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "a"
    for data in (b"", b"text\n", bytes(range(256))):
        path.write_bytes(data)
        with opened(path) as file:
            assert file.read() == data
    assert not is_endless(path) and not is_endless(tmp_path) and not is_endless(tmp_path / "none")


@pytest.mark.parametrize("kind", ["device", "full", "link", "pipe"])
def test_what_may_never_end_is_not_opened(tmp_path, kind):
    path = tmp_path / kind
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/dev/zero")
        case _:
            path = Path({"device": "/dev/zero", "full": "/dev/full"}[kind])
    assert is_endless(path)
    with refuses(OSError) as caught:
        opened(path)
    assert caught.value.filename == str(path)


def test_a_file_that_only_says_it_is_regular_is_not_opened(monkeypatch, tmp_path):
    """As /proc/kmsg: empty by its size, and no read of it comes back."""
    path = tmp_path / "queue"
    path.touch()

    def read(descriptor, count):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "read", read)
    with refuses(OSError):
        opened(path)
    with refuses(SpecError):
        read_source(path, "queue.yaml")


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(IsADirectoryError):
        opened(tmp_path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")


def test_a_pipe_is_read_where_one_is_meant(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=path.write_bytes, args=(b"a line\n",))
    writer.start()
    with opened(path, streams=True) as file:
        assert file.read() == b"a line\n"
    writer.join()
    with refuses(OSError):
        opened("/dev/zero", streams=True)
