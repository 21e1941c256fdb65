"""A test on real data may be skipped only where there is none, and draws what it draws alone."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

DRAWING = """
import random

import numpy as np
import pytest

@pytest.fixture(scope="module")
def shared():
    return random.random(), np.random.rand()

def say(*numbers):
    with open("drawn", "a") as file:
        print(*numbers, file=file)

def test_other(shared):
    random.random(), np.random.rand()

def test_drawn(shared):
    say(*shared, random.random(), np.random.rand())
"""
TESTS = {
    "fixture": "def test(data):\n    data('mnist')\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no ARCHSPEC_DATA')\ndef test(): pass\n",
    "module": "import pytest\npytest.skip('no ARCHSPEC_DATA', allow_module_level=True)\n",
    "other": "import pytest\ndef test():\n    pytest.skip('a leap day')\n",
    "passes": "def test(data):\n    assert data('mnist').is_dir()\n",
}


@pytest.mark.parametrize(
    ("folder", "workers", "outcomes"),
    [
        (None, 0, {"fixture": "skipped", "mark": "skipped", "module": "skipped", "passes": "skipped"}),
        ("empty", 0, {"fixture": "failed"}),
        ("full", 0, {"mark": "error", "module": "error", "other": "skipped", "passes": "passed"}),
        ("full", 2, {"mark": "error", "module": "error", "passes": "passed"}),
    ],
)
def test_skips_of_real_data(folder, workers, outcomes, tmp_path):
    (tmp_path / "full" / "mnist").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "conftest.py").write_bytes((Path(__file__).parent / "conftest.py").read_bytes())
    for name in outcomes:
        (tmp_path / f"test_{name}.py").write_text(TESTS[name])
    environment = {k: v for k, v in os.environ.items() if k != "ARCHSPEC_DATA" and not k.startswith("PYTEST")}
    if folder:
        environment["ARCHSPEC_DATA"] = str(tmp_path / folder)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "-n", str(workers), "-q"]
    report = tmp_path / "report.xml"
    command += ["--continue-on-collection-errors", f"--junit-xml={report}", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        words = [word for word in (case.get("classname"), case.get("name")) if word and "test_" in word]
        outcome = next((child.tag for child in case if child.tag in ("skipped", "failure", "error")), "passed")
        found[re.findall(r"test_(\w+)", " ".join(words))[0]] = "failed" if outcome == "failure" else outcome
    assert found == outcomes, done.stdout
    assert (done.returncode in (1, 2)) is bool({"failed", "error"} & {*outcomes.values()})


def test_what_a_test_draws_does_not_depend_on_others(tmp_path):
    (tmp_path / "conftest.py").write_bytes((Path(__file__).parent / "conftest.py").read_bytes())
    (tmp_path / "test_drawing.py").write_text(DRAWING)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "-q", "-p", "no:randomly"]
    for chosen in ("test_drawing.py", "test_drawing.py::test_drawn"):
        subprocess.run([*command, chosen], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    whole, alone = (tmp_path / "drawn").read_text().splitlines()
    assert whole == alone and len(set(whole.split())) == 4
