"""Real data, and random numbers.

A test that needs real data takes the ``data`` fixture, or skips itself with a reason that names ARCHSPEC_DATA. Where
the variable is set such a skip is a failure, so that a moved file or a misspelt name does not pass in silence.

The global generators of Python, NumPy and Keras start from a seed of its own in each test and each fixture: which tests
ran before changes nothing.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import hypothesis
import pytest

# How fast examples come is the machine's affair, and no test's.
hypothesis.settings.register_profile("archspec", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("archspec")

VARIABLE = "ARCHSPEC_DATA"


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """The path of a file or folder below ARCHSPEC_DATA; the test is skipped where the variable is not set."""

    def find(name: str) -> Path:
        folder = os.environ.get(VARIABLE)
        if not folder:
            pytest.skip(f"needs {name} of the real data; set {VARIABLE} to its folder")
        path = Path(folder, name)
        if not path.exists():
            pytest.fail(f"{VARIABLE} is set, but {path} is not there")
        return path

    return find


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    # Not pytest's own, such as tmp_path: they draw nothing.
    if not fixturedef.func.__module__.startswith("_pytest"):
        _seed(f"{fixturedef.argname}/{getattr(request, 'param_index', '')}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    _seed(item.name)


def _seed(name):
    """Start the generators of the libraries that are there already; others start with Python's."""
    seed = crc32(name.encode())
    random.seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    elif "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is long is slow too, and so are the cases of a test beyond those of its ``fast``: before ``-m`` is looked
    at."""
    tests = defaultdict(list)
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
        elif item.get_closest_marker("fast") and not item.get_closest_marker("slow"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        (count,) = cases[0].get_closest_marker("fast").args
        chosen = {(2 * k + 1) * len(cases) // (2 * count) for k in range(count)}
        for k, case in enumerate(cases):
            if k not in chosen:
                case.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """What was collected and imported stays until the end: the collector of garbage need not walk through half a
    million objects again each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A skipped test of real data fails where the data is."""
    return _unskipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """The same for modules that skip themselves."""
    return _unskipped((yield))


def _unskipped(report):
    if report.skipped and os.environ.get(VARIABLE) and isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        if VARIABLE in reason:
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: {VARIABLE} is set, and this was skipped all the same: {reason}"
    return report
