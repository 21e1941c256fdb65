"""What is given in Python that no file could say: refused in words, by whatever function it is given to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import archspec
from archspec.frontend.yaml_source import MAX_DEPTH
from tests.wording import refuses

HEAD = {"archspec": 1, "name": "net", "inputs": {"x": [4]}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def endless() -> Iterator[tuple[str, Any]]:
    """Values that hold themselves, or more than could be written."""
    itself: list[Any] = []
    itself.append(itself)
    twice: list[Any] = []
    twice += [twice, twice]
    of_names: dict[str, Any] = {}
    of_names["a"] = of_names
    many: Any = [1]
    for _ in range(40):
        many = [many, many]
    yield from {"itself": itself, "twice": twice, "names": of_names, "deep": nested(3000), "many": many}.items()


WAYS = {
    "mapping": lambda value: archspec.load({**HEAD, "body": value}),
    "load": lambda value: archspec.load("lenet5", classes=value),
    "loads": lambda value: archspec.loads("archspec: 1", classes=value),
    "optimizer": lambda value: archspec.Run.open("lenet5", data="digits", optimizer=value),
    "data": lambda value: archspec.Run.open("lenet5", data=value),
    "unknown key": lambda value: archspec.Run.open("lenet5", optimiser=value),
    "set": lambda value: archspec.Run.open("lenet5", data="digits", set={"classes": value}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "value"), list(endless()), ids=[name for name, _ in endless()])
def test_values_without_end_are_refused(way, name, value):
    with pytest.raises(archspec.SpecError) as caught:
        WAYS[way](value)
    (found,) = caught.value.diagnostics
    words = "more than 200,000 values" if name == "many" else "nested deeper than 64 levels"
    assert (found.code, found.message) == ("Y07", words)
    assert found.render()


def test_a_mapping_may_be_as_deep_as_its_text():
    """What is written at the limit is read, and refused for what it says; a level more is too deep, for both."""
    for levels, code in ((MAX_DEPTH - 1, "F"), (MAX_DEPTH, "Y")):
        text = f"archspec: 1\nname: net\ninputs: {{x: [4]}}\nbody: {'[' * levels}1{']' * levels}\n"
        for read in (lambda n=levels: archspec.load({**HEAD, "body": nested(n)}), lambda t=text: archspec.loads(t)):
            with pytest.raises(archspec.SpecError) as caught:
                read()
            assert (caught.value.diagnostics[0].code == "Y07") == (code == "Y")


@pytest.mark.parametrize("value", [3, "classes=3", ["classes"], True])
def test_set_is_a_map(value):
    with refuses(archspec.SpecError):
        archspec.Run.open("lenet5", data="digits", set=value)


@pytest.mark.parametrize("name", ["\ud800.yaml", "\ud800", "folder/\ud800", "a\0.yaml", "a\0"])
@pytest.mark.parametrize("open", [archspec.load, archspec.Run.open])
def test_what_is_no_path_is_told(open, name):
    with refuses(archspec.SpecError) as caught:
        open(name)
    assert str(caught.value).encode("utf-8")


@pytest.mark.parametrize("value", [None, b"archspec: 1", 3, ["archspec: 1"]])
def test_text_is_a_str(value):
    with refuses(TypeError):
        archspec.loads(value)


@pytest.mark.parametrize("value", [None, b"lenet5", 3, ["lenet5"]])
def test_a_spec_is_a_path_a_name_or_a_mapping(value):
    with refuses(TypeError):
        archspec.load(value)


def test_the_text_of_a_spec_is_no_name():
    with refuses(archspec.SpecError):
        archspec.load("archspec: 1\nname: net\n")


@pytest.mark.parametrize("value", [3, ["a"], b"resnet18", {}])
def test_a_variant_is_a_name(value):
    for read in (lambda: archspec.load("resnet", variant=value), lambda: archspec.loads("", variant=value)):
        with refuses(TypeError):
            read()


@pytest.mark.parametrize("value", [1.5, 2.0, float("inf"), "2", True, [1]])
def test_counts_of_a_table_are_integers(value):
    graph = archspec.load("lenet5")
    for given in ({"batch": value}, {"depth": value}):
        with refuses(TypeError):
            archspec.table(graph, **given)
    with refuses(TypeError):
        archspec.table(graph, batch=None)


def test_any_integer_counts():
    class Three:
        def __index__(self) -> int:
            return 3

    graph = archspec.load("lenet5")
    assert archspec.table(graph, batch=Three()).totals == archspec.table(graph, batch=3).totals
