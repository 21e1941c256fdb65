"""What archspec assumes of Keras and TensorFlow besides what they document, an assumption a test.

Run before all others: where a release of Keras is built differently, these fail, and say what to look at.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.tensorflow


def trained(optimizer, steps=3):
    """A variable of value 1 after steps with a gradient of 1."""
    variable = keras.Variable([1.0], name="weight")
    optimizer.build([variable])
    for _ in range(steps):
        optimizer.apply([keras.ops.ones((1,))], [variable])
    return variable


def value(variable) -> float:
    return float(keras.ops.convert_to_numpy(variable).reshape(-1)[0])


def test_an_average_asks_for_its_momentum_and_for_the_count_of_steps():
    from archspec.backend.seams.optimizers import average_uniformly

    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    average_uniformly(optimizer, 1)
    trained(optimizer)
    # After the steps from number 1 on the weight was 0.8 and 0.7.
    (average,) = optimizer._model_variables_moving_average
    assert value(average) == pytest.approx(0.75)


def test_an_update_of_a_variable_asks_for_the_count_of_steps():
    """Adam's first step is as long as its rate; its correction is of the count that it sees."""
    from archspec.backend.seams.optimizers import count_own_steps

    usual, own = keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1)
    count_own_steps(own, {"weight": 5})
    for optimizer in (usual, own):
        variable = keras.Variable([1.0], name="weight")
        optimizer.build([variable])
        optimizer.iterations.assign(5)
        optimizer.apply([keras.ops.ones((1,))], [variable])
        if optimizer is own:
            assert value(variable) == pytest.approx(0.9, abs=1e-5)
        else:
            assert abs(value(variable) - 0.9) > 0.01


def test_an_update_of_a_variable_is_given_its_rate():
    from archspec.backend.seams.optimizers import scale_rates

    optimizer = keras.optimizers.SGD(0.1)
    scale_rates(optimizer, {"weight": 0.5})
    assert value(trained(optimizer, 1)) == pytest.approx(0.95)


def test_fit_puts_averages_in_place_by_a_method_of_the_optimizer():
    from archspec.backend.seams.optimizers import keep_weights

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    settle = keep_weights(model.optimizer)
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=2, verbose=0)
    assert value(model.layers[0].kernel) == pytest.approx(0.64)  # 0.8², not the average
    settle(model.trainable_variables)
    assert value(model.layers[0].kernel) > 0.7


def test_an_optimizer_holds_its_rate_as_given_and_its_variables_in_order():
    from archspec.backend.seams.optimizers import rate_of, trained_by

    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    assert rate_of(keras.optimizers.SGD(schedule)) is schedule
    assert float(rate_of(keras.optimizers.SGD(0.25))) == 0.25
    pair = [keras.Variable([1.0]), keras.Variable([2.0])]
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(pair)
    assert [v is w for v, w in zip(trained_by(optimizer), pair, strict=True)] == [True, True]


def test_fit_makes_its_function_again_where_there_is_none():
    from archspec.backend.seams.models import trace_anew

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((2, 1)), np.ones((2, 1)), verbose=0)
    before = model.layers[0].get_weights()
    model.layers[0].trainable = False
    trace_anew(model)
    model.fit(np.ones((2, 1)), np.zeros((2, 1)), verbose=0)
    assert all(map(np.array_equal, before, model.layers[0].get_weights()))


def test_an_evaluation_ends_when_it_is_told_to():
    from archspec.backend.seams.models import does_nothing, is_evaluation_stopped, stop_evaluating

    seen = []

    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)
            stop_evaluating(self.model)

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse", jit_compile=False)
    model.evaluate(np.ones((6, 1)), np.ones((6, 1)), batch_size=2, verbose=0, callbacks=[Stop()])
    assert seen == [0] and is_evaluation_stopped(model)
    assert does_nothing(keras.callbacks.Callback().on_epoch_end) and not does_nothing(Stop().on_test_batch_end)


def test_a_model_tells_its_layers_its_step_and_its_generators():
    from archspec.backend.seams.models import has_own_step, is_of_generator, layers_within

    class Own(keras.Model):
        def train_step(self, data):
            return {}

    inner = keras.layers.Bidirectional(keras.layers.LSTM(2))
    model = keras.Sequential([keras.Input((3, 2)), inner, keras.layers.Dropout(0.5)])
    assert {"LSTM", "Dropout", "Bidirectional"} <= {type(layer).__name__ for layer in layers_within(model)}
    assert has_own_step(Own()) and not has_own_step(model)
    generators = [v for v in model.variables if is_of_generator(v)]
    assert generators and not any(v.trainable for v in generators)
    assert len(generators) == len(model.variables) - len(model.trainable_variables)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's moments")
def test_statistics_are_differentiated_twice_in_the_thread_that_asks():
    import tensorflow as tf

    from archspec.backend.seams.moments import differentiable_twice

    x = tf.constant([[1.0], [3.0], [4.0]])

    def second() -> np.ndarray:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = keras.ops.sum(keras.ops.moments(x, axes=[0])[1] ** 2)
            slope = tape.gradient(y, x)
        return outer.gradient(slope, x).numpy()

    usual, elsewhere = second(), []
    with differentiable_twice():
        whole = second()
        other = threading.Thread(target=lambda: elsewhere.append(second()))
        other.start()
        other.join()
    # v = Σd²/3; the derivative of Σᵢ dv²/dxᵢ = 4v/3 · Σd = 0 vanishes everywhere.
    assert np.abs(whole).max() < 1e-5 < np.abs(usual).max()
    assert np.array_equal(elsewhere[0], usual) and np.array_equal(second(), usual)


def test_a_draw_follows_from_what_a_generator_gives_next():
    from archspec.backend.seams.generators import Seed

    first, again = (keras.random.normal((4,), seed=Seed(3, 5)) for _ in range(2))
    other = keras.random.normal((4,), seed=Seed(3, 6))
    first, again, other = map(keras.ops.convert_to_numpy, (first, again, other))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_constraint_is_applied_after_an_update_of_its_variable():
    from archspec.backend.seams.optimizers import constrain

    variable = keras.Variable([1.0])
    variable.constraint = lambda w: keras.ops.clip(w, 0.97, 1.0)
    constrain(variable, lambda w: keras.ops.maximum(w, 0.98) * 0.5)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build([variable])
    optimizer.apply([keras.ops.ones((1,))], [variable])
    assert value(variable) == pytest.approx(0.98 / 2)


def test_a_loss_can_be_a_mean_by_the_weights_of_its_samples():
    from archspec.backend.seams.models import mean_by_weights

    loss = keras.losses.MeanSquaredError()
    mean_by_weights(loss)
    said = loss(np.zeros((2, 1)), np.array([[1.0], [2.0]]), sample_weight=np.array([3.0, 1.0]))
    assert float(said) == pytest.approx((3 * 1 + 1 * 4) / 4)


def test_a_layer_of_batch_normalisation_reads_its_momentum_in_every_call():
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build((None, 1))
    layer.momentum = 0.0
    layer(np.array([[2.0], [4.0]], "float32"), training=True)
    assert value(layer.moving_mean) == pytest.approx(3.0)


def test_a_layer_of_batch_normalisation_becomes_one_that_forgets_its_start():
    from archspec.backend.seams.normalization import forget_start, stated_momentum, updates_of

    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build((None, 1))
    assert updates_of(layer) is None
    forget_start(layer)
    layer(np.array([[2.0], [4.0]], "float32"), training=True)
    # A tenth of the start is kept, not nine tenths; the count is state, and no weight.
    assert value(layer.moving_mean) == pytest.approx(0.9 * 3)
    assert value(updates_of(layer)) == 1 and stated_momentum(layer) == layer.get_config()["momentum"] == 0.9
    assert any(v is updates_of(layer) for v in layer.variables) and len(layer.weights) == 4


def test_the_outputs_of_a_model_go_by_names_that_are_set():
    from archspec.backend.seams.models import name_outputs

    x = keras.Input((1,))
    model = keras.Model(x, {"a": keras.layers.Dense(1)(x), "b": keras.layers.Dense(1)(x)})
    name_outputs(model, ["a", "b"])
    model.compile(loss={"a": "mse", "b": "mae"}, jit_compile=False)
    ones = np.ones((2, 1))
    found = model.evaluate(ones, {"a": ones, "b": ones}, verbose=0, return_dict=True)
    assert set(found) == {"loss", "a_loss", "b_loss"}


def test_convolutions_are_made_of_convolution_op():
    """Explicit padding overrides it."""

    class Doubled(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return 2 * super().convolution_op(inputs, kernel)

    x = np.ones((1, 2, 2, 1), "float32")
    layer, doubled = keras.layers.Conv2D(1, 1, kernel_initializer="ones"), Doubled(1, 1, kernel_initializer="ones")
    assert np.array_equal(2 * keras.ops.convert_to_numpy(layer(x)), keras.ops.convert_to_numpy(doubled(x)))


def test_recurrent_layers_take_a_state_by_name():
    layer = keras.layers.GRU(2)
    x, state = np.ones((1, 3, 2), "float32"), keras.ops.ones((1, 2))
    found = layer(x, initial_state=state), layer(x)
    assert not np.allclose(*map(keras.ops.convert_to_numpy, found))


def test_a_config_names_layers_calls_and_tensors():
    """As files of weights are read: inbound nodes, tensors with their history, classes of operations."""
    from archspec.backend.importers.keras_calls import LayerOutput, of_model

    x = keras.Input((4, 2), name="x")
    y = keras.layers.Dense(2, name="d")(x)
    attended = keras.layers.MultiHeadAttention(1, 2, name="m")(y, value=x, use_causal_mask=True)
    calls = of_model(keras.Model(x, attended[:, 1:] * 2.0).get_config(), "").calls
    assert [(c.layer, c.kind) for c in calls][:2] == [("d", "Dense"), ("m", "MultiHeadAttention")]
    assert calls[1].args == (LayerOutput("d"),)
    assert calls[1].kwargs["value"] == LayerOutput("x") and calls[1].kwargs["use_causal_mask"] is True
    assert [c.kind for c in calls[2:]] == ["GetItem", "Multiply"] and calls[2].module.startswith("keras.src.ops")
    assert calls[2].args[1] == [slice(None), slice(1, None)] and calls[3].args[1] == 2.0


def test_a_mask_travels_through_a_layer_that_supports_masking():
    """As stand-ins of what a layer gave hand it on."""
    from archspec.backend.comparison.numbers import stand_in
    from archspec.backend.seams.models import mask_of

    given = keras.layers.Masking()(np.array([[[0.0], [1.0], [2.0]]], "float32"))
    assert keras.ops.convert_to_numpy(mask_of(stand_in(given, "key", None))).tolist() == [[False, True, True]]
    pooled = keras.layers.GlobalAveragePooling1D()(stand_in(given, "key", None))
    plain = keras.layers.GlobalAveragePooling1D()(
        stand_in(keras.ops.convert_to_tensor(np.zeros((1, 3, 1))), "key", None)
    )
    assert value(pooled) != pytest.approx(value(plain))


def test_the_layout_of_data_is_a_method_of_a_distribution():
    from archspec.backend.seams.distributions import with_data_layout

    for kind in (keras.distribution.DataParallel, keras.distribution.ModelParallel):
        assert callable(kind.get_data_layout)
        made = with_data_layout(kind, lambda mesh, shape: (mesh, shape))
        stand_in = made.__new__(made)
        stand_in.__dict__["_device_mesh"] = "mesh"
        assert made.get_data_layout(stand_in, (8, 2)) == ("mesh", (8, 2)) and issubclass(made, kind)
