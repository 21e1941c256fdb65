"""Schedules against Keras's, step by step, and warm-up in front of any."""

import keras
import numpy as np
import pytest

from archspec.training.schedules import Schedule, learning_rate, rates

pytestmark = pytest.mark.tensorflow

S = keras.optimizers.schedules
EPOCHS, STEPS, RATE = 6, 5, 0.1
ALL = EPOCHS * STEPS

KERAS = [
    ("constant", {}, lambda step: RATE),
    ("cosine", {}, S.CosineDecay(RATE, ALL)),
    ("cosine", {"final": 0.2}, S.CosineDecay(RATE, ALL, alpha=0.2)),
    ("step", {"every": 2, "by": 0.96}, S.ExponentialDecay(RATE, 2 * STEPS, 0.96, staircase=True)),
    (
        "milestones",
        {"at": [2, 4]},
        S.PiecewiseConstantDecay([2 * STEPS - 1, 4 * STEPS - 1], [RATE, RATE / 10, RATE / 100]),
    ),
    ("polynomial", {"power": 0.9}, S.PolynomialDecay(RATE, ALL, 0.0, 0.9)),
    ("polynomial", {"power": 1.0, "final": 0.1}, S.PolynomialDecay(RATE, ALL, 0.1 * RATE, 1.0)),
]


@pytest.mark.parametrize(("name", "args", "expected"), KERAS, ids=lambda v: v if isinstance(v, str) else "")
def test_equals_keras_at_every_step(name, args, expected):
    table = rates(Schedule.find(name).model_validate(args), RATE, EPOCHS, STEPS)
    np.testing.assert_allclose(table, [float(expected(step)) for step in range(ALL)], rtol=1e-5, atol=1e-8)


def test_warm_up_rises_in_a_line_and_the_schedule_has_the_rest():
    table = rates(Schedule.find("cosine")(), RATE, EPOCHS, STEPS, warmup=2)
    np.testing.assert_allclose(table[:10], RATE * np.arange(1, 11) / 10)
    np.testing.assert_allclose(table[10:], rates(Schedule.find("cosine")(), RATE, 4, STEPS))
    warmed = S.CosineDecay(0.0, ALL - 10, warmup_target=RATE, warmup_steps=10)
    np.testing.assert_allclose(table[10:], [float(warmed(step)) for step in range(10, ALL)], rtol=1e-5, atol=1e-8)


def test_what_keras_gets_is_the_table_and_stays_at_its_end():
    table = rates(Schedule.find("cosine")(final=0.5), RATE, EPOCHS, STEPS)
    given = learning_rate(table)
    np.testing.assert_allclose([float(given(step)) for step in range(ALL)], table, rtol=1e-6)
    assert float(given(10 * ALL)) == pytest.approx(table[-1])


def test_a_rate_that_stays_is_a_number():
    assert learning_rate(rates(Schedule.find("constant")(), RATE, 2, 3)) == RATE
