"""Schedules against Keras's, step by step, and warm-up in front of any."""

import keras
import numpy as np
import pytest

from archspec.training import schedules
from archspec.training.schedules import Schedule, held, learning_rate, rates

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
    ("polynomial", {"start": 3}, lambda n: S.PolynomialDecay(RATE, ALL // 2, 0.0, 1.0)(max(0, n - ALL // 2))),
]


@pytest.mark.parametrize(("name", "args", "expected"), KERAS, ids=lambda v: v if isinstance(v, str) else "")
def test_equals_keras_at_every_step(name, args, expected):
    table = rates(Schedule.find(name).model_validate(args), RATE, EPOCHS, STEPS)
    np.testing.assert_allclose(table, [float(expected(step)) for step in range(ALL)], rtol=1e-5, atol=1e-8)


def test_restarts_equal_keras():
    for longer, lower in ((2.0, 1.0), (1.0, 0.5), (1.5, 0.8)):
        schedule = Schedule.find("cosine_restarts")(first=1.0, longer=longer, lower=lower)
        table = rates(schedule, RATE, EPOCHS, STEPS)
        expected = S.CosineDecayRestarts(RATE, STEPS, longer, lower)
        np.testing.assert_allclose(table, [float(expected(step)) for step in range(ALL)], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lower", [1.0, 0.999])
def test_many_restarts_are_counted(monkeypatch, lower):
    """A million epochs of restarts would be gone through at each step."""
    schedule = Schedule.find("cosine_restarts")(first=0.4, longer=1.0, lower=lower)
    one_by_one = [schedule.factor(step / 7, 50) for step in range(350)]
    monkeypatch.setattr(schedules, "MANY", 2)
    np.testing.assert_allclose([schedule.factor(step / 7, 50) for step in range(350)], one_by_one, atol=1e-6)
    assert 0 <= Schedule.find("cosine_restarts")(first=1e-6, longer=1.0).factor(1e6, 1e6) <= 1


def test_one_cycle_rises_and_falls_in_half_cosines():
    table = np.array(rates(Schedule.find("one_cycle")(rise=0.4, start=0.04, final=0.001), RATE, 10, 10))
    assert table.argmax() == 40
    assert table[[0, 20, 40, 70]] / RATE == pytest.approx([0.04, 0.52, 1.0, 0.5005])
    assert table[-1] < 0.003 * RATE
    assert (np.diff(table[:41]) > 0).all() and (np.diff(table[40:]) < 0).all()


def test_plateaus_are_found_where_keras_finds_them():
    losses = np.random.default_rng(3).random(60) + np.exp(-np.arange(60) / 10)
    schedule = Schedule.find("plateau")(patience=3, by=0.5, least=0.01)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(RATE), "mse")
    watch = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=3, min_delta=0, min_lr=0.01 * RATE)
    watch.set_model(model)
    watch.on_train_begin()
    for epoch, loss in enumerate(losses):
        watch.on_epoch_end(epoch, {"loss": loss})
        assert RATE * schedule.after(losses[: epoch + 1]) == pytest.approx(
            float(model.optimizer.learning_rate), rel=1e-4
        )
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01 * RATE)


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


@pytest.mark.parametrize("longest", [1, 7, 29, 30])
def test_rates_of_very_long_runs_hold_for_several_steps(monkeypatch, longest):
    """A table of one rate a step took minutes and gigabytes for the epochs of those who stop by patience."""
    whole = rates(Schedule.find("cosine")(), RATE, EPOCHS, STEPS, warmup=1.4)
    monkeypatch.setattr(schedules, "LONGEST", longest)
    every, table = held(ALL), rates(Schedule.find("cosine")(), RATE, EPOCHS, STEPS, warmup=1.4)
    assert len(table) <= longest and table == whole[::every]
    given = learning_rate(table, every) if len(set(table)) > 1 else lambda step: table[0]
    np.testing.assert_allclose([float(given(step)) for step in range(ALL)], np.repeat(table, every)[:ALL], rtol=1e-6)


def test_a_rate_that_stays_is_a_number():
    assert learning_rate(rates(Schedule.find("constant")(), RATE, 2, 3)) == RATE
