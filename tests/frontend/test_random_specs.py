"""Random well-formed specs: what is known statically is what Keras makes.

``python tools/soak.py specs --n 100000 --seed 7`` runs any number.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import count

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from archspec.frontend import loads
from tests.frontend.generator import generate
from tests.frontend.vocabulary import WORDS

EVERY = 50
"""Models between two clearings of Keras's state, which costs as much as ten models."""


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("examples", [200, pytest.param(600, marks=pytest.mark.long)])
def test_static_equals_keras(examples):
    import keras

    from tests.frontend.equality import differences

    built = count(1)
    ops: Counter[str] = Counter()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.randoms(use_true_random=True))
    def holds(rng):
        case = generate(rng)
        note(case.text)
        graph = loads(case.text, neighbours=False)
        assert {o.name: graph.spec(o.tensor).shape for o in graph.outputs} == case.outputs
        ops.update(node.op.name for node in graph.nodes)
        assert differences(graph) == []
        if next(built) % EVERY == 0:
            keras.backend.clear_session()

    holds()
    assert next(built) > examples
    assert len(ops) >= 60, sorted(set(WORDS) - set(ops))


def test_generator_writes_every_construct_and_names_at_random():
    cases = [generate(random.Random(seed)) for seed in range(400)]
    words = [
        "params",
        "blocks",
        "networks",
        "defaults",
        "heads",
        "do",
        "branches",
        "residual",
        "project",
        "merge",
        "as",
        "from",
        "when",
        "repeat",
        "each",
    ]
    for word in words:
        assert sum(f"{word}:" in case.text for case in cases) >= 10, word
    names = {case.text.splitlines()[1] for case in cases}
    assert len(names) > 0.9 * len(cases)
    drawn = {op for case in cases for op in case.ops}
    assert len(drawn) >= 75


def test_graph_does_not_depend_on_the_style_of_the_text():
    """The same tree as JSON, which is YAML, gives the same graph."""
    import json

    import yaml

    for seed in range(60):
        text = generate(random.Random(seed)).text
        one, other = (loads(t, neighbours=False) for t in (text, json.dumps(yaml.safe_load(text))))
        assert [(n.name, n.op, n.outputs, n.layer) for n in one.nodes] == [
            (n.name, n.op, n.outputs, n.layer) for n in other.nodes
        ]


@pytest.mark.tensorflow
def test_the_comparison_sees_what_is_wrong():
    from dataclasses import replace

    from archspec.ir.tensors import TensorSpec
    from tests.frontend.equality import differences

    graph = loads("archspec: 1\nname: n\ninputs: {x: [8, 8, 3]}\nbody: [conv: 4, batch_norm, relu]\n")
    assert differences(graph) == []
    conv, norm, relu = graph.nodes
    wrong = (
        (conv, replace(relu, outputs=(TensorSpec((8, 8, 5)),))),
        (conv, replace(relu, outputs=(TensorSpec((8, 8, 4), "float16"),))),
    )
    for first, last in wrong:
        found = differences(replace(graph, nodes=(first, norm, last)))
        assert any(line.startswith("relu: ") for line in found), found
    fixed = replace(norm, weights=tuple(replace(w, trainable=True) for w in norm.weights))
    assert any("batch_norm: weights" in line for line in differences(replace(graph, nodes=(conv, fixed, relu))))
