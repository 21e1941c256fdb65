"""Examples kept as arrays after the steps that are the same each time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.data.arguments import written
from archspec.data.example import Example
from archspec.data.source import DataSource, from_arrays
from archspec.data.transform import Transform, infer
from archspec.ir.tensors import TensorSpec
from archspec.storage.atomic import reserve, write_atomically
from archspec.storage.cache import cache_path

if TYPE_CHECKING:
    import tensorflow as tf

Examples = Callable[[str, Sequence[Transform]], Iterable[Mapping[str, Any]]]
"""Batches of all examples of a split, in order, after some transforms: tensors by part."""


def materialized(
    source: DataSource,
    raw: Example,
    split: str,
    before: Sequence[Transform],
    where: Literal["memory", "disk"],
    order: tf.data.Dataset,
    examples: Examples,
) -> tf.data.Dataset:
    """Batches in ``order`` (of batches of positions), as some transforms left them. What cannot be kept on disk is kept
    in memory. Raises DataError, OSError."""
    if where == "disk":
        try:
            return _on_disk(source, raw, split, before, order, examples)
        except OSError:
            pass  # One of reading the examples comes once more.
    return from_arrays(_computed(raw, split, before, examples), order)


def _on_disk(
    source: DataSource,
    raw: Example,
    split: str,
    before: Sequence[Transform],
    order: tf.data.Dataset,
    examples: Examples,
) -> tf.data.Dataset:
    """Raises DataError, OSError."""
    parts = infer(raw, before)[-1].parts
    of = (source.fingerprint(), split, repr([written(t) for t in before]))
    paths = {name: cache_path("examples", f"-{name}.npy", *of) for name in parts}
    if not all(path.is_file() for path in paths.values()):
        large = {name: path for name, path in paths.items() if parts[name].rank}
        for name, array in _computed(raw, split, before, examples, large).items():
            if name not in large:
                _save(paths[name], array)
    return _from_files(paths, parts, order)


def _computed(
    raw: Example, split: str, before: Sequence[Transform], examples: Examples, files: Mapping[str, Path] = {}
) -> dict[str, Any]:
    """All examples of a split, by part; those that have a file are written to it as they come."""
    import numpy as np

    parts, count = infer(raw, before)[-1].parts, raw.splits[split]
    beside = {name: path.parent / f".{os.getpid()}-{path.name}" for name, path in files.items()}
    out: dict[str, Any] = {}
    try:
        for name, spec in parts.items():
            if name in files:
                files[name].parent.mkdir(parents=True, exist_ok=True)
                shape = (count, *spec.shape)
                out[name] = np.lib.format.open_memmap(beside[name], "w+", spec.dtype, shape)  # type: ignore[arg-type]
                reserve(beside[name])
            else:
                out[name] = np.empty((count, *spec.shape), spec.dtype)
        at = 0
        for batch in examples(split, before):
            for name in parts:
                values = batch[name]
                out[name][at : at + len(values)] = values.numpy()
            at += len(values)
        for name, path in files.items():
            out[name].flush()
            os.replace(beside[name], path)
    finally:
        for path in beside.values():
            path.unlink(missing_ok=True)
    return out


def _save(path: Path, array: Any) -> None:
    import numpy as np

    write_atomically(path, lambda beside: np.save(beside, array, allow_pickle=False))


def _from_files(paths: Mapping[str, Path], parts: Mapping[str, TensorSpec], order: tf.data.Dataset) -> tf.data.Dataset:
    """As ``from_arrays``, of files that are mapped and not read whole."""
    import numpy as np
    import tensorflow as tf

    large = {n: np.load(path, mmap_mode="r", allow_pickle=False) for n, path in paths.items() if parts[n].rank}
    small = {n: tf.constant(np.load(path, allow_pickle=False)) for n, path in paths.items() if not parts[n].rank}

    def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        found = {name: tf.gather(array, at["index"]) for name, array in small.items()}
        for name, array in large.items():
            rows = tf.numpy_function(lambda index, a=array: a[index], [at["index"]], array.dtype, stateful=False)
            found[name] = tf.ensure_shape(rows, (at["index"].shape[0], *parts[name].shape))
        return {**at, **found}

    return order.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
