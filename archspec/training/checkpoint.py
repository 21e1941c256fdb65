"""Checkpoints: all that a run needs to go on as if nothing had happened, in generations that a crash cannot spoil.

A generation is a folder ``checkpoints/<step>`` with two files::

    state.npz       every array: weights, states of random generators, the optimiser's, and those of running means
    manifest.json   the step, what was logged so far, what the run is (identity.py), each array's name, shape and dtype;
                    the checksums of both files

A generation is written beside the others, brought to the disk, renamed, read back and compared; only then are older
ones deleted, of which the last and the best stay. Reading takes nothing but arrays of the names, shapes and types that
the network, built anew from its spec, has; a generation that is damaged is passed over for the one before it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import is_of_generator
from archspec.storage.atomic import sync
from archspec.storage.fingerprint import content_fingerprint
from archspec.training.batch_norm import BEGUN, counts
from archspec.training.errors import CheckpointError

if TYPE_CHECKING:
    import keras
    import numpy as np

    from archspec.training.identity import RunIdentity

FORMAT = 1
UPDATES = "updates/"
"""Before the name of a layer: how many updates its batch normalisation has seen."""
KEPT = 2
"""Generations that stay, besides the best."""


class Damaged(CheckpointError):
    """A generation is not whole, so that the one before it counts."""


@dataclass(slots=True)
class Position:
    """Where a run is: ``step`` steps were done, and ``history`` holds what each finished epoch gave."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] | None = None
    """``step`` and ``value`` of the best generation."""
    unjudged: dict[str, float] | None = None
    """What the training of the last epoch gave, where its evaluation is still to be done."""
    means: dict[str, float] | None = None
    """``step`` of the last row within an epoch, and the running means of the epoch at it."""

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Position:
        """That of a manifest, which another version may have written: what it does not say is as at the start."""
        return cls(**{f.name: manifest[f.name] for f in fields(cls) if f.name in manifest})


def arrays(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable that a training changes, by a name that is the same in each process."""
    out: dict[str, Any] = {}
    # Metrics come last: they exist only when fit has begun, and count only within an epoch.
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    updates = {id(variable): layer for layer, variable in counts(model).items()}
    seeds = 0
    for variable in model.variables:
        if id(variable) in metrics:
            continue
        if id(variable) in updates:
            out[f"{UPDATES}{updates[id(variable)]}"] = variable
        elif is_of_generator(variable):
            # Keras numbers these within a process.
            out[f"seed/{seeds}"] = variable
            seeds += 1
        else:
            out[f"weight/{variable.path}"] = variable
    for i, variable in enumerate(model.optimizer.variables):
        out[f"optimizer/{i}"] = variable
    for i, metric in enumerate(model.metrics):
        for j, variable in enumerate(metric.variables):
            out[f"metric/{i}/{j}"] = variable
    return out


class Checkpoints:
    """The generations of one run directory."""

    def __init__(self, logdir: Path, identity: RunIdentity, *, is_writer: bool = True):
        self.folder, self.identity, self.is_writer = logdir / "checkpoints", identity, is_writer
        self.passed_over: list[str] = []
        """What was wrong with generations that could not be used."""

    def save(self, model: keras.Model, position: Position) -> bool:
        """Write a generation; False, and nothing changed, where an array is not finite. Raises OSError."""
        values = {name: read(variable) for name, variable in arrays(model).items()}
        if not _is_finite(values):
            return False
        if not self.is_writer:
            return True
        target = self.folder / f"{position.step:09d}"
        beside = self.folder / f".{os.getpid()}-{target.name}"
        try:
            beside.mkdir(parents=True, exist_ok=True)
            digest = _write_arrays(beside / "state.npz", values)
            manifest = {
                "format": FORMAT,
                "network": self.identity.network,
                "settings": self.identity.settings,
                "sha256": digest,
                **asdict(position),
                "arrays": {name: [list(v.shape), str(v.dtype)] for name, v in values.items()},
            }
            _write(beside / "manifest.json", sealed(json.dumps(manifest).encode()))
            sync(beside)
            if target.exists():
                shutil.rmtree(target)
            os.rename(beside, target)
            sync(self.folder)
        except OSError as error:
            raise _told(error, target, sum(value.nbytes for value in values.values())) from None
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        if content_fingerprint(target / "state.npz") != digest:
            raise OSError(f"{target}: what was read back is not what was written")
        self._prune(position)
        return True

    def _prune(self, position: Position) -> None:
        best = position.best["step"] if position.best else None
        steps = self.steps()
        for step in steps[:-KEPT]:
            if step != best:
                shutil.rmtree(self._path(step), ignore_errors=True)
        for left in self.folder.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    def steps(self) -> list[int]:
        """Steps of the generations, in order."""
        if not self.folder.is_dir():
            return []
        return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isascii() and p.name.isdecimal())

    def _path(self, step: int) -> Path:
        return self.folder / f"{step:09d}"

    def position(self) -> Position | None:
        """That of the last generation that is whole; None if there is none. What is not is told in ``passed_over``.

        Raises CheckpointError where the generation is of another run.
        """
        for step in reversed(self.steps()):
            try:
                return Position.of(self._manifest(step))
            except Damaged as error:
                self.passed_over.append(str(error))
        return None

    def restore(self, model: keras.Model, step: int, prefix: str = "") -> None:
        """Put a generation's arrays, or those named ``prefix…``, into the model. Raises CheckpointError."""
        import numpy as np

        def chosen(names: Any) -> dict[str, Any]:
            # The running means of an epoch exist only when the first batch has been seen.
            return {n: v for n, v in names.items() if n.startswith(prefix) and (prefix or not n.startswith("metric/"))}

        listed, wanted = chosen(self._manifest(step)["arrays"]), chosen(arrays(model))
        for name in [n for n in wanted if n.startswith(UPDATES) and n not in listed]:
            # A run of an earlier version goes on as that would have.
            wanted.pop(name).assign(BEGUN)
        if set(listed) != set(wanted):
            other = sorted(set(listed) ^ set(wanted))[0]
            raise CheckpointError(f"{self._path(step)} is of another network: {other} is only in one of the two")
        with np.load(self._path(step) / "state.npz", allow_pickle=False) as file:
            for name, variable in wanted.items():
                shape, dtype = list(variable.shape), str(read(variable).dtype)
                if listed[name] != [shape, dtype]:
                    found = f"{listed[name][1]} {tuple(listed[name][0])}"
                    raise CheckpointError(
                        f"{self._path(step)}: {name} is {found}, the network has {dtype} {tuple(shape)}"
                    )
                _assign(variable, file[name])

    def _manifest(self, step: int) -> dict[str, Any]:
        """The manifest of a whole generation of this run. Raises CheckpointError, Damaged."""
        path = self._path(step)
        try:
            text = (path / "manifest.json").read_bytes()
            manifest = json.loads(text)
            digest = content_fingerprint(path / "state.npz")
        except (OSError, ValueError) as error:
            raise Damaged(f"{path} is damaged: {error}") from None
        if not isinstance(manifest, dict) or manifest.get("sha256") != digest:
            raise Damaged(f"{path} is damaged: its checksum differs")
        if text != sealed(b"{" + text[len(sealed(b"")) :]):
            raise Damaged(f"{path} is damaged: the checksum of its manifest differs")
        if manifest.get("format") != FORMAT or not {"step", "history", "arrays"} <= set(manifest):
            raise CheckpointError(f"{path} is of another version of archspec")
        if not self.identity.has_network(manifest.get("network")):
            raise CheckpointError(f"{path} is of another network: the spec has changed since")
        if "settings" in manifest and (changes := self.identity.changes(manifest["settings"])):
            raise CheckpointError(f"{path} is of another run: {'; '.join(changes)}")
        return manifest


def read(variable: keras.Variable) -> np.ndarray:
    """A variable's value; of one that is divided among processes, which must all ask for it, the whole."""
    import numpy as np

    held = getattr(variable, "value", None)
    if not getattr(held, "is_fully_addressable", True) and not getattr(held, "is_fully_replicated", True):
        from jax.experimental.multihost_utils import process_allgather

        return np.asarray(process_allgather(held, tiled=True))
    value = variable.numpy() if hasattr(variable, "numpy") else variable
    return np.asarray(value)


def _assign(variable: Any, value: np.ndarray) -> None:
    variable.assign(value.reshape(variable.shape))


def is_finite(model: keras.Model) -> bool:
    """Whether every weight and every number of the optimiser is finite. A loss can stay so when weights are not: a
    rectifier takes NaN to 0."""
    return _is_finite({name: read(variable) for name, variable in arrays(model).items()})


def _is_finite(values: Mapping[str, np.ndarray]) -> bool:
    import numpy as np

    counted = (v for name, v in values.items() if not name.startswith("metric/") and v.dtype.kind == "f")
    return all(np.isfinite(value).all() for value in counted)


def _told(error: OSError, target: Path, needed: int) -> OSError:
    """What went wrong in a save; of a full disk, also how much it lacks."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return error
    free = shutil.disk_usage(target.parent).free
    text = f"{error.strerror}: a checkpoint takes {needed:,} bytes, {free:,} are free"
    return OSError(error.errno, text, str(target))


def _write_arrays(path: Path, values: Mapping[str, np.ndarray]) -> str:
    import numpy as np

    with path.open("wb") as file:
        np.savez(file, **values)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    return content_fingerprint(path)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sealed(text: bytes) -> bytes:
    """A JSON map with its own checksum in front."""
    return f'{{"checksum": "{sha256(text).hexdigest()}", '.encode() + text[1:]
