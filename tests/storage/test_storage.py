"""Files whole or not at all, results that are kept, fingerprints; of the standard library alone."""

import ast
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from archspec.storage.atomic import staged, write_atomically, write_json
from archspec.storage.cache import cache_path, load_or_compute
from archspec.storage.fingerprint import content_fingerprint, fingerprint, stat_fingerprint

ROOM = Path(__file__).parents[2] / "archspec/storage"


def test_it_stands_on_the_standard_library_alone():
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("archspec.storage.") or name.partition(".")[0] in sys.stdlib_module_names, path


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"é": 1})
    assert path.read_bytes() == '{\n "é": 1\n}\n'.encode()

    def fails(beside):
        beside.write_text("half")
        raise ValueError

    with pytest.raises(ValueError):
        write_atomically(path, fails)
    assert json.loads(path.read_bytes()) == {"é": 1} and os.listdir(tmp_path) == ["a.json"]


def test_an_error_names_the_file_that_was_wanted(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_json(tmp_path / "none" / "a.json", {})
    assert caught.value.filename == str(tmp_path / "none" / "a.json")


def test_a_folder_comes_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(ValueError), staged(path) as beside:
        beside.mkdir()
        (beside / "b").write_text("half")
        raise ValueError
    assert os.listdir(tmp_path) == []
    # What a process with the same number left behind, which was killed.
    beside.mkdir()
    (beside / "left").write_text("")
    with staged(path) as beside:
        beside.mkdir()
        (beside / "b").write_text("whole")
    assert os.listdir(tmp_path) == ["a"] and os.listdir(path) == ["b"]
    # What is there already stays as it is.
    with pytest.raises(OSError), staged(path) as beside:
        beside.mkdir()
        (beside / "c").write_text("")
    assert os.listdir(tmp_path) == ["a"] and os.listdir(path) == ["b"]


def test_a_result_is_computed_once_and_damage_computed_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path))
    path = cache_path("kind", ".json", "of", "this")
    assert path.name == sha256(b"of\0this").hexdigest()[:32] + ".json" and path != cache_path("kind", ".json", "of")
    asked = []
    for _ in range(2):
        assert load_or_compute(path, lambda: asked.append(1) or [1, 2]) == [1, 2]
    assert asked == [1]
    path.write_text("[1, ")
    assert load_or_compute(path, lambda: asked.append(1) or [1, 2]) == [1, 2] and asked == [1, 1]


def test_fingerprints_tell_files_apart(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert content_fingerprint(path) == sha256(b"abc").hexdigest()
    before = stat_fingerprint("text", [path])
    assert before == stat_fingerprint("text", [path]) != stat_fingerprint("other", [path])
    path.write_bytes(b"abcd")
    assert stat_fingerprint("text", [path]) != before
    assert fingerprint("a", "b") != fingerprint("b", "a") != fingerprint("ba")
