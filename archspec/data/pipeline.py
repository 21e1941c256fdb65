"""Source and transforms → batches.

The order of a training is arithmetic: step s takes the examples at positions that a sampler (archspec/data/sampler.py)
derives from the seed and s alone; with ``uniform``, of a permutation that (seed, epoch) determines, without a table
(tf.random.experimental.index_shuffle). Any step can therefore be the first, and a restart reads what the uninterrupted
run would have read. A shard is an equal slice of every batch.

Where TensorFlow cannot be imported, batches come from NumPy in the same order (archspec/data/numpy_pipeline.py), as
keras.utils.PyDataset in place of tf.data.Dataset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from archspec.backend.installation import has_tensorflow
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.feature import Feature
from archspec.data.features.image import Image
from archspec.data.sampler import Keys, Sampler
from archspec.data.samplers.buckets import Buckets
from archspec.data.samplers.uniform import Uniform
from archspec.data.source import ENCODED, TRAIN, DataSource, Pairs
from archspec.data.transform import Transform, infer
from archspec.data.transforms.caching import Cache
from archspec.data.transforms.geometric import Window, Windowed, moved
from archspec.ir.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transform import Batch


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Batches of one source. ``raw`` is its features; ``augment`` is for training, ``eval_transforms`` for the rest."""

    source: DataSource
    raw: Example
    augment: tuple[Transform, ...]
    eval_transforms: tuple[Transform, ...]
    batch: int
    seed: int
    sampler: Sampler | None = None

    def features(self) -> tuple[Example, Example]:
        """What an example is when it reaches the model, in training and in evaluation. Raises DataError."""
        return infer(self.raw, self.augment)[-1], infer(self.raw, self.eval_transforms)[-1]

    def batch_size(self) -> int:
        """Examples of one step: never more than there are."""
        return min(self.batch, self.raw.splits[TRAIN])

    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return self.order().steps(self.keys(), self.batch_size())

    def order(self) -> Sampler:
        """Which training examples stand together: as the run says, or else those that are as long as each other, where
        lengths differ. Raises DataError."""
        if self.sampler is not None:
            return self.sampler
        lengths = self.source.lengths(TRAIN)
        return Uniform() if lengths is None else Buckets(batches=lengths.batches)

    def keys(self) -> Keys:
        """What samplers know of the training examples."""
        return Keys(self.source, self.raw)

    def fitted(self) -> Pipeline:
        """The same, its transforms told what they need to know of the training examples (mean, principal axes)."""
        return replace(self, augment=self._fitted(self.augment), eval_transforms=self._fitted(self.eval_transforms))

    def _fitted(self, transforms: Sequence[Transform]) -> tuple[Transform, ...]:
        from archspec.data.fitting import fitted

        def values(before: Sequence[Transform], part: str) -> Iterator[Any]:
            is_open = infer(self.raw, before)[-1].has_open_sizes
            pipeline = Pipeline(self.source, self.raw, (), tuple(before), 1 if is_open else 64, 0)
            for batch, _ in pipeline.evaluation(TRAIN, lambda b: (b[part], ())):
                yield batch

        return fitted(self.source, self.raw, tuple(transforms), values)

    def check_without_tensorflow(self) -> None:
        """Refuse what only TensorFlow can do. Raises TransformError, DataError."""
        from archspec.data import numpy_pipeline

        numpy_pipeline.check(self.source, self.raw, self.augment, self.eval_transforms)
        if self.sampler is not None and not isinstance(self.sampler, Uniform):
            raise DataError(f"{self.sampler.name}: without TensorFlow, examples come in uniform order only")

    def training(self, pairs: Pairs, *, first_step: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Batches from a step on, without end; of each, part ``shard[0]`` of ``shard[1]``. Raises DataError."""
        size, count = self.batch_size(), self.raw.splits[TRAIN]
        per_epoch = self.steps_per_epoch()
        part, parts = shard
        if size % parts:
            raise DataError(
                f"a batch of {size} cannot be divided among {parts}", help=f"batch: {size // parts * parts}"
            )
        if not has_tensorflow():
            from archspec.data import numpy_pipeline

            self.check_without_tensorflow()
            return numpy_pipeline.training(
                self.source,
                self._fitted(self.augment),
                pairs,
                size=size,
                count=count,
                seed=self.seed,
                first_step=first_step,
                shard=shard,
            )
        import tensorflow as tf

        positions = self.order().order(self.keys(), size, self.seed)

        def at(step: tf.Tensor) -> Batch:
            index = tf.ensure_shape(positions(step), (size,))[size // parts * part : size // parts * (part + 1)]
            return {"epoch": tf.fill((size // parts,), step // per_epoch), "index": index}

        order = tf.data.Dataset.range(first_step, 2**62).map(at)
        return self.ordered(TRAIN, order, self.augment, size // parts, pairs)

    def _examples(self, split: str, before: Sequence[Transform]) -> Iterator[Batch]:
        """All examples of a split in order, whether they can be read or not, after some transforms."""
        import tensorflow as tf

        pipeline = Pipeline(self.source, self.raw, (), tuple(before), 64, 0)
        order = tf.data.Dataset.range(self.raw.splits[split]).batch(pipeline.batch)
        order = order.map(lambda i: {"epoch": tf.zeros_like(i), "index": i})
        for batch, _ in pipeline.ordered(split, order, before, pipeline.batch, lambda b: (b, ())):
            yield batch

    def count(self, split: str) -> int:
        """Examples of a split that can be read."""
        positions = self.source.usable(split)
        return self.raw.splits[split] if positions is None else len(positions)

    def evaluation(
        self, split: str, pairs: Pairs, *, batch: int | None = None, shard: tuple[int, int] = (0, 1)
    ) -> tf.data.Dataset:
        """Every example of a split that can be read once, in order; the last batch may be smaller. Of each batch, part
        ``shard[0]`` of ``shard[1]``, which must divide them all."""
        size = self.batch if batch is None else batch
        part, parts = shard
        if not has_tensorflow():
            from archspec.data import numpy_pipeline

            self.check_without_tensorflow()
            steps, count = self._fitted(self.eval_transforms), self.raw.splits[split]
            return numpy_pipeline.evaluation(self.source, split, steps, pairs, size=size, count=count, shard=shard)
        import tensorflow as tf

        positions = self.source.usable(split)
        if positions is None:
            order = tf.data.Dataset.range(self.raw.splits[split])
        else:
            order = tf.data.Dataset.from_tensor_slices(positions)
        order = order.batch(size)
        if parts > 1:
            order = order.map(lambda i: tf.split(i, parts)[part])
        order = order.map(lambda i: {"epoch": tf.zeros_like(i), "index": i})
        return self.ordered(split, order, self.eval_transforms, size // parts, pairs)

    def examples_at(
        self, index: Sequence[int], epoch: int, transforms: Sequence[Transform], split: str = TRAIN
    ) -> dict[str, Any]:
        """Given examples, in one batch, as an epoch sees them: NumPy arrays by name. Raises DataError."""
        return next(self.examples_in(index, [epoch], transforms, split))

    def examples_in(
        self, index: Sequence[int], epochs: Sequence[int], transforms: Sequence[Transform], split: str = TRAIN
    ) -> Iterator[dict[str, Any]]:
        """``examples_at`` for one epoch after another, of transforms that are traced once. Raises DataError."""
        import numpy as np
        import tensorflow as tf

        at = np.tile(np.asarray(index, np.int64), (len(epochs), 1))
        epoch = np.broadcast_to(np.asarray(epochs, np.int64)[:, None], at.shape)
        order = tf.data.Dataset.from_tensor_slices({"epoch": epoch, "index": at})
        batches = self.ordered(split, order, transforms, at.shape[1], lambda batch: (batch, ()))
        for batch, _ in batches:
            yield {name: value.numpy() for name, value in batch.items()}

    def ordered(
        self, split: str, order: tf.data.Dataset, transforms: Sequence[Transform], size: int, pairs: Pairs
    ) -> tf.data.Dataset:
        """Batches after some transforms, in an order: batches of ``epoch`` and ``index``. Raises DataError."""
        import tensorflow as tf

        transforms = self._fitted(transforms)
        specs = infer(self.raw, transforms)
        # Examples stand in one batch from the moment that they have one size; until then a batch is one of them.
        # Where that is never, every batch is one example.
        closed = next(
            (i for i in range(len(specs)) if not any(spec.has_open_sizes for spec in specs[i:])), len(transforms)
        )
        steps = _streams(transforms, specs, self.seed)
        parallel = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
        spread = LABEL in self.raw.parts and specs[-1].parts[LABEL].rank > self.raw.parts[LABEL].rank

        def finished(steps: Sequence[PipelineStep], batch: Batch) -> Any:
            if spread:
                batch = {**batch, LABEL: tf.one_hot(batch[LABEL], self.raw.classes)}
            return pairs(_applied(steps, batch))

        kept = max((i for i, t in enumerate(transforms) if isinstance(t, Cache)), default=0)
        if kept:
            from archspec.data.memory import materialized

            before, where = transforms[:kept], cast(Cache, transforms[kept]).where
            batches = materialized(self.source, self.raw, split, before, where, order, self._examples)
            batches = batches.map(lambda batch: finished(steps[kept:], batch), **parallel)
            return batches.prefetch(tf.data.AUTOTUNE)
        if self.source.in_memory and not closed:
            batches = self.source.open(split, order)
            return batches.map(lambda batch: finished(steps, batch), **parallel).prefetch(tf.data.AUTOTUNE)
        whole = order.element_spec["index"].shape[0]
        single, batched = steps[:closed], steps[closed:]
        if self.source.is_encoded and single and isinstance(single[0].transform, Windowed):
            order = order.map(partial(_with_draws, single[0]))
        count = order.cardinality()
        order = order.unbatch()
        if self.source.is_encoded:
            examples = self.source.encoded(split, order)
            channels = self.raw.image.channels
            examples = examples.map(lambda one: _alone(single, one, channels), **parallel)
        else:
            examples = self.source.open(split, order)
            if single:
                examples = examples.map(lambda one: _alone(single, one, None), **parallel)
        batches = _batched(examples, size, specs[closed].features, is_whole=whole is not None)
        if count >= 0:
            # Taken apart and batched anew, they are uncounted, and Keras would warn at the end that data ran out.
            batches = batches.apply(tf.data.experimental.assert_cardinality(count))
        return batches.map(lambda batch: finished(batched, batch), **parallel).prefetch(tf.data.AUTOTUNE)


def _batched(
    examples: tf.data.Dataset, size: int, features: Mapping[str, Feature], *, is_whole: bool
) -> tf.data.Dataset:
    """Batches of examples; where these differ in length, each is filled up to the longest with what its kind says."""
    import tensorflow as tf

    spec = examples.element_spec
    fills = {name: features[name].fill for name in spec if name in features and features[name].is_padded}
    if not fills:
        return examples.batch(size, drop_remainder=is_whole)
    return examples.padded_batch(
        size,
        {name: tensor.shape for name, tensor in spec.items()},
        {name: tf.constant(fills.get(name, 0), tensor.dtype) for name, tensor in spec.items()},
        drop_remainder=is_whole,
    )


def one_hot(label: object, classes: int | None) -> Any:
    """Classes as shares, (batch, classes) float32, of a tensor or of an array."""
    import numpy as np

    if isinstance(label, np.ndarray):
        return (label[..., None] == np.arange(classes or 0)).astype(np.float32)
    import tensorflow as tf

    return tf.one_hot(label, classes)


class PipelineStep(NamedTuple):
    """A transform, what makes its draws for the examples of a batch, and what these are before it."""

    transform: Transform
    draws: Callable[..., Draw]
    features: Mapping[str, Feature]


def transformed(transforms: Sequence[Transform], seed: int, stream: str, batch: Batch) -> tf.Tensor:
    """The images of a batch with ``epoch`` and ``index`` after some transforms, whose draws are those of a stream of
    this name, apart from all others of the seed."""
    import tensorflow as tf

    image = tf.convert_to_tensor(batch[IMAGE])
    before = Example({IMAGE: Image(TensorSpec(tuple(image.shape[1:]), image.dtype.name))})
    steps = _streams(transforms, infer(before, transforms), seed, f"{stream}/")
    return _applied(steps, {IMAGE: image, "epoch": batch["epoch"], "index": batch["index"]})[IMAGE]


def steady(transforms: Sequence[Transform], before: Example) -> Callable[[Batch], Batch]:
    """What transforms that draw nothing make of a batch, as a function that is compiled once for each size of images.
    Raises TransformError."""
    import tensorflow as tf

    steps = _streams(transforms, infer(before, transforms), 0)

    def done(batch: Batch) -> Batch:
        index = tf.zeros(tf.shape(next(iter(batch.values())))[:1], tf.int64)
        out = _applied(steps, {**batch, "epoch": index, "index": index})
        return {name: value for name, value in out.items() if name in batch}

    return tf.function(done)  # type: ignore[no-any-return]


def _streams(
    transforms: Sequence[Transform], examples: Sequence[Example], seed: int, prefix: str = ""
) -> list[PipelineStep]:
    """Each transform with its draws: from a stream of its own, named after it and its place among those of its name, so
    that putting another kind beside it changes nothing of what it draws."""
    from archspec.data.draw import Draw

    names = [f"{prefix}{t.name}/{sum(o.name == t.name for o in transforms[:i])}" for i, t in enumerate(transforms)]
    return [
        PipelineStep(transform, partial(Draw, seed, name), example.features)
        for transform, name, example in zip(transforms, names, examples, strict=False)
    ]


def _applied(steps: Sequence[PipelineStep], batch: Batch) -> Batch:
    """The batch after the steps; neighbours that only map colours are one map."""
    from archspec.data.transforms.color import mapped

    at = 0
    while at < len(steps):
        end = at
        while end < len(steps) and steps[end].transform.is_color:
            end += 1
        if end > at:
            run = [(step.transform, step.draws(batch["epoch"], batch["index"])) for step in steps[at:end]]
            batch, at = {**batch, IMAGE: mapped(batch[IMAGE], run)}, end
        else:
            transform, draws, features = steps[at]
            batch, at = transform.transform(batch, draws(batch["epoch"], batch["index"]), features), at + 1
    return batch


DRAWN = "drawn"
"""What is drawn for the part of an image that is to be decoded, on its way to where the image's size is known."""


def _with_draws(step: PipelineStep, order: Batch) -> Batch:
    assert isinstance(step.transform, Windowed)
    return {**order, DRAWN: step.transform.window_draws(step.draws(order["epoch"], order["index"]))}


def _alone(steps: Sequence[PipelineStep], one: Batch, channels: int | None) -> Batch:
    """One example after the steps; ``channels`` are those to decode, None where it is an image already.

    Where the first step keeps only a part of the image, only that part of a JPEG file is decoded.
    """
    import tensorflow as tf

    from archspec.data.images import decode, decode_window

    if channels is not None:
        data = one.pop(ENCODED)
        transform = steps[0].transform if steps else None
        if isinstance(transform, Windowed):
            features, steps = steps[0].features, steps[1:]
            drawn = one.pop(DRAWN)[None]

            def part(shape: tf.Tensor) -> tf.Tensor:
                return tf.stack([n[0] for n in transform.window((shape[:1], shape[1:2]), drawn)])

            def from_jpeg() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                shape = tf.image.extract_jpeg_shape(data)
                window = part(shape)
                return decode_window(data, channels, window), window, shape

            def from_other() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                image = decode(data, channels)
                window = part(tf.shape(image))
                top, left, height, width = tf.unstack(window)
                return image[top : top + height, left : left + width], window, tf.shape(image)

            image, window, shape = tf.cond(tf.io.is_jpeg(data), from_jpeg, from_other)
            image = tf.ensure_shape(image, (None, None, channels))
            # Resizing is a third faster on floats. Between values of 8 bits bilinear ones need no cutting off: adding
            # a half rounds them.
            image = tf.cast(tf.image.resize(tf.cast(image, tf.float32), transform.size) + 0.5, tf.uint8)
            # What lies in the image follows the window that was decoded.
            others = {name: feature for name, feature in features.items() if name in one}
            if any(feature.is_placed for feature in others.values()):
                of = Window(*tf.unstack(tf.reshape(window, (4, 1))))
                motion = transform.window_motion(of, (shape[0], shape[1]))
                inside = moved({name: one[name][None] for name in others}, others, motion)
                one = {**one, **{name: value[0] for name, value in inside.items()}}
        else:
            image = decode(data, channels)
        one = {**one, IMAGE: image}
    if not steps:
        return one
    return {k: v[0] for k, v in _applied(steps, {k: v[None] for k, v in one.items()}).items()}
