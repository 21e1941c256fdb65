"""What a person is told, held to the letter by a table beside the tests.

``with refuses(DataError):`` stands where an error is to be raised, ``told(text)`` where something is printed. Either
compares the whole text, with its help and its place, with the section of the running test in
``wording/<module>.txt``. ``WORDING=write pytest PATH`` writes the sections of the tests that it runs; read what it
wrote as a person would who meets it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from archspec.ir.validation import Refused, refused

ROOT = Path(__file__).parents[1]
MARK = "=== "
FOLDERS = re.compile(r"[\w./-]*/pytest-of-[^/]+/pytest-\d+/(?:popen-gw\d+/)?[\w.-]+")
ADDRESSES = re.compile(r"0x[0-9a-f]{6,}")
_counts: dict[str, int] = {}


@contextmanager
def refuses(kind: type[Exception] | tuple[type[Exception], ...]) -> Iterator[pytest.ExceptionInfo[Any]]:
    """An error of ``kind`` is raised within, and says what the table has."""
    with pytest.raises(kind) as caught:
        yield caught
    if isinstance(caught.value, ValidationError):
        told("\n".join(map(_sentence, refused(caught.value))))
    else:
        told(_with_help(str(caught.value), getattr(caught.value, "help", None)))


def _sentence(one: Refused) -> str:
    path = ".".join(map(str, one.path))
    return _with_help(one.message if one.is_sentence or not path else f"{path}: {one.message}", one.help)


def _with_help(text: str, help: str | None) -> str:
    return f"{text}\n  help: {help}" if help and help not in text else text


def told(text: str) -> None:
    """What was said is what the table has, but for the folders of this run and addresses in memory."""
    path, key = _place()
    text = FOLDERS.sub("FOLDER", text).replace(f"{ROOT}/", "").rstrip("\n")
    text = "\n".join(line.rstrip() for line in ADDRESSES.sub("0x…", text).split("\n"))
    table = sections(path)
    if os.environ.get("WORDING") == "write":
        table[key] = text
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "\n\n".join(f"{MARK}{name}\n{table[name]}" for name in sorted(table, key=_order)) + "\n", "utf-8"
        )
    assert text == table.get(key), f"{path.relative_to(ROOT)} has no other text for {key}"


def sections(path: Path) -> dict[str, str]:
    """Test → what it is told."""
    if not path.is_file():
        return {}
    parts = path.read_text("utf-8").removeprefix(MARK).split(f"\n{MARK}")
    return {name: text.strip("\n") for name, _, text in (part.partition("\n") for part in parts)}


def _place() -> tuple[Path, str]:
    """The table of the running test, and its section: a second text of one test is numbered."""
    module, _, test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0].partition("::")
    path = ROOT / module
    if (running := f"{module}::{test}") not in _counts:
        _counts.clear()
    _counts[running] = count = _counts.get(running, 0) + 1
    return path.parent / "wording" / f"{path.stem}.txt", test if count == 1 else f"{test} #{count}"


def _order(name: str) -> tuple[str, int]:
    test, _, count = name.partition(" #")
    return test, int(count or 1)
