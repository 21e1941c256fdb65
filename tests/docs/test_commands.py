"""What the documentation tells a reader to type: every command runs, and what is shown below one is what it prints.

A block of ``console`` is run line by line in a folder of its own, which has the files of the page: blocks of ``yaml``,
``ini`` and ``python`` with a name behind. ``[1]`` below a command is an exit code other than 0.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, shown

PAGES = [
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in ("detection", "editors", "importing", "language_models", "reports", "segmentation", "training")
    ),
]
ELSEWHERE = {"make demo", "make test", "pip install archspec-keras", "pip install 'archspec-keras[tensorflow]'"}
"""Commands that set up environments: .ci/run and tools/check_installs.py run them."""
TENSORFLOW = re.compile(r"archspec (compile|decompile|weights|train|evaluate|export|data|sample|predict)\b|\bcompile\(")


def marked(block):
    marks = [pytest.mark.tensorflow] if TENSORFLOW.search(block.text) else []
    return pytest.param(block, id=str(block), marks=[*marks, *([pytest.mark.slow] if marks else [])])


def prepared(page: Path, folder: Path) -> dict[str, str]:
    """The environment of a page's commands, in a folder with the files that it shows."""
    for block in shown("yaml", "ini", "python", pages=[page]):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "COLUMNS": "80", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("block", [marked(b) for b in shown("console", pages=PAGES)])
def test_console(block, tmp_path):
    environment = prepared(block.page, tmp_path)
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert parts[0] == ""
    for part in parts[1:]:
        command, _, printed = part.partition("\n")
        if command in ELSEWHERE:
            continue
        code = re.search(r"^\[(\d+)\]\n\Z", printed, re.MULTILINE)
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert ran.returncode == (int(code[1]) if code else 0), ran.stdout
        if code:
            printed = printed[: code.start()]
        if printed.strip():
            assert ran.stdout == printed


@pytest.mark.parametrize("block", [marked(b) for b in shown("python", pages=PAGES)])
@pytest.mark.slow
def test_python(block, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env=prepared(block.page, tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr


def test_exit_codes_are_those_of_the_code():
    from archspec.cli import EPILOG

    said = re.findall(r"(\d+) (.*?)[;.] ", " ".join(EPILOG.split()).partition("exit codes: ")[2])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert said and re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE) == said


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_makefile_and_tools_have_what_is_run_elsewhere():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{c.split()[1]}:", makefile, re.MULTILINE) for c in ELSEWHERE if c.startswith("make"))
    assert "archspec-keras[tensorflow]" in (ROOT / "tools" / "check_installs.py").read_text(encoding="utf-8")
