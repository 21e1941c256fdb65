"""Rounds of updates against gradient tapes written out, closed forms and counts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import archspec
from archspec.training.updates.alternating_updates import AlternatingUpdates
from archspec.training.updates.simultaneous_updates import SimultaneousUpdates
from archspec.training.updates.steps import StepsModel
from tests.tasks.adversarial import specs
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_gan.json").read_text())
RNG = np.random.default_rng(7)
REAL = RNG.normal(size=(16, 2)).astype("float32")


def rounds(tmp_path, text, *, rate=1.0, seed=3) -> StepsModel:
    keras.utils.set_random_seed(seed)
    graph = specs.graph(tmp_path, text)
    model = (SimultaneousUpdates if graph.training.together else AlternatingUpdates)(graph, seed=seed)
    model.compile(keras.optimizers.SGD(rate))
    return model


def state(model, networks):
    layers = [x for name in networks for x in model.owned_all(name)]
    return [v.numpy() for x in layers for v in x.weights]


def own(model, name):
    """A network as a Keras model of its own, with the same layers."""
    network = model.graph.networks[name]
    (entry,) = network.inputs
    return keras.Model(model.networks.input[entry], model.networks.output[f"{name}.output"])


def twin(model):
    """G and D apart from the model, with its weights."""
    out = []
    for name in ("G", "D"):
        copy = keras.models.clone_model(own(model, name))
        copy.set_weights(own(model, name).get_weights())
        out.append(copy)
    return out


def bce(target, logits):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), target), logits))


def descend(tape, loss, network):
    for g, v in zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables, strict=True):
        v.assign_sub(g)


def noise(model):
    batch = {"real": tf.constant(REAL)}
    found = model.inputs(batch, tf.constant(0), 0)
    return next(v for t, v in found.items() if t.node == "z")


def d_first(model):
    """D, and then G on the new D: two tapes."""
    g, d, z = *twin(model), noise(model)
    with tf.GradientTape() as tape:
        loss = bce(1.0, d(REAL, training=True)) + 2 * bce(0.0, d(g(z, training=True), training=True))
    descend(tape, loss, d)
    with tf.GradientTape() as tape:
        loss = bce(1.0, d(g(z, training=True), training=True))
    descend(tape, loss, g)
    return g, d


def together(model):
    """D and G, both on the weights of the beginning."""
    g, d, z = *twin(model), noise(model)
    with tf.GradientTape(persistent=True) as tape:
        of_d = bce(1.0, d(REAL, training=True)) + 2 * bce(0.0, d(g(z, training=True), training=True))
        of_g = bce(1.0, d(g(z, training=True), training=True))
    gradients = [(tape.gradient(loss, n.trainable_variables), n) for loss, n in ((of_d, d), (of_g, g))]
    for found, network in gradients:
        for change, v in zip(found, network.trainable_variables, strict=True):
            v.assign_sub(change)
    return g, d


def held(model):
    """G, and then D on what the old G made."""
    g, d, z = *twin(model), noise(model)
    with tf.GradientTape() as tape:
        fake = g(z, training=True)
        loss = tf.reduce_mean((d(fake, training=True) - 1) ** 2)
    descend(tape, loss, g)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((d(REAL, training=True) - 1) ** 2) + tf.reduce_mean(d(fake, training=True) ** 2)
    descend(tape, loss, d)
    return g, d


@pytest.mark.fast(1)
@pytest.mark.parametrize(
    ("train", "reference"),
    [(specs.D_FIRST, d_first), (specs.TOGETHER, together), (specs.HELD, held)],
    ids=["in order", "together", "held"],
)
def test_a_round_is_what_gradient_tapes_do(tmp_path, train, reference):
    model = rounds(tmp_path, specs.NETWORKS + train)
    expected = [[v.numpy() for v in network.trainable_variables] for network in reference(model)]
    before = [v.numpy() for v in model.variables_of(["G", "D"])]
    model.train_on_batch(REAL)
    for name, wanted in zip(("G", "D"), expected, strict=True):
        for variable, value in zip(model.variables_of([name]), wanted, strict=True):
            np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)
    assert max(np.abs(a - b.numpy()).max() for a, b in zip(before, model.variables_of(["G", "D"]), strict=True)) > 1e-3


@pytest.mark.slow
def test_the_ways_of_updating_differ(tmp_path):
    """As tapes, which rounds equal."""
    model = rounds(tmp_path, specs.NETWORKS + specs.D_FIRST)
    generators = [way(model)[0] for way in (d_first, together)]
    results = [np.concatenate([v.numpy().ravel() for v in g.trainable_variables]) for g in generators]
    assert np.abs(results[0] - results[1]).max() > 1e-3


@pytest.mark.fast(1)
@pytest.mark.parametrize(
    ("updated", "other", "turns"),
    [
        ("D", "G", 3),
        ("G", "D", 1),
        pytest.param("D", "G", 1, marks=pytest.mark.long),
        pytest.param("G", "D", 3, marks=pytest.mark.long),
    ],
)
def test_a_network_that_is_not_updated_stays_bit_for_bit(tmp_path, updated, other, turns):
    train, _ = specs.D_FIRST.split("  steps:\n")
    score = {"D": "{binary_crossentropy: [shown_score, 0]}", "G": "{binary_crossentropy: [fake_score, 1]}"}[updated]
    text = f"{specs.NETWORKS}{train}  steps: [{{update: [{updated}], turns: {turns}, minimize: [{score}]}}]\n"
    model = rounds(tmp_path, text, rate=0.1)
    still, moving = state(model, [other]), state(model, [updated])
    model.fit(REAL, batch_size=4, epochs=2, verbose=0)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(still, state(model, [other]), strict=True))
    after = state(model, [updated])
    # Its statistics move too: every array is another.
    assert all((a != b).any() for a, b in zip(moving, after, strict=True) if a.size > 1)


def test_statistics_move_once_for_each_call_of_an_updated_network(tmp_path):
    model = rounds(tmp_path, specs.NETWORKS + specs.D_FIRST, rate=0.0)
    g, d = twin(model)
    z = noise(model)
    model.train_on_batch(REAL)
    fake = g(z, training=True)
    d(REAL, training=True), d(fake, training=True)
    for name, copy in (("G", g), ("D", d)):
        for found, wanted in zip(own(model, name).non_trainable_weights, copy.non_trainable_weights, strict=True):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-5, atol=1e-6)


def test_the_gradient_penalty_is_exact_and_of_second_order(tmp_path):
    expected = VECTORS["wgan_gp_linear"]
    model = rounds(tmp_path, specs.LINEAR)
    model.networks.get_layer("D.dense").set_weights([np.array([[3.0], [4.0]], "float32")])
    report = model.train_on_batch({"real": REAL, "fake": REAL[::-1]}, return_dict=True)
    assert report["D.gradient_penalty.score"] == pytest.approx(expected["gp"], rel=1e-6)
    assert report["D.loss"] == pytest.approx(expected["term"], rel=1e-6)
    # 10 · 2 · (5 - 1) · (3/5, 4/5)
    np.testing.assert_allclose(model.variables_of(["D"])[0].numpy().ravel(), [3 - 48, 4 - 64], rtol=1e-5)
    assert report["D.gradient_norm.D"] == pytest.approx(80, rel=1e-5)


@pytest.mark.slow
def test_the_critic_of_wgan_stays_within_its_clip_after_every_turn():
    graph = archspec.load("wgan", size=16, width=4, channels=1, noise=4, first_turns=4, turns=2, clip=0.02)
    model = AlternatingUpdates(graph)
    model.compile(keras.optimizers.RMSprop(0.01))
    largest, turns = [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            largest.append(max(np.abs(v.numpy()).max() for v in self.model.variables_of(["D"])))
            turns.append(int(self.model.optimizer.steps[0].iterations.numpy()))

    images = np.random.default_rng(8).normal(size=(54, 16, 16, 1)).astype("float32")
    model.fit(images, batch_size=2, verbose=0, callbacks=[Watch()])
    assert len(largest) == 27
    assert max(largest) == pytest.approx(0.02)
    assert np.diff([0, *turns]).tolist() == [4] * 25 + [2] * 2
    assert max(np.abs(v.numpy()).max() for v in model.variables_of(["G"])) > 0.02


def test_max_norm_shortens_the_vector_of_every_unit(tmp_path):
    text = specs.NETWORKS + specs.D_FIRST.replace("update: [D]\n", "update: [D]\n      constraint: {max_norm: 0.5}\n")
    model = rounds(tmp_path, text)
    model.train_on_batch(REAL)
    kernels = [v.numpy() for v in model.variables_of(["D"]) if len(v.shape) == 2]
    assert max(np.linalg.norm(k, axis=0).max() for k in kernels) == pytest.approx(0.5, rel=1e-5)


def test_noise_is_that_of_the_round_and_new_for_every_further_turn(tmp_path):
    model = rounds(tmp_path, specs.NETWORKS + specs.D_FIRST)

    def drawn(done, draw):
        found = model.inputs({"real": tf.constant(REAL)}, tf.constant(done), tf.constant(draw))
        return next(v.numpy() for t, v in found.items() if t.node == "z")

    draws = [drawn(0, 0), drawn(0, 1), drawn(0, 2), drawn(1, 0), drawn(1, 1)]
    assert (drawn(0, 0) == draws[0]).all()
    assert all((a != b).all() for i, a in enumerate(draws) for b in draws[:i])
    many = np.concatenate([drawn(n, 0) for n in range(200)])
    assert abs(many.mean()) < 0.05
    assert many.std() == pytest.approx(1, abs=0.05)


def test_weights_follow_their_schedule(tmp_path):
    text = specs.NETWORKS + specs.D_FIRST.replace("weight: 2", 'weight: "=1 if rounds < 2 else 0"')
    model = rounds(tmp_path, text, rate=0.0)
    for n in range(4):
        model.reset_metrics()
        report = model.train_on_batch(REAL, return_dict=True)
        real, shown = (report[f"D.binary_crossentropy.{name}_score"] for name in ("real", "shown"))
        assert report["D.loss"] == pytest.approx(real + shown if n < 2 else real, rel=1e-5)


def test_a_running_average_keeps_its_share(tmp_path):
    model = rounds(
        tmp_path, specs.NETWORKS + specs.D_FIRST.replace("  body:", "  average: {G: 0.75}\n  body:"), rate=0.1
    )
    mean = None
    for _ in range(4):
        model.train_on_batch(REAL)
        now = [v.numpy() for v in model.variables_of(["G"])]
        mean = now if mean is None else [0.75 * m + 0.25 * n for m, n in zip(mean, now, strict=True)]
    for found, wanted in zip(model.averages["G"], mean, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-6)
    made = model.sample(5, seed=1)
    for v, m in zip(model.variables_of(["G"]), mean, strict=True):
        v.assign(m)
    z = tf.random.stateless_normal((5, 3), [1, 0])
    np.testing.assert_allclose(made, own(model, "G")(z).numpy(), rtol=1e-4, atol=1e-5)


POOLED = specs.NETWORKS + specs.HELD.replace("{hold, from", "{image_pool: 20, from")


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [POOLED, specs.NETWORKS + specs.D_FIRST.replace("update: [D]\n", "update: [D]\n      turns: 3\n")]
)
def test_what_variables_hold_is_all_that_goes_on(tmp_path, text):
    """Rounds that are interrupted give what rounds in one go give: optimisers, counts, pools, draws."""
    from archspec.training.checkpoint import arrays

    def fresh():
        keras.utils.set_random_seed(5)
        model = AlternatingUpdates(specs.graph(tmp_path, text), seed=5)
        model.compile(keras.optimizers.Adam(0.01))
        return model

    whole, first, second = fresh(), fresh(), fresh()
    batches = np.random.default_rng(9).normal(size=(6, 8, 2)).astype("float32")
    for batch in batches:
        whole.train_on_batch(batch)
    for batch in batches[:3]:
        first.train_on_batch(batch)
    for v in second.variables_of(["G", "D"]):
        v.assign(v + 1)
    saved, wanted = arrays(first), arrays(second)
    assert saved.keys() >= {"optimizer/0"}
    assert list(saved) == list(wanted)
    for name, variable in wanted.items():
        variable.assign(saved[name])
    for batch in batches[3:]:
        second.train_on_batch(batch)
    for name, variable in arrays(whole).items():
        if not name.startswith("metric/"):
            found = arrays(second)[name]
            assert np.asarray(variable.numpy()).tobytes() == np.asarray(found.numpy()).tobytes(), name


def test_every_term_and_gradient_norm_is_reported(tmp_path):
    model = rounds(tmp_path, specs.NETWORKS + specs.D_FIRST, rate=0.1)
    history = model.fit(REAL, batch_size=8, epochs=1, verbose=0).history
    assert set(history) == {
        "loss",
        "D.loss",
        "D.binary_crossentropy.real_score",
        "D.binary_crossentropy.shown_score",
        "D.gradient_norm.D",
        "G.loss",
        "G.binary_crossentropy.fake_score",
        "G.gradient_norm.G",
    }


def test_samples_are_seeded_and_need_only_what_is_drawn(tmp_path):
    model = rounds(tmp_path, specs.NETWORKS + specs.D_FIRST)
    assert model.sample(6).shape == (6, 2)
    assert (model.sample(6, seed=1) == model.sample(6, seed=1)).all()
    assert (model.sample(6, seed=1) != model.sample(6, seed=2)).any()


def test_a_network_that_no_step_updates_is_used_as_in_inference(tmp_path):
    text = (
        specs.NETWORKS
        + "  V: {inputs: {x: [2]}, body: [dropout: 0.9, batch_norm, dense: 3]}\n"
        + """
train:
  inputs: {real: [2], z: {normal: [3]}}
  body:
    - {G, from: z, as: fake}
    - {V, from: fake, as: seen}
    - {V, from: real, as: wanted}
  steps:
    - {update: [G], minimize: [{mse: [seen, wanted]}]}
"""
    )
    model = rounds(tmp_path, text, rate=0.0)
    g, v = own(model, "G"), own(model, "V")
    expected = np.mean((v(g(noise(model), training=True)).numpy() - v(REAL).numpy()) ** 2)
    before = state(model, ["V"])
    report = model.train_on_batch(REAL, return_dict=True)
    assert report["G.mse.seen"] == pytest.approx(float(expected), rel=1e-5)
    assert all((a == b).all() for a, b in zip(before, state(model, ["V"]), strict=True))


DROPS = """
archspec: 1
name: drops
networks:
  G: {inputs: {z: [3]}, body: [dense: 4000, dropout: 0.25]}
  V: {inputs: {x: [4000]}, body: [dropout: 0.25, dense: {units: 4000, bias: false}, dropout: 0.25]}
train:
  inputs: {real: [4000], z: {normal: [3]}}
  body: [{G, from: z, as: fake}, {V, from: fake, as: seen}]
  steps: [{update: [G], minimize: [{mse: [seen, real]}]}]
"""


def test_dropout_acts_in_networks_that_are_updated_and_is_drawn_anew(tmp_path):
    model = rounds(tmp_path, DROPS, rate=0.0)
    real = np.zeros((4, 4000), "float32")
    kept = []
    for _ in range(3):
        inputs = model.inputs({"real": tf.constant(real)}, tf.constant(0), 0)
        _, values = model.body(inputs, [model.plan.results["seen"], model.plan.results["fake"]], {}, training=True)
        fake, seen = (values[model.plan.results[name]].numpy() for name in ("fake", "seen"))
        kept.append(fake != 0)
        # V, which no step updates, drops nothing.
        np.testing.assert_allclose(seen, own(model, "V")(fake).numpy(), rtol=1e-4, atol=1e-4)
        model.train_on_batch(real)
    for mask in kept:
        assert mask.mean() == pytest.approx(0.75, abs=0.02)
    assert all((a != b).mean() == pytest.approx(2 * 0.75 * 0.25, abs=0.02) for a, b in pairwise(kept))
    assert [int(v.numpy()[1]) for x in model.owned_all("G") for v in x.non_trainable_variables] == [3]


def test_optimizers_are_one_for_each_step(tmp_path):
    model = AlternatingUpdates(specs.graph(tmp_path, specs.NETWORKS + specs.D_FIRST))
    with refuses(ValueError):
        model.compile([keras.optimizers.SGD(0.1)])
    model.compile([keras.optimizers.SGD(0.0), keras.optimizers.Adam(0.1)])
    before = state(model, ["D"])[0], state(model, ["G"])[0]
    model.train_on_batch(REAL)
    assert (before[0] == state(model, ["D"])[0]).all()
    assert (before[1] != state(model, ["G"])[0]).any()


def test_learning_rates_follow_rounds_not_turns(tmp_path):
    text = specs.NETWORKS + specs.D_FIRST.replace("update: [D]\n", "update: [D]\n      turns: 3\n")
    model = AlternatingUpdates(specs.graph(tmp_path, text))
    steps = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.0])
    model.compile(keras.optimizers.SGD(steps))
    for _ in range(2):
        model.train_on_batch(REAL)
    still = state(model, ["G"])[0]
    model.train_on_batch(REAL)
    assert (still == state(model, ["G"])[0]).all()
    assert int(model.optimizer.steps[0].iterations.numpy()) == 9
    assert int(model.optimizer.iterations.numpy()) == 3
