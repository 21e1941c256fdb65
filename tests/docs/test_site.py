"""The documentation site is built from the pages as they are: every link leads somewhere, and the API is complete."""

import re
import subprocess
import sys

import pytest

import archspec
from tests.docs.blocks import ROOT


@pytest.mark.slow
def test_the_site_builds_and_its_links_hold(tmp_path):
    """Strictly: a dead link, a page without a place, or a name that is not there fails the build."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ROOT / "mkdocs.yml", "-d", tmp_path / "site"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    assert "Raises SpecError, which holds every independent mistake" in page
    assert (tmp_path / "site" / "specs" / "lenet" / "lenet5.yaml").read_text() == (
        ROOT / "specs" / "lenet" / "lenet5.yaml"
    ).read_text()
    # A block whose first line is not understood takes what follows it for code.
    pages = [path for path in (tmp_path / "site").rglob("*.html") if "```" in path.read_text(encoding="utf-8")]
    assert pages == []


def test_every_public_name_is_on_the_page():
    """``archspec.__all__`` and the page name the same things."""
    described = re.findall(r"^::: archspec\.(?:[\w.]+\.)?(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted(described) == sorted(archspec.__all__)
