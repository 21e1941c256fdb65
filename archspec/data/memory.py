"""Examples kept as arrays after the steps that are the same each time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.data import cache
from archspec.data.arguments import written
from archspec.data.source import IMAGE, LABEL, DataSource, FeatureSpec, from_arrays
from archspec.data.transform import Transform, infer

if TYPE_CHECKING:
    import tensorflow as tf


def remembered(
    source: DataSource,
    raw: FeatureSpec,
    split: str,
    before: Sequence[Transform],
    where: Literal["memory", "disk"],
    order: tf.data.Dataset,
) -> tf.data.Dataset:
    """Batches in ``order`` (of batches of positions), as some transforms left them. Raises DataError, OSError."""
    if where == "memory":
        return from_arrays(_computed(source, raw, split, before), order)
    of = (source.fingerprint(), split, repr([written(t) for t in before]))
    paths = {name: cache.place("examples", f"-{name}.npy", *of) for name in (IMAGE, LABEL)}
    if not all(path.is_file() for path in paths.values()):
        for name, array in _computed(source, raw, split, before, paths[IMAGE]).items():
            if name != IMAGE:
                _save(paths[name], array)
    return _from_files(paths, infer(raw, before)[-1], order)


def _computed(
    source: DataSource, raw: FeatureSpec, split: str, before: Sequence[Transform], image: Path | None = None
) -> dict[str, Any]:
    """All examples of a split; the images written to a file as they come, where one is named."""
    import numpy as np
    import tensorflow as tf

    from archspec.data.pipeline import Pipeline

    spec, count, size = infer(raw, before)[-1].image, raw.splits[split], 64
    pipeline = Pipeline(source, raw, tuple(before), tuple(before), size, 0)
    shape = (count, *spec.shape)
    beside = None
    if image is None:
        images: Any = np.empty(shape, spec.dtype)
    else:
        image.parent.mkdir(parents=True, exist_ok=True)
        beside = image.parent / f".{os.getpid()}-{image.name}"
        images = np.lib.format.open_memmap(beside, "w+", spec.dtype, shape)  # type: ignore[arg-type]
    try:
        labels = np.empty(count, np.int32)
        order = tf.data.Dataset.range(count).batch(size)
        order = order.map(lambda i: {"epoch": tf.zeros_like(i), "index": i})
        at = 0
        for x, y in pipeline.ordered(split, order, before, size, lambda batch: (batch[IMAGE], batch[LABEL])):
            images[at : at + len(y)], labels[at : at + len(y)] = x.numpy(), y.numpy()
            at += len(y)
        if image is not None and beside is not None:
            images.flush()
            os.replace(beside, image)
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
    return {IMAGE: images, LABEL: labels}


def _save(path: Path, array: Any) -> None:
    import numpy as np

    from archspec.backend.export import write_atomically

    def write(beside: Path) -> None:
        with beside.open("wb") as file:
            np.save(file, array, allow_pickle=False)

    write_atomically(path, write)


def _from_files(paths: dict[str, Path], spec: FeatureSpec, order: tf.data.Dataset) -> tf.data.Dataset:
    """As ``from_arrays``, of files that are mapped and not read whole."""
    import numpy as np
    import tensorflow as tf

    images = np.load(paths[IMAGE], mmap_mode="r", allow_pickle=False)
    labels = tf.constant(np.load(paths[LABEL], allow_pickle=False))

    def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        image = tf.numpy_function(lambda index: images[index], [at["index"]], images.dtype, stateful=False)
        image = tf.ensure_shape(image, (at["index"].shape[0], *spec.image.shape))
        return {**at, IMAGE: image, LABEL: tf.gather(labels, at["index"])}

    return order.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
