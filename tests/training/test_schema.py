"""The JSON Schema of run files accepts every run of the catalogue and docs, and tells mistakes of words and types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from archspec.ir.declaration import Declaration
from archspec.training.schema import run_schema
from tests.docs.blocks import shown

HERE = Path(__file__).parent
CATALOGUE = sorted((HERE.parents[1] / "specs" / "runs").rglob("*.yaml"))
PAGES = [block for block in shown("yaml") if block.text.startswith("archspec_run:") and block.page.stem != "errors"]
FIXTURES = sorted((HERE / "invalid").glob("*.yaml"))
MISTAKES_OF_THE_FILE = re.compile(r"error\[R0[124]\]")
"""Unknown and missing keys, unknown names: what a schema tells without a spec and data."""
RUN: dict[str, Any] = {"archspec_run": 1, "spec": "lenet5", "data": "digits"}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = run_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(validator, text: str) -> list[str]:
    return [f"{list(e.absolute_path)}: {e.message[:200]}" for e in validator.iter_errors(yaml.safe_load(text))]


@pytest.mark.fast(6)
@pytest.mark.parametrize("path", CATALOGUE, ids=lambda p: p.stem)
def test_every_run_of_the_catalogue_is_valid(path, validator):
    assert faults(validator, path.read_text("utf-8")) == []


@pytest.mark.parametrize("block", PAGES, ids=str)
def test_every_run_of_the_docs_is_valid(block, validator):
    assert faults(validator, block.text) == []


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_a_mistake_is_the_file_s_own_or_one_of_the_spec_and_the_data(path, validator):
    told = path.with_suffix(".txt").read_text("utf-8")
    if MISTAKES_OF_THE_FILE.search(told):
        assert faults(validator, path.read_text("utf-8")) != []
    elif "error[R03]" not in told and "error[Y" not in told:
        assert faults(validator, path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "right",
    [
        {"data": {"folder": "photos"}},
        {"data": {"folder": {"path": "photos", "channels": 1}}},
        {"data": {"text": {"path": "a.csv", "tokenizer": {"words": 100}, "length": 6}}},
        {"augment": ["mirror", {"resize": [32, 16]}, {"apply": {"to": ["a", "b"], "steps": [{"resize": 8}]}}]},
        {"augment": [{"rescale": None}]},
        {
            "train": {
                "optimizer": {"sgd": {"learning_rate": 1, "momentum": 0.9}},
                "schedule": {"cosine": {"final": 0.1}},
            }
        },
        {"train": {"task": {"adversarial": {"optimizers": {"D": {"adam": 1e-4}}}}}},
        {"train": {"freeze": ["stem", {"layers": "block*", "until": 3}], "class_weight": {"cat": 2}, "loss": "mse"}},
        {"train": {"clip": {"norm": 1}, "cache_features": 4, "weights": {"G": "w.npz"}}, "evaluate": {"split": "test"}},
    ],
)
def test_forms_are_valid(right, validator):
    assert list(validator.iter_errors({**RUN, **right})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"archspec_run": 2},
        {"spec": 5},
        {"epochs": 5},
        {"data": "digit"},
        {"data": "folder"},
        {"data": {"folder": {"channels": 3}}},
        {"data": {"folder": {"path": "photos", "chanels": 3}}},
        {"data": {"folder": {"path": "photos", "channels": 2}}},
        {"data": {"digits": 1, "shapes": 4}},
        {"data": {"text": {"path": "a.csv", "tokenizer": {"words": "many"}, "length": 6}}},
        {"augment": "mirror"},
        {"augment": [{"resize": 0}]},
        {"augment": [{"apply": {"to": "a", "steps": [{"resise": 8}]}}]},
        {"train": {"task": "clasification"}},
        {"train": {"optimizer": "sgd", "learning_rate": 0.1}},
        {"train": {"optimizer": {"sgd": {"momentum": 2}}}},
        {"train": {"optimizer": {"sgd": {}, "adam": {}}}},
        {"train": {"task": {"adversarial": {"optimizers": {"D": "adma"}}}}},
        {"train": {"epochs": -1}},
        {"train": {"epochs": "20"}},
        {"train": {"freeze": [{"layers": "block*"}]}},
        {"train": {"clip": 1.0}},
        {"evaluate": "test"},
        {"log": {"histogram": 1}},
    ],
)
def test_mistakes_are_told(wrong, validator):
    assert list(validator.iter_errors({**RUN, **wrong})) != []


def test_every_member_of_the_kinds_is_described(validator):
    definitions = validator.schema["$defs"]
    kinds = {kind for kind in Declaration.__subclasses__() if kind.__name__ in definitions}
    assert {"DataSource", "Transform", "Task", "Optimizer", "Schedule", "Loss", "Tokenizer", "Decoding"} <= {
        kind.__name__ for kind in kinds
    }
    for kind in kinds:
        for member in kind.all():
            own = definitions[f"{kind.__name__}.{member.name}.arguments"]["properties"]
            assert own.keys() == member.model_fields.keys()
            assert all(field.get("description") for field in own.values()), (kind.__name__, member.name)


def test_the_command_prints_it(capsys, validator):
    import json

    from archspec.cli import main

    assert main(["schema", "run"]) == 0
    assert json.loads(capsys.readouterr().out) == validator.schema
