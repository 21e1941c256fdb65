"""Run directories side by side, as their files tell: neither data nor TensorFlow are needed, and runs may be under
way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.ir.declaration import Declaration
from archspec.report.comparison import HELD_OUT, Comparison, TrainedRun

COMPARED = ("spec", "variant", "set", "data", "augment", "train", "evaluate")
"""What of a run file says what a run is."""
MOST_EPOCHS = 10**6
"""Beyond this the number of an epoch is a slip."""


def compare(paths: Iterable[Path]) -> Comparison:
    """Run directories, and all below folders that are none, in the order of their names. Raises RunError where there is
    none, SpecError, OSError."""
    from archspec.training.errors import RunError

    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(_directories(path), key=_in_order)
        if not below:
            raise RunError(f"{path} holds no run" if path.exists() else f"there is no folder {path}")
        found |= dict.fromkeys(below)
    return Comparison(tuple(_run(path) for path in found))


def _directories(path: Path) -> Iterator[Path]:
    if (path / "run.yaml").is_file() and (path / "environment.json").is_file():
        return iter((path,))
    below = [file.parent for file in path.rglob("run.yaml") if (file.parent / "environment.json").is_file()]
    # A run file that a person keeps beside the runs makes no run of their folder.
    return iter(below or ([path] if (path / "run.yaml").is_file() else []))


def _in_order(path: Path) -> list[Any]:
    """Numbers by their value: ``10`` behind ``9``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _run(logdir: Path) -> TrainedRun:
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read
    from archspec.training.log import read_rows

    said = read(read_source(logdir / "run.yaml", str(logdir / "run.yaml")))
    history = _history(row for row in read_rows(logdir / "log.jsonl") if "step" not in row)
    result, environment = read_json(logdir / "result.json"), read_json(logdir / "environment.json")
    written = {key: said[key] for key in COMPARED if key in said}
    if isinstance(train := written.get("train"), Mapping):
        written["train"] = {key: _spelled_out(key, value) for key, value in train.items()}
    settings = dict(flat(written)) | dict(flat(_environment(environment)))
    facts = {n: v for n in ("params", "cpu_seconds") if isinstance(v := result.get(n), (int, float))}
    return TrainedRun(str(logdir), history, _best(logdir, result, history), settings, facts)


def _history(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The figures of each epoch by its number, without any for those whose line is lost."""
    found = {}
    for row in rows:
        epoch = row.get("epoch")
        if type(epoch) is int and 0 < epoch <= MOST_EPOCHS:
            figures = {name: float(value) for name, value in row.items() if isinstance(value, (int, float))}
            found[epoch] = {name: value for name, value in figures.items() if name != "epoch"}
    return [found.get(epoch, {}) for epoch in range(1, max(found, default=0) + 1)]


def _best(logdir: Path, result: Mapping[str, Any], history: list[dict[str, float]]) -> int | None:
    """The epoch that is best in what the run monitors, or else in the loss."""
    last = max((logdir / "checkpoints").glob("[0-9]*"), default=logdir)
    # A run that goes on after its end has come further than its result says.
    manifest = max((result, read_json(last / "manifest.json")), key=_steps)
    done, best = _steps(manifest), manifest.get("best")
    epochs = manifest.get("epochs", len(manifest.get("history") or ()))
    if isinstance(best, dict) and done and epochs:
        # The last epoch of a run that went to NaN may have fewer steps than others, and none is best.
        whole = int(epochs) - (manifest.get("finished") is False)
        # An epoch may be under way: the steps of one are between done / (whole + 1) and done / whole.
        return -(-int(best["step"]) * whole // done)
    name = f"{HELD_OUT}loss" if any(f"{HELD_OUT}loss" in row for row in history) else "loss"
    judged = [(row[name], epoch) for epoch, row in enumerate(history, 1) if name in row]
    return min(judged, key=lambda one: (one[0] != one[0], *one))[1] if judged else None


def _steps(manifest: Mapping[str, Any]) -> int:
    """Steps that were done."""
    return int(manifest.get("steps", manifest.get("step")) or 0)


def _environment(said: Mapping[str, Any]) -> dict[str, Any]:
    """What else than the run file a run was made by: the network itself, and versions."""
    git = said.get("git")
    return {
        "network": str(said.get("network", ""))[:8],
        "backend": said.get("backend"),
        "packages": said.get("packages"),
        "commit": str(git.get("commit", ""))[:8] if isinstance(git, dict) else None,
    }


def _spelled_out(key: str, value: object) -> Any:
    """A declaration by its name and all its arguments, in whichever of its forms it is written: one of two runs with
    ``adam`` and ``adam: 0.003`` has another ``learning_rate``. What no declaration has stays as it is."""
    from archspec.training.optimizers import Optimizer
    from archspec.training.schedules import Schedule

    kinds: dict[str, type[Declaration]] = {"optimizer": Optimizer, "schedule": Schedule}
    name, given = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else (value, {})
    member = kinds[key].find(name) if key in kinds and isinstance(name, str) else None
    if member is None or not (isinstance(given, Mapping) or member.main):
        return value
    defaults = {argument: field.default for argument, field in member.model_fields.items() if not field.is_required()}
    return {"": name, **defaults, **(given if isinstance(given, Mapping) else {member.main: given})}


def flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of maps by their path, ``train.optimizer.learning_rate``, as text; a list is one leaf, and a key
    without a name is the map's own value."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from flat(held, f"{path}.{key}".strip("."))
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read_json(path: Path) -> dict[str, Any]:
    """A file's map; an empty one where it is not there, or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
