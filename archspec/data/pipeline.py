"""Source and transforms → batches.

The order of a training is arithmetic: step s of epoch e takes the examples at positions s·batch … (s + 1)·batch - 1
of a permutation that (seed, e) determines, without a table (tf.random.experimental.index_shuffle). Any step can
therefore be the first, and a restart reads what the uninterrupted run would have read. What is left of an epoch after its
last full batch is not used in that epoch; the permutation of the next leaves out others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.source import TRAIN, DataSource, FeatureSpec
from archspec.data.transform import Transform, infer

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.transform import Batch

Pairs = Callable[[Any], tuple[Any, Any]]
"""Inputs and targets of a model out of a batch, by name."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Batches of one source. ``raw`` is its features; ``augment`` is for training, ``steady`` for evaluation."""

    source: DataSource
    raw: FeatureSpec
    augment: tuple[Transform, ...]
    steady: tuple[Transform, ...]
    batch: int
    seed: int

    def features(self) -> tuple[FeatureSpec, FeatureSpec]:
        """What an example is when it reaches the model, in training and in evaluation. Raises DataError."""
        return infer(self.raw, self.augment)[-1], infer(self.raw, self.steady)[-1]

    def batch_size(self) -> int:
        """Examples of one step: never more than there are."""
        return min(self.batch, self.raw.splits[TRAIN])

    def steps_per_epoch(self) -> int:
        """Full batches in the training split."""
        return self.raw.splits[TRAIN] // self.batch_size()

    def training(self, pairs: Pairs, *, first_step: int = 0) -> tf.data.Dataset:
        """Batches from a step on, without end."""
        import tensorflow as tf

        size, count = self.batch_size(), self.raw.splits[TRAIN]
        per_epoch = self.steps_per_epoch() * size

        def at(position: tf.Tensor) -> Batch:
            epoch = position // per_epoch
            seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
            index = tf.random.experimental.index_shuffle(position % per_epoch, seed, tf.constant(count - 1, tf.int64))
            return {"epoch": epoch, "index": index}

        order = tf.data.Dataset.range(first_step * size, 2**62).map(at)
        return self._batches(TRAIN, order, self.augment, size, pairs, drop_remainder=True)

    def evaluation(self, split: str, pairs: Pairs) -> tf.data.Dataset:
        """Every example of a split once, in order; the last batch may be smaller."""
        import tensorflow as tf

        order = tf.data.Dataset.range(self.raw.splits[split])
        order = order.map(lambda i: {"epoch": tf.constant(0, tf.int64), "index": i})
        return self._batches(split, order, self.steady, self.batch, pairs, drop_remainder=False)

    def _batches(
        self,
        split: str,
        order: tf.data.Dataset,
        transforms: Sequence[Transform],
        size: int,
        pairs: Pairs,
        *,
        drop_remainder: bool,
    ) -> tf.data.Dataset:
        import tensorflow as tf

        specs = infer(self.raw, transforms)
        # Examples stand in one batch from the moment that they have one size; until then a batch is one of them.
        closed = next(i for i, spec in enumerate(specs) if not any(s.has_open_sizes for s in specs[i:]))
        single, batched = (_steps(transforms, part, self.seed) for part in (slice(closed), slice(closed, None)))
        parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
        examples = self.source.open(split, order)
        if closed:
            examples = examples.map(
                lambda one: {k: v[0] for k, v in single({k: v[None] for k, v in one.items()}).items()}, **parallel
            )
        batches = examples.batch(size, drop_remainder=drop_remainder)
        batches = batches.map(lambda batch: pairs(batched(batch)), **parallel)
        return batches.prefetch(tf.data.AUTOTUNE)


def fault(source: DataSource, split: str) -> str | None:
    """The first example that cannot be read, by its name, and why. Reads all before it, one by one."""
    import tensorflow as tf

    for position in range(source.features().splits[split]):
        order = tf.data.Dataset.from_tensors({"index": tf.constant(position, tf.int64)})
        try:
            next(iter(source.open(split, order)))
        except tf.errors.OpError as error:
            return f"{source.describe(split, position)}: {error.message.splitlines()[0].split('{{')[0].strip()}"
    return None


def _steps(transforms: Sequence[Transform], part: slice, seed: int) -> Callable[[Batch], Batch]:
    """Some of the transforms as one function on batches.

    A transform draws from a stream of its own, named after it and its place among those of its name: putting another
    kind beside it changes nothing of what it draws.
    """
    streams = [f"{t.name}/{sum(o.name == t.name for o in transforms[:i])}" for i, t in enumerate(transforms)]

    def apply(batch: Batch) -> Batch:
        from archspec.data.draw import Draw

        for transform, stream in list(zip(transforms, streams, strict=True))[part]:
            batch = transform.apply(batch, Draw(seed, stream, batch["epoch"], batch["index"]))
        return batch

    return apply
