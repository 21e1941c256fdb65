"""The static path stays small: what ``archspec table resnet152`` imports, builds and parses, held by names.

Times depend on the machine and what else it does; these counts do not. ``static_path.json`` lists what was there when
somebody last looked. What comes on top of it is named here: import it where it is used, or, if every table needs it,
``python -m tests.test_static_path`` writes the list anew (a reviewer sees what grew).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from tests import static_path
from tests.test_house import ROOT

LIST = Path(__file__).with_suffix("").with_name("static_path.json")
INSTALLED = ("pydantic", "pydantic_core", "yaml", "annotated_types", "typing_extensions", "typing_inspection")
LIMITS = {"modules of the standard library": 130, "models": 60, "dataclasses": 72, "parses": 10}
"""More than what is counted, so that the next version of Python or pydantic may differ a little."""


@cache
def counted() -> dict[str, list[str]]:
    """What one process did, by kind."""
    done = subprocess.run(
        [sys.executable, static_path.__file__, "table", "resnet152"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": "/nonexistent"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    assert found.pop("code") == 0
    return found


def ours(names: list[str]) -> list[str]:
    return [name for name in names if name.partition(".")[0] == "archspec"]


def test_nothing_grew():
    found, known = counted(), json.loads(LIST.read_text("utf-8"))
    for kind in ("modules", "models", "dataclasses"):
        grown = sorted(set(ours(found[kind])) - set(known[kind]))
        assert not grown, f"{kind} that a table did not need before: {', '.join(grown)}"
    parsed = Counter(found["parses"]) - Counter(known["parses"])
    assert not parsed, f"texts are parsed that were not before: {dict(parsed)}"


def test_nothing_else_is_much():
    """What installed packages and the standard library bring, which is theirs to name, is bounded."""
    found = counted()
    tops = [name for name in found["modules"] if name.partition(".")[0] not in (*INSTALLED, "archspec")]
    sizes = {"modules of the standard library": len(tops), **{k: len(v) for k, v in found.items() if k != "modules"}}
    assert {kind: n for kind, n in sizes.items() if n > LIMITS[kind]} == {}
    # What starts with an underscore is built for a platform, or for the C loader of YAML.
    strangers = {top for name in tops if (top := name.partition(".")[0])[0] != "_"} - set(sys.stdlib_module_names)
    strangers -= {"cython_runtime"}
    assert not strangers, f"installed packages that a table did not need before: {strangers}"


def test_the_list_has_nothing_that_is_gone():
    """What is not imported any more is taken off, so that it does not come back unseen."""
    found, known = counted(), json.loads(LIST.read_text("utf-8"))
    gone = {kind: sorted(set(known[kind]) - set(found[kind])) for kind in ("modules", "models", "dataclasses")}
    assert gone == {"modules": [], "models": [], "dataclasses": []}, "python -m tests.test_static_path"


if __name__ == "__main__":
    kept = {kind: names if kind == "parses" else ours(names) for kind, names in counted().items()}
    LIST.write_text(json.dumps(kept, indent=0) + "\n", "utf-8")
