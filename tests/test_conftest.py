"""A test on real data may be skipped only where there is none, and draws what it draws alone."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import pytest_collection_modifyitems

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


def marked(name, count, *markers):
    """The cases of a test, as pytest shows them to the hook."""

    class Case:
        def __init__(self, k):
            self.nodeid, self.markers = f"test_a.py::{name}[{k}]", list(markers)

        def get_closest_marker(self, wanted):
            return next((mark.mark for mark in self.markers if mark.name == wanted), None)

        def add_marker(self, mark):
            self.markers.append(mark)

    return [Case(k) for k in range(count)]


@pytest.mark.parametrize(
    ("count", "wanted", "fast"), [(10, 3, [1, 5, 8]), (6, 1, [3]), (2, 3, [0, 1]), (1, 5, [0]), (4, 4, [0, 1, 2, 3])]
)
def test_few_cases_of_many_are_fast_and_the_others_slow(count, wanted, fast):
    others = marked("test_other", 3)
    cases = marked("test_grid", count, pytest.mark.fast(wanted))
    pytest_collection_modifyitems([*others, *cases])
    assert [k for k, case in enumerate(cases) if case.get_closest_marker("slow") is None] == fast
    assert [case.markers for case in others] == [[]] * 3


def test_what_is_long_or_slow_already_is_no_case_of_the_fast():
    slow = marked("test_grid", 2, pytest.mark.fast(1), pytest.mark.slow)
    long = marked("test_grid", 2, pytest.mark.fast(1), pytest.mark.long)
    cases = marked("test_grid", 3, pytest.mark.fast(1))
    pytest_collection_modifyitems([*slow, *long, *cases])
    found = [case.get_closest_marker("slow") is None for case in [*slow, *long, *cases]]
    assert found == [False] * 5 + [True, False]
