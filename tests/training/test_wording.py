"""What is wrong with a value is said in archspec's words: every field of every declaration is given wrong values."""

import importlib
import re

import pytest
from pydantic import ValidationError

from archspec.data.source import DataSource
from archspec.data.tokenizer import Tokenizer
from archspec.data.transform import Transform
from archspec.frontend.document import ArchitectureSpec
from archspec.ir.declaration import Declaration
from archspec.ir.reading import member
from archspec.ir.validation import refused, translate_errors
from archspec.ops.base import Op
from archspec.ops.constraint import Constraint
from archspec.ops.initializer import Initializer
from archspec.ops.loss import Loss
from archspec.ops.metric import Metric
from archspec.ops.regularizer import Regularizer
from archspec.tasks.decoding import Decoding
from archspec.training.document import RunSpec
from archspec.training.fits import Fit
from archspec.training.optimizers import Optimizer
from archspec.training.schedules import Schedule
from archspec.training.task import Task

KINDS: tuple[type[Declaration], ...] = (
    Op, Loss, Metric, Initializer, Regularizer, Constraint, Optimizer, Schedule, Task, Decoding, DataSource, Transform,
    Tokenizer, Fit,
)  # fmt: skip
PYDANTICS = re.compile(
    r"[Ii]nput should|valid |[Vv]alue error|instance of|[Uu]nable to|[Ff]ield required|not permitted|validation|type=",
)
WRONG = (
    None, True, "yes", "", "no such word", -1, 0, 1.5, float("nan"), float("inf"), 2**70, "1", [], [None], ["a", 1],
    [[1, 2], [3]], [-1, 2.5], {}, {"no_such": 1}, {"relu": "steep"}, {"leaky_relu": {"slope": "yes"}},
    {"normal": {"std": []}}, {"a": {"b": []}}, [{"resize": "x"}], {"two": 1, "keys": 2}, [{"layers": 3}],
)  # fmt: skip


def said(model, values):
    """Sentences about what is wrong with values, as specs say them and as run files do."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        for one in refused(error):
            assert one.is_sentence or one.message or one.kind in ("unknown_key", "missing_key"), one
            yield one.message
            yield one.help or ""
        for one in translate_errors(error, model, getattr(model, "name", "")):
            yield one["type"].message()
            yield one["type"].context["help"] or ""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_wrong_values_are_told_in_words_of_archspec(kind):
    heard = 0
    for found in kind.all():
        needed = [name for name, field in found.model_fields.items() if field.is_required()]
        for name in found.model_fields:
            for wrong in WRONG:
                values = dict.fromkeys(needed, 1) | {name: wrong}
                for sentence in said(found, values):
                    heard += 1
                    assert not PYDANTICS.search(sentence), (found.name, values, sentence)
                    assert "wrong kind" not in sentence, (found.name, values, sentence)
        for wrong in WRONG:
            try:
                member(kind, {found.name: wrong}, "a thing")
            except ValidationError as error:
                assert not any(PYDANTICS.search(one.message) for one in refused(error))
            except Exception as error:
                assert type(error).__name__ == "PydanticCustomError", error
    assert heard


def models(model, path=()):
    """A model with those below it, each with the path to it."""
    yield model, path
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
            yield from models(field.annotation, (*path, name))
        for inner in getattr(field.annotation, "__args__", ()):
            if isinstance(inner, type) and hasattr(inner, "model_fields") and not issubclass(inner, Declaration):
                yield from models(inner, (*path, name))


@pytest.mark.parametrize(
    ("root", "base"),
    [(RunSpec, {"archspec_run": 1, "spec": "lenet5"}), (ArchitectureSpec, {"archspec": 1, "name": "n"})],
    ids=("run file", "spec file"),
)
def test_wrong_values_of_files(root, base):
    heard = 0
    for model, path in models(root):
        for name, field in model.model_fields.items():
            for wrong in WRONG:
                values = {field.alias or name: wrong}
                for part in reversed(path):
                    values = {part: values}
                for sentence in said(root, base | values):
                    heard += 1
                    assert not PYDANTICS.search(sentence), (values, sentence)
                    assert "wrong kind" not in sentence, (values, sentence)
    assert heard > 100


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"filters": 6.5, "kernel": 3}, "must be an integer, got 6.5"),
        ({"filters": 6, "kernel": 3, "activation": {"elu": "steep"}}, "elu.alpha must be a number, got 'steep'"),
        ({"filters": 6, "kernel": 3, "activation": "relux"}, "there is no activation 'relux'"),
        ({"filters": 6, "kernel": 3, "kernel_initializer": {"normal": {"sd": 1}}}, "normal has no parameter 'sd'"),
    ],
)  # fmt: skip
def test_one_wording(values, sentence):
    with pytest.raises(ValidationError) as error:
        Op.find("conv").model_validate(values)
    assert [one.message for one in refused(error.value)] == [sentence]


def test_one_table_of_words():
    """Only one module knows pydantic's names of errors."""
    from pathlib import Path

    root = Path(importlib.import_module("archspec").__path__[0])
    knows = [p for p in root.rglob("*.py") if "int_type" in (text := p.read_text("utf-8")) or '["msg"]' in text]
    assert [p.relative_to(root).as_posix() for p in knows] == ["ir/validation.py"]
