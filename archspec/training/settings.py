"""Sections of a run file: how to train, what to evaluate on, what to log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from archspec.data.arguments import Items
from archspec.data.class_weights import ClassWeight
from archspec.data.sampler import Sampler
from archspec.data.source import DataPath
from archspec.data.transform import Transform
from archspec.ir.reading import declared
from archspec.ops.arguments import PositiveInt
from archspec.ops.loss import Loss
from archspec.training.fields import (
    STRICT,
    Clip,
    Draws,
    Factor,
    Freeze,
    Momentum,
    Sharding,
    Weights,
    named_values,
)
from archspec.training.fits import Fit
from archspec.training.optimizers import Adam, Optimizer
from archspec.training.schedules import Cosine, Epochs, Schedule

MAX_SEED = 2**31 - 1


class TrainSettings(BaseModel):
    """How to train, whatever the task."""

    model_config = STRICT

    optimizer: declared(Optimizer, "an optimizer") = Adam()  # type: ignore[valid-type]
    """How weights change by gradients."""
    schedule: declared(Schedule, "a schedule") = Cosine()  # type: ignore[valid-type]
    """How the learning rate changes with time."""
    warmup: Epochs = 0.0
    """Epochs in which the learning rate rises to its value, before the schedule."""
    epochs: Annotated[int, Field(ge=0)] = 20
    """Passes over the training split; 0 keeps ``weights`` as they are, so that a network that others trained can be
    evaluated and asked."""
    batch: PositiveInt = 32
    """Examples of one step."""
    sampler: declared(Sampler, "a sampler") | None = None  # type: ignore[valid-type]
    """Which examples stand together in a batch. Where nothing is said, each comes once in an epoch, in random order
    (``uniform``); those of text that differ in length beside others as long (``buckets``)."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    """Of the weights at the start, the order of the data, augmentation and dropout."""
    loss: declared(Loss, "a loss") | None = None  # type: ignore[valid-type]
    """In place of the loss of the spec's first head."""
    deterministic: bool | None = None
    """Use only operations that give the same result each time; where nothing is said, on CPUs."""
    clip: Clip | None = None
    """Limits of gradients."""
    accumulate: PositiveInt = 1
    """Steps whose gradients are averaged before the weights change."""
    ema: Momentum | None = None
    """Evaluate and save running averages of the weights, that keep this share of their value in each step."""
    average_last: PositiveInt | None = None
    """Evaluate and save the mean of the weights after each step of so many last epochs (Polyak averaging), with
    statistics of batch normalisation estimated anew."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """What layers compute in; weights stay float32. With ``mixed_float16`` the loss is scaled."""
    jit_compile: bool = False
    """Compile a step of TensorFlow with XLA: for GPUs; on CPUs it is 1.6 to 2 times slower. JAX always does."""
    steps_per_execution: PositiveInt | None = None
    """Steps between two looks of Python at the run; where nothing is said, more where a step is short."""
    class_weight: ClassWeight = ()
    """Weight of each class's examples in the loss: a list, a map by names of classes (others weigh 1), or ``balanced``,
    which makes all classes weigh the same: n / (classes · n of the class)."""
    weights: Weights = None
    """A file of weights to start from (``weights.npz`` of another run, or what ``archspec weights`` wrote). Layers of
    equal name and shape take theirs; a head for other classes starts anew. Or several files, each for the layers below
    a name, which the file's own names may leave out: ``{G: runs/srresnet/1/weights.npz, V.features: squeezenet.npz}``.
    """
    vectors: DataPath | None = None
    """A file of word vectors to start embeddings from, a word and its numbers a line (GloVe's and word2vec's text).
    Words that it does not have start as they would without it."""
    freeze: Freeze = ()
    """Layers that stay as they are, statistics of normalisation included: names, parts of a path, or ``*`` patterns; or
    ``{layers: …, until: 3}`` for those that are trained after so many epochs. One or a list."""
    fit: Annotated[dict[str, declared(Fit, "a fit")], BeforeValidator(named_values)] = {}  # type: ignore[valid-type]
    """Layers that are solved for when all epochs are over, by the names of ``freeze``: ``{svm: svm, shift: {ridge:
    100}}``. Each is a dense layer without activation whose result a term of the spec compares with targets; what comes
    into it is computed of the training examples."""
    cache_features: Draws = False
    """Run the layers that are frozen for good once for each example, keep on disk what they give, and train the rest on
    that. Where augmentation is random, a number: so many draws of every example are kept, and taken in turn."""
    rates: Annotated[dict[str, Factor], BeforeValidator(named_values)] = {}
    """Factors of the learning rate by layer, named as in ``freeze``; of several that match, the last counts."""
    devices: PositiveInt = 1
    """Devices of each process among which every batch is divided; where there are no others, parts of the CPU."""
    sharding: Sharding | None = None
    """Weights that are divided among devices, in place of each device having all; on JAX."""
    checkpoint_steps: PositiveInt | None = None
    """Steps between checkpoints, besides the end of each epoch. Where nothing is said: ends of epochs, but no oftener
    than costs a fiftieth of the time."""
    monitor: Annotated[str, Field(min_length=1)] | None = None
    """What the best checkpoint is best in, on the evaluated split: ``loss``, ``accuracy``, or that of one of several
    heads, ``HEAD_accuracy``. Where nothing is said, none is kept but the last."""
    patience: PositiveInt | None = None
    """Stop after so many epochs without a better value of what is monitored."""


class Evaluate(BaseModel):
    """What to evaluate on, after each epoch and at the end. Nothing is selected by it."""

    model_config = STRICT

    split: Annotated[str, Field(min_length=1)] | None = None
    """A split of the data; ``val`` or else ``test`` where nothing is said."""
    batch: PositiveInt | None = None
    """Examples of one step; as in training where nothing is said."""
    transforms: Items[declared(Transform, "a transform")] | None = None  # type: ignore[valid-type]
    """In place of ``augment`` without what is random."""


class Log(BaseModel):
    """What logs and TensorBoard get besides a row for each epoch, texts, the graph and a contact sheet of the data."""

    model_config = STRICT

    steps: Annotated[int, Field(ge=0)] | None = None
    """Steps between rows within an epoch (loss, learning rate, examples per second); 0 for none. Where nothing is said,
    50."""
    histograms: PositiveInt | None = None
    """Epochs between histograms of weights and gradients; where nothing is said, there are none."""
    pictures: Annotated[int, Field(ge=0)] | None = None
    """Epochs between what the task draws of held-out examples; 0 for never. Where nothing is said, as often as takes a
    fiftieth of the time, and after the last epoch."""
    embedding: Annotated[str, Field(min_length=1)] | None = None
    """A layer whose outputs for up to 1000 held-out examples go to the projector after the last epoch."""
    callbacks: Annotated[dict[str, Any], BeforeValidator(named_values)] | None = None
    """Callbacks of installed packages, with their arguments: ``{wandb: {project: digits}}``."""
