"""What a run directory says of its run: enough to repeat it, and what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from archspec.backend.installation import backend
from archspec.data import objects
from archspec.data.example import LABEL, Example, feature_of, from_specs
from archspec.data.feature import Feature
from archspec.data.features.labels import Labels
from archspec.data.features.mask_places import MaskPlaces
from archspec.data.features.object_masks import ObjectMasks
from archspec.data.preprocessing import write_files
from archspec.data.source import DataSource
from archspec.data.vocabulary import read_vocabulary
from archspec.frontend import catalogue
from archspec.frontend.files import PROJECT, catalogue_name
from archspec.ir.tensors import TensorSpec
from archspec.storage.atomic import write_json, write_text
from archspec.training.identity import fingerprint
from archspec.training.plan import Plan, vocabulary_file

PACKAGES = ("archspec-keras", "keras", "tensorflow", "jax", "numpy")


def write_plan(plan: Plan, logdir: Path) -> None:
    """Write ``run.yaml``, the spec's files, vocabularies and ``environment.json`` into the run directory. Raises
    OSError."""
    spec = write_sources(plan, logdir)
    for part, vocabulary in plan.features.vocabularies.items():
        path = logdir / vocabulary_file(part)
        path.parent.mkdir(exist_ok=True)
        vocabulary.write(path)
    write_run(plan, spec, logdir)
    write_json(logdir / "environment.json", environment(plan))


def rewrite_run(plan: Plan, logdir: Path) -> None:
    """Let the run file say what the plan does, of a run that goes on; what marks the run as finished goes before.

    Raises OSError.
    """
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read

    path = logdir / "run.yaml"
    spec = str(read(read_source(path, str(path)))["spec"])
    (logdir / "model.keras").unlink(missing_ok=True)
    write_run(plan, spec, logdir)


def write_fitted(plan: Plan, logdir: Path) -> None:
    """Write anew how examples are prepared, once it is fitted to the training data: whatever reads the run directory
    then goes by that, where the data are gone too. Raises OSError."""
    write_run(plan, write_sources(plan, logdir), logdir)


def write_run(plan: Plan, spec: str, logdir: Path) -> None:
    """Write ``run.yaml`` and the files that its transforms read. Raises OSError."""
    write_files(plan.preprocessing, logdir)
    write_text(logdir / "run.yaml", run_text(plan, spec))


def run_text(plan: Plan, spec: str) -> str:
    """The run file that repeats the run."""
    import yaml

    text: str = yaml.safe_dump(plan.document(spec), sort_keys=False, allow_unicode=True, width=120)
    return text


def write_sources(plan: Plan, logdir: Path) -> str:
    """Copy the spec and the files that it uses to ``spec/``; the path of the spec from the run directory."""
    sources = [s for s in plan.graph.sources if s.name != "prelude.yaml"]
    if not sources:
        return f"spec/{plan.graph.name}.yaml"
    first, *others = (Path(os.path.abspath(source.name)) for source in sources)
    shipped = {catalogue_name(catalogue.folder() / file["spec"]) for file in catalogue.files()}
    if sources[0].name in shipped:
        shipped = set()
    own = [
        path
        for path, source in zip(others, sources[1:], strict=True)
        if source.name not in shipped or path.is_relative_to(first.parent)
    ]
    root = Path(os.path.commonpath([first.parent, *(path.parent for path in own)]))
    for path, source in zip((first, *others), sources, strict=True):
        # What goes by its name is found by it again: the copy is for people.
        is_own = path == first or path in own
        below = path.relative_to(root) if is_own else PurePath("used", source.name)
        (logdir / "spec" / below).parent.mkdir(parents=True, exist_ok=True)
        write_text(logdir / "spec" / below, source.text)
    if root != first.parent:
        # The copies are a project of their own, in which files reach each other as they did.
        (logdir / "spec" / PROJECT).mkdir(exist_ok=True)
    return f"spec/{first.relative_to(root).as_posix()}"


def environment(plan: Plan) -> dict[str, Any]:
    """Versions, machine, state of the repository that one stands in, and what tells the network from others."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "run": plan.name,
        "network": fingerprint(plan.graph),
        "seed": plan.spec.train.seed,
        "classes": plan.features.classes,
        "class_names": list(plan.features.class_names),
        "numbers": list(plan.features.numbers),
        "targets": {name: _told(plan.features.telling(name)) for name in plan.features.targets if name != LABEL},
        "objects": _object_names(plan.features.features),
        "columns": {part: list(names) for part, names in plan.features.columns.items()},
        "padded": list(plan.features.padded),
        "vocabularies": list(plan.features.vocabularies),
        "parts": {name: [list(spec.shape), spec.dtype] for name, spec in plan.features.parts.items()},
        "backend": backend(),
        "python": platform.python_version(),
        "packages": versions,
        "machine": {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
        "git": _git(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _object_names(features: Mapping[str, Feature]) -> list[str] | None:
    """Classes of the objects that are marked on images; None where none are."""
    classes = features.get(objects.CLASSES)
    return list(classes.class_names) if objects.BOXES in features and isinstance(classes, Labels) else None


def _told(features: Example) -> dict[str, Any]:
    """What a target is that is not called ``label``."""
    label = features.features[LABEL]
    return {
        "classes": features.classes,
        "class_names": list(features.class_names),
        "numbers": list(features.numbers),
        "padded": label.is_padded,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def _git() -> dict[str, Any] | None:
    """Commit of the repository around the working folder, and whether files differ from it."""

    def ask(*args: str) -> str:
        done = subprocess.run(["git", *args], capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def write_result(result: Mapping[str, Any], logdir: Path) -> None:
    """Write ``result.json``. Raises OSError."""
    write_json(logdir / "result.json", result)


def recorded_name(logdir: Path) -> str:
    """What the run of a directory is called."""
    try:
        return str(json.loads((logdir / "environment.json").read_bytes())["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return logdir.name


def recorded_backend(logdir: Path) -> str | None:
    """What the run of a directory was begun on, if that is known."""
    try:
        return str(json.loads((logdir / "environment.json").read_bytes())["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recorded_features(logdir: Path) -> Example:
    """What an example of the run's data was. Raises OSError, ValueError, DataError."""
    said = json.loads((logdir / "environment.json").read_bytes())
    parts = {name: TensorSpec(tuple(shape), dtype) for name, (shape, dtype) in said["parts"].items()}
    vocabularies = {part: read_vocabulary(logdir / vocabulary_file(part)) for part in said.get("vocabularies", ())}
    targets = {
        name: feature_of(
            LABEL,
            parts[name],
            told["classes"],
            tuple(told["class_names"]),
            tuple(told["numbers"]),
            is_padded=told["padded"],
        )
        for name, told in said.get("targets", {}).items()
    }
    example = from_specs(
        parts,
        classes=said["classes"],
        class_names=tuple(said["class_names"]),
        numbers=tuple(said.get("numbers", ())),
        vocabularies=vocabularies,
        padded=tuple(said.get("padded", ())),
        columns=said.get("columns", {}),
    )
    names = said.get("objects")
    marked = {} if names is None else objects.features(tuple(names), parts[objects.BOXES].shape[0] or 0)
    if objects.MASKS in parts and marked:
        marked |= _recorded_masks(parts)
    return example.with_features(**targets, **marked)


def _recorded_masks(parts: Mapping[str, TensorSpec]) -> dict[str, Feature]:
    """The kinds of masks of objects, of which parts have the shapes."""
    height, width, channels = parts[objects.MASKS].shape
    most = parts[objects.PLACES].shape[0] or 0
    return {
        objects.MASKS: ObjectMasks((height, width), channels or 0),
        objects.PLACES: MaskPlaces(most, 8 * (channels or 0)),
    }


def with_recorded_columns(source: DataSource, logdir: Path) -> DataSource:
    """Data whose vectors are of the columns that the run's were of, in their order, wherever they stand now."""
    try:
        columns = json.loads((logdir / "environment.json").read_bytes()).get("columns", {})
    except (OSError, ValueError):
        return source
    return source.with_columns(columns)


def with_recorded_vocabularies(source: DataSource, logdir: Path) -> DataSource:
    """Other data in the numbers of the run's vocabularies, and of its columns. Raises OSError, ValueError."""
    source = with_recorded_columns(source, logdir)
    said = json.loads((logdir / "environment.json").read_bytes())
    return source.with_vocabularies({part: logdir / vocabulary_file(part) for part in said.get("vocabularies", ())})
