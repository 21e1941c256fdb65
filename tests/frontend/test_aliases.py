"""Names that Keras and PyTorch know: each is ours, is told as ours, or gets a sentence of what to write instead."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.frontend import prelude
from archspec.frontend.parameters import TYPES
from archspec.frontend.steps import MODIFIERS
from archspec.ir.aliases import alias, meanings, rows, suggested
from archspec.ir.diagnostics import did_you_mean
from archspec.ops.base import Op
from archspec.ops.constraint import Constraint
from archspec.ops.initializer import Initializer
from archspec.ops.loss import Loss
from archspec.ops.metric import Metric
from archspec.ops.regularizer import Regularizer

ROOT = Path(__file__).parents[2]
STRUCTURAL = ("do", "branches", "residual")
ACTIVATIONS = tuple(op.name for op in Op.all() if op.is_activation)
OPS = (*Op.names(), *prelude()["blocks"], *STRUCTURAL)


def kinds():
    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.training.document import Clip, Evaluate, Log, RunSpec, Train
    from archspec.training.optimizers import Optimizer
    from archspec.training.schedules import Schedule
    from archspec.training.task import Task

    members = {
        "loss": Loss, "metric": Metric, "initializer": Initializer, "regularizer": Regularizer,
        "constraint": Constraint, "optimizer": Optimizer, "schedule": Schedule, "transform": Transform, "task": Task,
        "data source": DataSource,
    }  # fmt: skip
    names = {kind: found.names() for kind, found in members.items()}
    parameters = {n for kind in (Op, *members.values()) for found in kind.all() for n in found.model_fields}
    parameters |= {n for block in prelude()["blocks"].values() for n in block["params"]}
    keys = {n for model in (RunSpec, Train, Evaluate, Log, Clip) for n in model.model_fields}
    return names | {"op": OPS, "activation": ACTIVATIONS, "type": TYPES, "parameter": parameters | keys, "key": keys}


def answers(kind, name, known):
    """Whether a name is ours, or a person is told what to write."""
    return name in known or alias(kind, name, known) is not None


def torch_names():
    return [n for n in (ROOT / "tests/frontend/torch_nn.txt").read_text("utf-8").split("\n")[1:] if n]


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("keras.layers", "op"),
        ("keras.activations", "activation"),
        ("keras.losses", "loss"),
        ("keras.metrics", "metric"),
        ("keras.optimizers", "optimizer"),
        ("keras.initializers", "initializer"),
        ("keras.regularizers", "regularizer"),
    ],
)
def test_names_of_keras(module, kind):
    known = kinds()[kind]
    names = [name for name in dir(importlib.import_module(module)) if not name.startswith("_")]
    lost = [name for name in names if not answers(kind, name, known)]
    assert len(lost) <= 0.05 * len(names), lost


def test_names_of_pytorch():
    names = torch_names()
    lost = [n for n in names if not answers("op", n, OPS) and not answers("loss", n, Loss.names())]
    assert len(names) == 163
    assert len(lost) <= 0.05 * len(names), lost


def test_what_is_ours_exists():
    known = kinds()
    for kind, entry in rows():
        for ours in entry.ours:
            assert ours in known[kind], f"{kind} {entry.name}: there is no {ours}"
        assert not (entry.name in known.get(kind, ()) and kind != "parameter"), f"{kind} {entry.name} is ours already"


def test_what_sentences_write_exists():
    """A map in a sentence names what archspec knows."""
    known = {name for names in kinds().values() for name in names} | set(MODIFIERS)
    known |= {"image", "classes", "body", "loss", "heads", "inputs", "backbone", "path", "horizontal"}
    for kind, entry in rows():
        for name in re.findall(r"\{(\w+):", entry.instead):
            assert name in known, f"{kind} {entry.name}: {entry.instead}"


@pytest.mark.parametrize(
    ("kind", "name", "known", "said"),
    [
        ("op", "bn", OPS, "did you mean 'batch_norm'? ('bn' is batch_norm in archspec)"),
        ("op", "Conv2DTranspose", OPS, "did you mean 'conv_transpose'?"),
        ("op", "swish", OPS, "did you mean 'silu'? ('swish' is silu in archspec)"),
        ("activation", "ReLU", ACTIVATIONS, "did you mean 'relu'?"),
        ("loss", "bce", Loss.names(), "did you mean 'binary_crossentropy'? ('bce' is binary_crossentropy in archspec)"),
        ("metric", "acc", Metric.names(), "did you mean 'accuracy'?"),
        ("parameter", "kernel_size", ("filters", "kernel"), "did you mean 'kernel'?"),
        ("parameter", "kernel_size", ("size", "stride"), "did you mean 'size'? ('kernel_size' is size in archspec)"),
        ("parameter", "in_channels", ("filters", "kernel"), "leave it out: it follows from the input"),
    ],
)
def test_words_of_others(kind, name, known, said):
    assert suggested(kind, name, known).startswith(said)


@pytest.mark.parametrize("name", ["spectral_norm", "roi_align", "lambda", "film", "moe", "conv_lstm", "stack"])
def test_what_archspec_has_not_is_said_and_nothing_is_guessed(name):
    said = alias("op", name, OPS)
    assert said
    assert "did you mean" not in said


@pytest.mark.parametrize(("name", "known"), [("zoom_in", OPS), ("whole", ("int", "str")), ("crossfade", OPS)])
def test_no_guess_below_a_fair_ratio(name, known):
    assert did_you_mean(name, known) is None


def test_letters_in_another_order_are_near():
    assert did_you_mean("sdg", ("adam", "sgd")) == "did you mean 'sgd'?"


def test_a_name_may_be_of_several_kinds():
    assert [kind for kind, _ in meanings("l2")] == ["loss", "metric", "parameter"] or "loss" in dict(meanings("l2"))


def test_the_page_is_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "alias_reference.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
