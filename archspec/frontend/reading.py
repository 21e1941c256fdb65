"""Texts of files: regular ones, of UTF-8, within a limit."""

from __future__ import annotations

import errno
from pathlib import Path

from archspec.frontend.yaml_source import MAX_BYTES
from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.storage.regular import opened

BINARY = (b"PK\x03\x04", b"\x89HDF")
"""How files of models and weights begin: .keras, .npz and .pth are archives, .h5 is HDF5."""
NO_TEXT = (
    "a spec is text; 'archspec decompile' writes that of a Keras model, 'archspec weights import' takes the spec first"
)


def read_source(path: Path, name: str) -> Source:
    """The text of a regular file of UTF-8. Raises SpecError, OSError."""
    try:
        with opened(path) as file:
            # One byte more than is allowed tells a large file from one that is still growing.
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EISDIR):
            raise
        raise SpecError([Diagnostic("F01", "not a file", Span(Source(name, ""), 1, 1))]) from None
    return decoded(data, name)


def decoded(data: bytes, name: str) -> Source:
    """A text out of bytes of UTF-8, of which there may be so many. Raises SpecError."""
    if len(data) > MAX_BYTES:
        raise SpecError(
            [Diagnostic("Y07", f"the file is larger than {MAX_BYTES >> 20} MiB", Span(Source(name, ""), 1, 1))]
        )
    try:
        return Source(name, data.decode("utf-8-sig" if data[:3] == b"\xef\xbb\xbf" else "utf-8"))
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"not valid UTF-8: byte {data[error.start]:#04x}"
        at = Span(Source(name, before), line, column)
        hint = NO_TEXT if data.startswith(BINARY) else "save the file as UTF-8"
        raise SpecError([Diagnostic("Y01", message, at, hint)]) from None
