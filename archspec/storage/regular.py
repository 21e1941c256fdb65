"""Files that end: what a person names is read if it is a regular file, for a device or a pipe may never end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO


def is_endless(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to what is there, and is neither a regular file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def opened(path: str | os.PathLike[str], *, streams: bool = False) -> BinaryIO:
    """A regular file, to be read from its beginning; with ``streams`` also a pipe or terminal, which is waited for.
    Raises OSError, for whatever else lies there too."""
    # Without waiting: a pipe that nobody writes into would not even open.
    waiting = 0 if streams else getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | waiting)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if streams and (stat.S_ISFIFO(found.st_mode) or os.isatty(descriptor)):
            return os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(found.st_mode) or (not streams and not found.st_size and _waits(descriptor)):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _waits(descriptor: int) -> bool:
    """Whether a file says that it is regular and empty, and is a queue of what the system will say (/proc/kmsg)."""
    try:
        os.read(descriptor, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:
        return True
    return False
