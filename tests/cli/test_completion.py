"""What completes in a shell, asked of bash itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import main, verbs

ROOT = Path(__file__).parents[2]


def completed(tmp_path: Path, script: str, *words: str) -> set[str]:
    """What bash offers for the last word; ``archspec`` is this one."""
    (tmp_path / "archspec").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m archspec "$@"\n')
    (tmp_path / "archspec").chmod(0o755)
    program = (
        f'PATH="{tmp_path}:$PATH"\n{script}\n'
        f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n_archspec\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_verbs_options_and_names(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(tmp_path, script, "archspec", "ta") == {"table"}
    assert completed(tmp_path, script, "archspec", "check", "--s") == {"--set", "--strict"}
    assert completed(tmp_path, script, "archspec", "table", "densenet1") >= {"densenet121", "densenet169"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_verb_is_in_every_script(shell, capsys):
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(verb in out for verb in verbs()) and "strict" in out


def test_names_need_the_index_alone():
    code = (
        "import sys; from archspec.cli import main; main(['completion', 'names']);"
        "print([m for m in ('pydantic', 'yaml', 'keras', 'numpy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stderr.strip() == "[]" and "resnet50" in done.stdout.split()
