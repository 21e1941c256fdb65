"""The JSON Schema of a spec file accepts every spec of the catalogue and the prelude, and tells mistakes of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archspec.frontend import prelude, tree, used_trees
from archspec.frontend.schema import file_schema

SPECS = sorted(p for p in (Path(__file__).parents[2] / "specs").glob("*/*.yaml") if p.parent.name != "runs")


def validator(values: Any, used: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(file_schema(values, prelude(), used))


def test_it_is_a_schema():
    """Of a file with blocks, networks and files of its own. (It takes longer than to use one.)"""
    values, where = tree("cyclegan")
    jsonschema.Draft202012Validator.check_schema(file_schema(values, prelude(), used_trees(values, where)))


@pytest.mark.fast(10)
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_every_spec_is_valid(path):
    values, where = tree(str(path))
    errors = list(validator(values, used_trees(values, where)).iter_errors(values))
    assert [f"{list(e.absolute_path)}: {e.message[:200]}" for e in errors] == []


def test_the_prelude_is_valid():
    assert list(validator(prelude(), {}).iter_errors(prelude())) == []


NET: dict[str, Any] = {
    "archspec": 1,
    "name": "net",
    "params": {"classes": 10, "unit": "block"},
    "inputs": {"image": [32, 32, 3]},
    "blocks": {"pair": {"params": {"filters": "int"}, "body": [{"conv": "=filters"}, "relu"]}},
    "body": [{"pair": 4, "repeat": 2}, {"unit": None}, {"conv": {"filters": 8, "kernel": [3, 1]}, "as": "c"}],
    "heads": {"main": {"body": ["global_avg_pool", {"dense": "=classes"}], "loss": "categorical_crossentropy"}},
}


def changed(*path: Any, value: Any) -> dict[str, Any]:
    import copy

    net = copy.deepcopy(NET)
    at = net
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return net


def test_a_small_spec_is_valid():
    validator(NET, {}).validate(NET)


@pytest.mark.parametrize(
    "wrong",
    [
        changed("archspec", value=2),
        changed("bodi", value=[]),
        changed("body", 0, value={"pairs": 4}),
        changed("body", 0, value={"pair": {"filtres": 4}}),
        changed("body", 0, value={"pair": "many"}),
        changed("body", 2, value={"conv": {"filters": 8, "kernal": 3}}),
        changed("body", 2, value={"conv": {"filters": "eight"}}),
        changed("body", 2, value={"upsample": {"mode": "neerest"}}),
        changed("body", 2, value={"conv": 8, "repeat": "two"}),
        changed("heads", "main", value={"body": ["relu"], "loss": "categorical_crossentropie"}),
        changed("heads", "main", value={"bodi": ["relu"]}),
        changed("expect", value={"params": 5}),
    ],
)
def test_mistakes_of_words_are_told(wrong):
    assert list(validator(NET, {}).iter_errors(wrong)) != []
