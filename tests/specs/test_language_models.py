"""Language models of the catalogue against the sizes that are known of them, and networks written in Keras."""

from __future__ import annotations

import pytest

import archspec

SIZES = {
    "char_rnn": 239_297,
    "char_lstm": 239_297,
    "word_lstm_small": 4_651_600,
    "word_lstm_medium": 19_775_200,
    "word_lstm_large": 66_022_000,
}
"""karpathy/char-rnn with 65 characters; Zaremba et al. (2014), small, medium and large."""


def totals(name, **params):
    return archspec.table(archspec.load(name, **params)).totals


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_that_are_known(name):
    assert totals(name).params == totals(name).trainable_params == SIZES[name]


@pytest.mark.tensorflow
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_characters_are_those_of_a_network_written_in_keras(cell):
    import keras

    layer = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    network = keras.Sequential(
        [
            keras.Input((50, 65)),
            layer(128, return_sequences=True),
            layer(128, return_sequences=True),
            keras.layers.Dense(65),
        ]
    )
    graph = archspec.load("char_rnn", cell=cell)
    assert archspec.table(graph).totals.params == network.count_params()


@pytest.mark.tensorflow
@pytest.mark.parametrize(("name", "units", "steps"), [("word_lstm_small", 200, 20), ("word_lstm_medium", 650, 35)])
def test_words_are_those_of_a_network_written_in_keras(name, units, steps):
    import keras

    network = keras.Sequential(
        [
            keras.Input((steps,), dtype="int32"),
            keras.layers.Embedding(10_000, units),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.Dense(10_000),
        ]
    )
    assert totals(name).params == network.count_params()
    cells = 2 * steps * 4 * units * 2 * units
    assert totals(name).macs == cells + steps * units * 10_000


def test_dropout_stands_between_layers_and_never_between_steps():
    """Zaremba et al. (2014), figure 2: after the words, after every layer; none in the cells."""
    graph = archspec.load("word_lstm_large")
    ops = [node.op.name for node in graph.nodes]
    assert ops == ["embedding", "dropout", "lstm", "dropout", "lstm", "dropout", "dense"]
    assert {node.op.rate for node in graph.nodes if node.op.name == "dropout"} == {0.65}
    assert all(node.op.recurrent_dropout == node.op.dropout == 0 for node in graph.nodes if node.op.name == "lstm")
    assert "dropout" not in [node.op.name for node in archspec.load("word_lstm_small").nodes]
