"""Every kind of thing that a spec or a run file can name besides ops, by the word of messages for it."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.data.sampler import Sampler
from archspec.data.source import DataSource
from archspec.data.tokenizer import Tokenizer
from archspec.data.transform import Transform
from archspec.ir.aliases import same
from archspec.ir.declaration import Declaration
from archspec.ops.constraint import Constraint
from archspec.ops.initializer import Initializer
from archspec.ops.loss import Loss
from archspec.ops.metric import Metric
from archspec.ops.regularizer import Regularizer
from archspec.training.fits import Fit
from archspec.training.optimizers import Optimizer
from archspec.training.schedules import Schedule
from archspec.training.task import Task

KINDS: dict[str, type[Declaration]] = {
    "loss": Loss,
    "metric": Metric,
    "initializer": Initializer,
    "regularizer": Regularizer,
    "constraint": Constraint,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "fit": Fit,
    "task": Task,
    "data source": DataSource,
    "sampler": Sampler,
    "tokenizer": Tokenizer,
    "transform": Transform,
}


def named(name: str) -> Iterator[tuple[str, type[Declaration]]]:
    """What has a name, with the word for its kind: an initializer and a loss may share one."""
    for word, kind in KINDS.items():
        if (found := kind.find(name)) is not None:
            yield word, found


def called_elsewhere(name: str) -> Iterator[tuple[str, type[Declaration]]]:
    """What another library calls so, or writes in another case: ``Adam``, ``MeanSquaredError``."""
    for word, kind in KINDS.items():
        ours = same(word, name, kind.names())
        if ours is not None and (found := kind.find(ours)) is not None:
            yield word, found


def kind_of(word: str) -> str | None:
    """The kind that a word means: ``optimizer``, ``optimizers``, ``source``."""
    plain = word.lower().replace("_", " ")
    forms = (plain, plain.removesuffix("s"), plain.removesuffix("es"))
    return next((kind for form in forms for kind in KINDS if form in (kind, kind.removeprefix("data "))), None)


def plural(word: str) -> str:
    """Several of a kind: ``losses``."""
    return f"{word}es" if word.endswith("s") else f"{word}s"


def listing(word: str) -> str:
    """The members of a kind, a line each."""
    from shutil import get_terminal_size
    from textwrap import shorten, wrap

    width = max(60, get_terminal_size().columns)
    lines = [f"{word}: archspec reference NAME says what one takes", *wrap(ABOUT[word], width)]
    for member in KINDS[word].all():
        name = f"{member.name}: {member.main}" if member.main else member.name
        summary = member.summary().replace("``", "").partition(". ")[0].rstrip(".")
        lines.append(f"  {name:<28} {shorten(summary, width - 31, placeholder=' …')}")
    return "\n".join(lines)


def page(word: str, member: type[Declaration]) -> str:
    """All about one member."""
    import inspect
    from textwrap import wrap

    from archspec.report.vocabulary import arguments, usage

    out = [f"{member.name}: {word}", "", inspect.getdoc(member) or ""]
    if member.main:
        out += ["", f"main argument: {member.main} ({{{member.name}: VALUE}})"]
    if fields := arguments(member):
        out += ["", "arguments:"]
        for a in fields:
            out.append(f"  {a.name}: {a.type}, {'required' if a.default is None else f'default {a.default}'}")
            out += [f"      {line}" for line in wrap(a.doc, 74)]
    out += ["", "example:", f"  {placed(word, usage(member) or member.name)}"]
    return "\n".join(out).replace("``", "")


ABOUT = {
    "loss": "What training minimises: a number for each output and its target, averaged over the batch.",
    "metric": "What is reported of an output beside its loss.",
    "initializer": "What a weight is before training.",
    "regularizer": "What of a weight is added to the loss.",
    "constraint": "What a weight is brought to after each step.",
    "optimizer": "How gradients change weights. The learning rate is multiplied by the schedule.",
    "schedule": "How the learning rate changes over the epochs of a run.",
    "fit": "How last layers are solved for at once when the rest is trained.",
    "task": "What the outputs of a network mean: what is minimised, reported, predicted.",
    "data source": "Where examples come from. Paths count from the run file, then from the folder ARCHSPEC_DATA names.",
    "sampler": "Which training examples share a batch.",
    "tokenizer": "How text becomes numbers.",
    "transform": "What happens to examples, in the order of the list; what is random is left out in evaluation.",
}
"""What each kind is for."""
PLACES = {
    "loss": "heads: {{main: {{loss: {}}}}}",
    "metric": "heads: {{main: {{metrics: [{}]}}}}",
    "initializer": "dense: {{units: 10, kernel_initializer: {}}}",
    "regularizer": "dense: {{units: 10, kernel_regularizer: {}}}",
    "constraint": "dense: {{units: 10, kernel_constraint: {}}}",
    "optimizer": "train: {{optimizer: {}}}",
    "schedule": "train: {{schedule: {}}}",
    "fit": "train: {{fit: {{svm: {}}}}}",
    "task": "train: {{task: {}}}",
    "sampler": "train: {{sampler: {}}}",
    "data source": "data: {}",
    "tokenizer": "data: {{text: {{path: lines.txt, tokenizer: {}}}}}",
    "transform": "augment: [{}]",
}
"""Where a member of each kind is written."""


def placed(word: str, value: str) -> str:
    """A member where a spec or a run file has it."""
    return PLACES[word].format(value)
