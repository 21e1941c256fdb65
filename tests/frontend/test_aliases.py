"""Names that Keras and PyTorch know: each is ours, is told as ours, or gets a sentence of what to write instead."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.frontend import loads, prelude
from archspec.frontend.parameters import TYPES
from archspec.frontend.steps import MODIFIERS
from archspec.frontend.yaml_source import read
from archspec.ir.aliases import alias, meanings, rows, suggested
from archspec.ir.diagnostics import Source, did_you_mean, plain
from archspec.ir.reading import made, member
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
    from archspec.frontend.document import BlockSection, Head
    from archspec.training.document import RunSpec, Train
    from archspec.training.fields import Clip
    from archspec.training.settings import Evaluate, Log

    names = {kind: found.names() for kind, found in members().items()}
    parameters = {n for kind in (Op, *members().values()) for found in kind.all() for n in found.model_fields}
    parameters |= {n for block in prelude()["blocks"].values() for n in block["params"]}
    keys = {n for model in (RunSpec, Train, Evaluate, Log, Clip) for n in model.model_fields}
    sections = {"run": RunSpec, "train": Train, "evaluate": Evaluate, "log": Log}
    names |= {f"{section} key": set(model.model_fields) for section, model in sections.items()}
    merges = tuple(op.name for op in Op.all() if op.is_merge)
    names |= {"merge": merges, "head key": {f.alias or n for n, f in Head.model_fields.items()}}
    names |= {"block key": set(BlockSection.model_fields)}
    return names | {"op": OPS, "activation": ACTIVATIONS, "type": TYPES, "parameter": parameters | keys, "key": keys}


def answers(kind, name, known):
    """Whether a name is ours, or a person is told what to write."""
    return name in known or alias(kind, name, known) is not None


def torch_names(file="torch_nn"):
    return [n for n in (ROOT / f"tests/frontend/{file}.txt").read_text("utf-8").split("\n")[1:] if n]


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
    assert [name for name in names if not answers(kind, name, known)] == []
    page = " ".join((ROOT / "docs/names.md").read_text("utf-8").split())
    assert module.removeprefix("keras.") not in ("layers", "losses", "metrics", "optimizers") or (
        f"{len(names)} of `{module}`" in page
    )


def test_names_of_pytorch():
    names = torch_names()
    assert [n for n in names if not answers("op", n, OPS) and not answers("loss", n, Loss.names())] == []
    assert f"{len(names)} of `torch.nn`" in " ".join((ROOT / "docs/names.md").read_text("utf-8").split())


def test_functions_of_pytorch():
    names = torch_names("torch_functional")
    assert [n for n in names if not answers("op", n, OPS) and not answers("loss", n, Loss.names())] == []
    assert f"{len(names)} of `torch.nn.functional`" in " ".join((ROOT / "docs/names.md").read_text("utf-8").split())


def test_what_is_ours_exists():
    known = kinds()
    for kind, entry in rows():
        for ours in entry.ours:
            assert ours in known[kind], f"{kind} {entry.name}: there is no {ours}"
        assert not (entry.name in known.get(kind, ()) and kind != "parameter"), f"{kind} {entry.name} is ours already"


BRACKETS = {"{": "}", "[": "]"}


def snippets(sentence):
    """What a sentence writes in braces or brackets, with the key before it: ``optimizer: {adam: 0.001}``."""
    at = 0
    while found := re.compile(r"(?:(\w+): )?([{\[])").search(sentence, at):
        open_, end = [], found.start(2)
        for end in range(found.start(2), len(sentence)):
            if sentence[end] in BRACKETS:
                open_.append(BRACKETS[sentence[end]])
            elif open_ and sentence[end] == open_[-1]:
                open_.pop()
            if not open_:
                break
        at = end + 1
        yield found[1], read(Source("sentence", sentence[found.start(2) : at]))


def members():
    """Kinds of declarations besides ops, by the word of the table for them."""
    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.training.optimizers import Optimizer
    from archspec.training.schedules import Schedule
    from archspec.training.task import Task

    return {
        "loss": Loss, "metric": Metric, "initializer": Initializer, "regularizer": Regularizer,
        "constraint": Constraint, "optimizer": Optimizer, "schedule": Schedule, "transform": Transform, "task": Task,
        "data source": DataSource,
    }  # fmt: skip


def read_as(key, value, section):
    """Read a snippet as what it belongs to reads it: raises where a name or an argument is not one of archspec's."""
    from archspec.training.document import RunSpec, Train

    if key == "data":
        return read_as(None, value, "data source")
    if key in ("train", "augment", "evaluate", "set", "log"):
        return RunSpec.model_validate({"archspec_run": 1, "spec": "net", key: value})
    if key == "kernel_regularizer":
        return member(Regularizer, value, "a regularizer")
    if key in ("inputs", "heads"):
        body = "body:\n- {conv: 8}\n- global_avg_pool\n"
        inputs = "" if key == "inputs" else "inputs: {image: [32, 32, 3]}\n"
        return loads(f"archspec: 1\nname: net\n{inputs}{body}{key}: {plain(value, 1000)}\n")
    if key in Train.model_fields and key != "loss":
        return Train.model_validate({key: value})
    if Op.find(str(key)) is not None and not (isinstance(value, dict) and key in value):
        return read_as(None, {key: value}, section)
    if not isinstance(value, dict):
        return None
    (name, args), *modifiers = value.items()
    if section == "loss" and isinstance(args, list):
        # A term of what is minimised: operands, and the loss's arguments beside.
        return member(Loss, {name: dict(modifiers)}, "a loss")
    assert {key for key, _ in modifiers} <= set(MODIFIERS), f"{modifiers} beside {name}"
    kinds = members()
    found = kinds.get(section) or next((k for k in kinds.values() if k.find(name) is not None), None)
    op, block = Op.find(name), prelude()["blocks"].get(name)
    if section in ("op", "activation", "parameter") and (op or block):
        if block:
            assert set(args if isinstance(args, dict) else ()) <= set(block["params"])
        elif not (op.is_merge and isinstance(args, list)):
            made(op, {} if args is None else args)
    elif section == "data source":
        kind = found.find(name)
        assert set(args if isinstance(args, dict) else {kind.main: args}) <= set(kind.model_fields)
    else:
        member(found, value, f"a {section}")
    return None


def test_what_sentences_write_is_read():
    """Names exist and take the arguments that a sentence shows: a person copies them."""
    wrong = []
    for kind, entry in rows():
        for key, value in snippets(entry.instead):
            try:
                read_as(key, value, kind)
            except Exception as error:
                wrong.append(f"{kind} {entry.name}: {key}: {value}: {type(error).__name__}: {error}"[:300])
    assert wrong == []


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


@pytest.mark.parametrize("name", ["conv_gru", "soft_nms", "lambda", "film", "moe", "capsule", "top_k"])
def test_what_archspec_has_not_is_said_and_nothing_is_guessed(name):
    said = alias("op", name, OPS)
    assert said
    assert "did you mean" not in said


@pytest.mark.parametrize(("name", "known"), [("zoom_in", OPS), ("whole", ("int", "str")), ("crossfade", OPS)])
def test_no_guess_below_a_fair_ratio(name, known):
    assert did_you_mean(name, known) is None


def test_letters_in_another_order_are_near():
    assert did_you_mean("sdg", ("adam", "sgd")) == "did you mean 'sgd'?"


FALSE_FRIENDS = {
    "op": ("gelu_new", "quick_gelu", "dropblock", "atrous_conv", "reorg", "depth_to_space", "channel_attention"),
    "loss": ("PoissonNLLLoss", "KLDivLoss", "MultiMarginLoss", "CosineEmbeddingLoss", "NLLLoss", "l2_loss"),
    "metric": ("error_rate", "FBetaScore", "pr_auc", "BinaryIoU"),
    "optimizer": ("lars", "momentum", "nesterov"),
    "transform": ("AutoAugment", "TrivialAugment", "vertical_flip", "RandomHue"),
    "regularizer": ("weight_decay",),
    "schedule": ("LinearLR", "ConstantLR"),
    "parameter": ("keep_prob", "padding_idx", "stateful", "bn_momentum", "se_ratio", "affine"),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FALSE_FRIENDS.items() for name in names])
def test_what_is_near_is_not_said_to_be_the_same(kind, name):
    said = alias(kind, name, kinds()[kind])
    assert said
    assert "in archspec)" not in said


def test_a_cross_entropy_may_be_of_two_kinds():
    for name in ("crossentropy", "cross_entropy", "ce", "log_loss"):
        said = suggested("loss", name, Loss.names())
        assert "categorical_crossentropy or sparse_categorical_crossentropy" in said and "binary_crossentropy" in said


def test_a_name_may_be_of_several_kinds():
    assert [kind for kind, _ in meanings("l2")] == ["loss", "metric", "parameter"]


def test_the_page_is_current():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "alias_reference.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
