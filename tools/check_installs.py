"""Build wheel and sdist, look into both, and prove the two installs in fresh environments and from another folder.

python tools/check_installs.py            both installs
python tools/check_installs.py --base     only the one without TensorFlow
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
STATIC = (
    ("check", "lenet5"),
    ("table", "resnet50"),
    ("table", "lenet5", "--format", "json"),
    ("list",),
    ("reference",),
    ("schema",),
)
EXTRA = "pip install 'archspec-keras[tensorflow]'"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", action="store_true", help="leave out the install with TensorFlow")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wheel, sdist = built(place / "dist")
        compare(wheel, sdist)
        base(wheel, place)
        if not args.base:
            extra(wheel, place)


def built(out: Path) -> tuple[Path, Path]:
    """Wheel, made from the sdist, and sdist."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    print(f"built {wheel.name} ({wheel.stat().st_size:,} bytes) and {sdist.name} ({sdist.stat().st_size:,} bytes)")
    return wheel, sdist


def compare(wheel: Path, sdist: Path) -> None:
    """The wheel has the package and the specs as they are kept, and nothing else; the sdist has what is kept."""
    kept = set(run("git", "ls-files", cwd=ROOT).splitlines())
    with zipfile.ZipFile(wheel) as archive:
        packed = {n: archive.read(n) for n in archive.namelist() if ".dist-info/" not in n}
    wanted = {name for name in kept if name.startswith("archspec/")}
    wanted |= {f"archspec/{name}" for name in kept if name.startswith("specs/")}
    demand(set(packed) == wanted, f"the wheel differs from what is kept: {sorted(set(packed) ^ wanted)[:8]}")
    for name, content in packed.items():
        origin = ROOT / (name.removeprefix("archspec/") if name.startswith("archspec/specs/") else name)
        demand(content == origin.read_bytes(), f"{name} in the wheel is not the file that is kept")
    demand("archspec/py.typed" in packed, "the wheel lacks py.typed")
    with tarfile.open(sdist) as tar:
        names = {m.name.partition("/")[2] for m in tar.getmembers() if m.isfile()}
    demand(names - {"PKG-INFO"} == kept, f"the sdist differs from what is kept: {sorted(names ^ kept)[:8]}")
    print(f"the wheel has {len(packed)} files, the sdist {len(names)}, as they are kept")


def base(wheel: Path, place: Path) -> None:
    """Static verbs without Keras; the others say what to install."""
    python = environment(place / "base", str(wheel))
    found = {line.partition("==")[0].lower() for line in run(python, "-m", "pip", "freeze").splitlines()}
    heavy = found & {"tensorflow", "keras", "numpy", "tensorboard", "scikit-learn"}
    demand(not heavy, f"the base install brings {heavy}")
    archspec = python.with_name("archspec")
    for verb in STATIC:
        demand(bool(run(archspec, *verb, cwd=place).strip()), f"archspec {' '.join(verb)} says nothing")
    for verb in (("compile", "lenet5", "-o", "lenet5.keras"), ("train", "lenet5", "--data", "digits")):
        done = subprocess.run([archspec, *verb], capture_output=True, text=True, cwd=place)
        said = done.returncode == 1 and EXTRA in done.stderr and "Traceback" not in done.stderr
        demand(said, f"archspec {verb[0]} without Keras: exit {done.returncode}, {done.stderr}")
    print(
        f"base: {len(STATIC)} static verbs run with {len(found)} distributions; compile and train say what to install"
    )


def extra(wheel: Path, place: Path) -> None:
    """Compile, and open the file in a process of Keras's."""
    python = environment(place / "extra", f"archspec-keras[tensorflow] @ {wheel.as_uri()}")
    run(python.with_name("archspec"), "compile", "lenet5", "-o", "lenet5.keras", cwd=place)
    code = "import keras, archspec.layers; print(keras.saving.load_model('lenet5.keras').count_params())"
    params = run(python, "-c", code, cwd=place).split()[-1]
    print(f"extra: lenet5.keras opens in Keras with {params} parameters")


def environment(folder: Path, requirement: str) -> Path:
    """The Python of a fresh environment with one requirement, by the pinned versions; prints how long pip took."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    start = time.monotonic()
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", CONSTRAINTS, requirement)
    print(f"{folder.name}: installed in {time.monotonic() - start:.1f} s")
    return python


def run(*command: object, cwd: Path | None = None) -> str:
    """Standard output of a command; SystemExit with what it said if it fails."""
    outside = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=outside)
    demand(done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def demand(holds: bool, message: str) -> None:
    if not holds:
        sys.exit(f"check_installs: {message}")


if __name__ == "__main__":
    main()
