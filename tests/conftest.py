"""Real data: found through ARCHSPEC_DATA, and never skipped where it is.

A test that needs it takes the ``data`` fixture, or skips itself with a reason that names ARCHSPEC_DATA. Where the
variable is set such a skip is a failure, so that a moved file or a misspelt name does not pass in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

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
def pytest_collection_modifyitems(items):
    """What is long is slow too, before ``-m`` is looked at."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)


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
