"""What TensorFlow says of an example that it could not read, in words that name the example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.data.source import DataSource

if TYPE_CHECKING:
    import tensorflow as tf


def fault(source: DataSource, split: str) -> str | None:
    """The first example that cannot be read, by its name, and why. Reads all before it, one by one."""
    import tensorflow as tf

    for position in range(source.features().splits[split]):
        order = tf.data.Dataset.from_tensors({"index": tf.constant(position, tf.int64)})
        try:
            next(iter(source.open(split, order)))
        except tf.errors.OpError as error:
            return f"{source.describe(split, position)}: {plainly(error)}"
    return None


def reading(error: tf.errors.OpError) -> str | None:
    """What went wrong where an example was read, as TensorFlow says it; None where something else did."""
    import re

    found = re.search(r"Iterator::\S+: (.*)", error.message)
    return re.sub(r"\s*\[\[.*", "", found[1]).strip() if found else None


def plainly(error: tf.errors.OpError) -> str:
    """What TensorFlow says is wrong, without the names of its nodes."""
    import re

    text = re.sub(r"\{\{.*?\}\}", "", error.message.splitlines()[0])
    return re.sub(r"\[Op:.*", "", text).strip(" .")
