"""A test on real data may be skipped only where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "fixture": "def test(data):\n    data('mnist')\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no ARCHSPEC_DATA')\ndef test(): pass\n",
    "module": "import pytest\npytest.skip('no ARCHSPEC_DATA', allow_module_level=True)\n",
    "other": "import pytest\ndef test():\n    pytest.skip('a leap day')\n",
    "passes": "def test(data):\n    assert data('mnist').is_dir()\n",
}


@pytest.mark.parametrize(
    ("name", "folder", "workers", "said"),
    [
        ("fixture", None, 0, "1 skipped"),
        ("mark", None, 0, "1 skipped"),
        ("module", None, 0, "1 skipped"),
        ("passes", None, 0, "1 skipped"),
        ("fixture", "empty", 0, "1 failed"),
        ("mark", "full", 0, "1 error"),
        ("mark", "full", 2, "1 error"),
        ("module", "full", 0, "1 error"),
        ("module", "full", 2, "1 error"),
        ("other", "full", 0, "1 skipped"),
        ("passes", "full", 0, "1 passed"),
    ],
)
def test_skips_of_real_data(name, folder, workers, said, tmp_path):
    (tmp_path / "full" / "mnist").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "conftest.py").write_bytes((Path(__file__).parent / "conftest.py").read_bytes())
    (tmp_path / "test_it.py").write_text(TESTS[name])
    environment = {k: v for k, v in os.environ.items() if k != "ARCHSPEC_DATA" and not k.startswith("PYTEST")}
    if folder:
        environment["ARCHSPEC_DATA"] = str(tmp_path / folder)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path), "-n", str(workers), "-q"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=120)
    assert said in done.stdout.splitlines()[-1], done.stdout
    assert (done.returncode in (1, 2)) is ("failed" in said or "error" in said)
