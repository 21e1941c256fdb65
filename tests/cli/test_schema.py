"""The schemas of any spec file and of any run file, as ``archspec schema`` and ``archspec schema run`` print them: good
files are valid, and most mistakes of people are not.

``mistakes.json`` has mistakes that people made in specs and run files (``runs/``): whole texts, and texts as edits of
another of them, ``[first line, line after the last, lines in their place]``. They were collected by trying, not written
for this test.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from archspec.cli import main
from archspec.frontend import prelude, tree
from archspec.ops.base import Op
from archspec.ops.loss import Loss
from tests.docs.blocks import shown
from tests.docs.test_language import PAGE, completed
from tests.frontend.generator import generate

ROOT = Path(__file__).parents[2]
SPECS = sorted(p for p in ROOT.glob("specs/*/*.yaml") if p.parent.name != "runs")
CASES = sorted([*ROOT.glob("tests/backend/cases/*.yaml"), *ROOT.glob("tests/ops/masks/*.yaml")])
NAMED = re.compile(r"e3\d_(op|act|loss)_(\w+)\.yaml$")
"""A mistake that is the name of something that archspec lacked."""


@pytest.fixture(scope="module")
def validators() -> dict[str, jsonschema.Draft202012Validator]:
    """Of specs and of runs."""
    from contextlib import redirect_stdout
    from io import StringIO

    out = {}
    for kind, argv in (("spec", ["schema"]), ("run", ["schema", "run"])):
        with redirect_stdout(StringIO()) as printed:
            assert main(argv) == 0
        schema = json.loads(printed.getvalue())
        jsonschema.Draft202012Validator.check_schema(schema)
        out[kind] = jsonschema.Draft202012Validator(schema)
    return out


def test_the_schema_of_a_run_file_is_that_of_run_files(capsys):
    assert main(["schema", "run"]) == 0
    of_runs = capsys.readouterr().out
    assert main(["schema", str(ROOT / "specs" / "runs" / "segmentation" / "unet_shapes.yaml")]) == 0
    assert capsys.readouterr().out == of_runs


def faults(validator: jsonschema.Draft202012Validator, values: Any) -> list[str]:
    return [f"{list(e.absolute_path)}: {e.message[:200]}" for e in validator.iter_errors(values)]


@pytest.mark.slow
def test_every_spec_is_valid(validators):
    """Those of the catalogue, of the tests and of the page of the language, and the prelude."""
    texts = {str(path): tree(str(path))[0] for path in (*SPECS, *CASES)}
    texts |= {str(block): yaml.safe_load(completed(block.text)) for block in shown("yaml", pages=[PAGE])}
    texts["prelude"] = prelude()
    assert len(texts) > 90
    assert {name: found for name, values in texts.items() if (found := faults(validators["spec"], values))} == {}


@pytest.mark.slow
def test_random_specs_are_valid(validators):
    for seed in range(25):
        text = generate(random.Random(seed)).text
        assert faults(validators["spec"], yaml.safe_load(text)) == [], text


def mistakes() -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for record in json.loads(Path(__file__).with_name("mistakes.json").read_text("utf-8")):
        lines = record["text"].split("\n") if "text" in record else [*texts[record["of"]]]
        for first, last, others in reversed(record.get("edits", [])):
            lines[first:last] = others
        texts[record["file"]] = lines
    return {name: "\n".join(lines) for name, lines in texts.items() if not is_known_now(name)}


def is_known_now(file: str) -> bool:
    named = NAMED.search(file)
    return named is not None and (Loss if named[1] == "loss" else Op).find(named[2]) is not None


def is_told(validators: dict[str, jsonschema.Draft202012Validator], file: str, text: str) -> bool:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return True
    return not validators["run" if file.startswith("runs/") else "spec"].is_valid(values)


@pytest.mark.slow
def test_most_mistakes_are_told(validators):
    """Of the others most are of shapes, or of names that a file gives itself; they are for ``archspec check``."""
    found = {file: is_told(validators, file, text) for file, text in mistakes().items()}
    assert len(found) > 240
    assert sum(found.values()) >= 0.6 * len(found), sorted(file for file, told in found.items() if not told)


GOOD = {"huber": ["fake", 1], "delta": 2, "weight": "=2 * 3"}
BAD = {"gradient_penalty": "score"}
TRAIN = {"inputs": {"z": [4]}, "body": [{"G": None, "from": "z", "as": "fake"}]}
NET = {"archspec": 1, "name": "net", "inputs": {"image": [8, 8, 3]}}


@pytest.mark.parametrize(
    "right",
    [
        {"blocks": {"unit": {"body": ["relu"]}}, "body": [{"unit": None, "repeat": 2, "as": "a"}, "unit"]},
        {"params": {"unit": "block"}, "body": [{"unit": {"a": [1, "=2 * 3"]}}]},
        {"params": {"unit": {"type": "block", "default": "relu"}}, "body": ["unit"]},
        {"blocks": {"Conv2D": {"body": ["relu"]}}, "body": ["Conv2D"]},
        {"use": {"base": "lenet5"}, "body": [{"base": {"variant": "lenet5"}}]},
        {"defaults": {"conv": {"filters": 8}}, "body": ["conv", {"conv": None}]},
        {"body": [{"conv": '=4 if "&&" == "" else int (8)'}]},
        {"networks": {"G": {"body": ["relu"]}}, "train": {**TRAIN, "steps": [{"update": ["G"], "minimize": [GOOD]}]}},
        {"body": [{"branches": [["relu"], []], "merge": {"concat": {"axis": 0}}}]},
    ],
)
def test_names_of_a_file_are_valid(right, validators):
    assert faults(validators["spec"], {**NET, **right}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": ["unit"]},
        {"body": [{"do": [{"residual": {"body": [{"unit": 3}]}}]}]},
        {"body": ["relu"], "heads": {"main": {"body": [{"branches": [["unit"]]}]}}},
        {"blocks": {"unit": {"body": ["relu"]}}, "body": [{"unit": 3, "size": 2, "as": "a"}]},
        {"blocks": {"unit": {"body": [{"Conv2D": 8}]}}, "body": ["unit"]},
        {"blocks": {"unit": {"body": ["relu"]}}, "body": [{"unit": "=3 ^ 2"}]},
        {"blocks": {"unit": {"body": ["relu"]}}, "body": ["unit", "conv"]},
        {"defaults": {"cnv": {"filters": 8}}, "body": ["relu"]},
        {"body": [{"conv": "=pow(2, 3)"}]},
        {"body": [{"activation": "rely"}]},
        {"params": {"unit": {"type": "block", "default": "maxpool2d"}}, "body": ["unit"]},
        {"blocks": {"unit": {"body": ["relu"]}}, "body": [{"unit": {"filters": "width * 2**(i - 2)"}}]},
        {"inputs": {"image": ["None", 8, 3]}, "body": ["relu"]},
        {"networks": {"G": {"body": ["relu"]}}, "train": {**TRAIN, "steps": [{"update": ["G"], "minimize": []}]}},
        {"networks": {"G": {"body": ["relu"]}}, "train": {**TRAIN, "steps": [{"update": ["G"], "minimize": [BAD]}]}},
        {"body": [{"dense": {"units": 4, "kernel_initializer": "he_norml"}}]},
        {"body": [{"lstm": {"units": 4, "activation": "rely"}}]},
        {"body": ["relu"], "heads": {"main": {"loss": {"huber": {"delt": 1}}}}},
    ],
)
def test_mistakes_are_told(wrong, validators):
    assert faults(validators["spec"], {**NET, **wrong}) != []
