"""``act`` and ``activation`` are one word, in calls, in defaults and in the schema."""

import jsonschema
import pytest

from archspec.frontend import analyse, loads, prelude
from archspec.frontend.schema import file_schema
from archspec.ir.diagnostics import SpecError

HEAD = "archspec: 1\nname: n\ninputs: {image: [8, 8, 4]}\n"


def ops(text):
    return [(node.name, repr(node.op)) for node in loads(HEAD + text).nodes]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("body: [conv_bn: {filters: 8, act: silu}]\n", "body: [conv_bn: {filters: 8, activation: silu}]\n"),
        ("body: [conv: {filters: 8, activation: relu}]\n", "body: [conv: {filters: 8, act: relu}]\n"),
        (
            "defaults: {conv: {activation: relu}}\nbody: [conv: 8, conv: {filters: 8, activation: tanh}]\n",
            "defaults: {conv: {act: relu}}\nbody: [conv: 8, conv: {filters: 8, act: tanh}]\n",
        ),
        (
            "blocks: {b: {params: {activation: relu}, body: [conv: {filters: 4, activation: =activation}]}}\n"
            "body: [b: {activation: elu}]\n",
            "blocks: {b: {params: {activation: relu}, body: [conv: {filters: 4, act: =activation}]}}\n"
            "body: [b: {act: elu}]\n",
        ),
    ],
)
def test_either_says_the_same(one, other):
    assert ops(one) == ops(other)


def test_a_block_that_takes_both_has_two():
    text = "blocks: {b: {params: {act: relu, activation: tanh}, body: [activation: =act, activation: =activation]}}\n"
    assert [op for _, op in ops(text + "body: [b: {act: elu, activation: silu}]\n")] == [
        op for _, op in ops("body: [activation: elu, activation: silu]\n")
    ]


def test_both_for_one_argument_are_refused():
    with pytest.raises(SpecError) as caught:
        loads(HEAD + "body: [conv_bn: {filters: 8, act: silu, activation: relu}]\n")
    (found,) = caught.value.diagnostics
    assert (found.code, found.span.line, found.span.column) == ("Y02", 4, 41)


def test_the_schema_knows_both():
    made = jsonschema.Draft202012Validator(file_schema(None, prelude(), {}))
    for call in ({"conv_bn": {"filters": 8, "activation": "silu"}}, {"conv": {"filters": 8, "act": "relu"}}):
        made.validate({"archspec": 1, "name": "n", "inputs": {"image": [8, 8, 4]}, "body": [call]})


def test_either_is_taken_in_a_step_that_never_comes():
    text = HEAD + "body: [relu, {conv_bn: {filters: 8, activation: silu}, when: false}]\n"
    assert analyse("net.yaml", data=text.encode()).diagnostics == ()
