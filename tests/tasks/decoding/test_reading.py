"""Networks that read on, and those that read everything again: both say what the whole sequence gives."""

import numpy as np
import pytest

import archspec
from archspec.analysis.reach import non_causal_nodes
from archspec.tasks.decoding.stepping import incremental

HEAD = "heads: {next: {body: [dense: 11], loss: sparse_categorical_crossentropy}}"
MODELS = {
    "rnn": "[embedding: {vocab: 11, dim: 5}, rnn: {units: 6, sequences: true}]",
    "lstm": "[one_hot: 11, lstm: {units: 6, sequences: true}, dropout: 0.5, lstm: {units: 4, sequences: true}]",
    "gru": "[one_hot: 11, {gru: {units: 6, sequences: true}, repeat: 3}, layer_norm, relu]",
    "gru before": "[one_hot: 11, gru: {units: 6, sequences: true, reset_after: false}, batch_norm]",
    "residual": """
  - {embedding: {vocab: 11, dim: 6, mask_zero: true}, as: words}
  - {lstm: {units: 6, sequences: true}, as: read}
  - {gru: {units: 6, sequences: true}, from: words, as: other}
  - add: [words, read]
  - concat: [prev, other]
  - dense: {units: 8, activation: tanh}
""",
    "no memory": "[embedding: {vocab: 11, dim: 6}, dense: 4, relu]",
    "attention": "[embedding: {vocab: 11, dim: 6}, sinusoidal_position, attention: {heads: 2, causal: true}]",
    "given states": """
  - {embedding: {vocab: 11, dim: 6}, as: words}
  - {gru: {units: 6, sequences: true, states: true}, as: first}
  - {gru: {units: 6, sequences: true}, from: {x: "first[0]"}}
""",
}
READ_AGAIN = {"attention", "given states"}
STEPS = 5


def spec(tmp_path, body, length="T", head=HEAD, more=""):
    path = tmp_path / "language.yaml"
    path.write_text(
        f"archspec: 1\nname: language\ninputs: {{tokens: {{shape: [{length}], dtype: int32}}}}\n"
        f"{more}body: {body}\n{head}\n"
    )
    return archspec.load(str(path))


@pytest.mark.fast(3)
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "length"),
    # A known length is one more way for each of the two: reading on, and reading again.
    [*((name, "T") for name in MODELS), ("residual", STEPS), ("attention", STEPS)]
    + [pytest.param(name, STEPS, marks=pytest.mark.long) for name in MODELS if name not in ("residual", "attention")],
)
def test_reading_on_is_reading_the_whole_prefix(tmp_path, name, length):
    import keras

    from archspec.tasks.decoding.reading import StatefulDecoder, decoder

    keras.utils.set_random_seed(1)
    graph = spec(tmp_path, MODELS[name], length)
    model = archspec.compile(graph)
    for layer in model.layers:
        layer.set_weights([np.random.default_rng(2).normal(size=w.shape, scale=0.7) ** 2 for w in layer.get_weights()])
    network = decoder(graph, model)
    assert isinstance(network, StatefulDecoder) == (name not in READ_AGAIN)
    tokens = np.random.default_rng(0).integers(1, 11, (3, STEPS)).astype("int32")
    states = network.begin(3)
    whole = keras.ops.convert_to_numpy(keras.ops.log_softmax(model(tokens)))
    for t in range(STEPS):
        scores, states = network.step(tokens[:, t], states)
        np.testing.assert_allclose(scores, whole[:, t], atol=2e-5, err_msg=f"step {t}")
        np.testing.assert_allclose(np.exp(scores).sum(-1), 1, rtol=1e-9)
        # Sequences go where their states go.
        states = {word: state[::-1] for word, state in states.items()}
        tokens, whole = tokens[::-1], whole[::-1]


@pytest.mark.tensorflow
@pytest.mark.parametrize("head", ["[dense: {units: 11, activation: softmax}]", "[dense: 11, log_softmax]"])
def test_heads_that_end_in_probabilities(tmp_path, head):
    from archspec.tasks.decoding.reading import decoder

    graph = spec(tmp_path, MODELS["rnn"], head=f"heads: {{next: {head}}}")
    scores, _ = decoder(graph, archspec.compile(graph)).step(np.array([3]), {"rnn.state": np.zeros((1, 6), "float32")})
    np.testing.assert_allclose(np.exp(scores).sum(), 1, rtol=1e-5)


@pytest.mark.tensorflow
def test_tables_that_are_used_twice_stay_one(tmp_path):
    """Tied embedding and scores: one network, called twice."""
    import keras

    from archspec.tasks.decoding.reading import StatefulDecoder, decoder

    more = "networks: {words: {body: [reversible_embedding: {vocab: 11, dim: 6}]}}\n"
    graph = spec(tmp_path, "[words, lstm: {units: 6, sequences: true}]", head="heads: {next: [words]}", more=more)
    model = archspec.compile(graph)
    network = decoder(graph, model)
    assert isinstance(network, StatefulDecoder) and network.model.count_params() == model.count_params()
    tokens, states = np.array([[4, 7, 1]], "int32"), network.begin(1)
    for t in range(3):
        scores, states = network.step(tokens[:, t], states)
    whole = keras.ops.log_softmax(model(tokens))[:, -1]
    np.testing.assert_allclose(scores, keras.ops.convert_to_numpy(whole), atol=1e-5)


def test_a_network_that_reads_on_has_the_weights_of_the_whole():
    graph = archspec.load("char_rnn")
    step = incremental(graph).graph
    assert {n.layer: n.weights for n in step.nodes} == {n.layer: n.weights for n in graph.nodes}
    assert {name: i.shape for name, i in step.inputs.items()} == {
        "tokens": (1,),
        **{f"cell.{layer}.{word}": (128,) for layer in (0, 1) for word in ("state", "cell")},
    }


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (MODELS["attention"], None),
        (MODELS["attention"].replace(", causal: true", ""), "attention"),
        ("[embedding: {vocab: 11, dim: 6}, bidirectional: {lstm: {units: 3, sequences: true}}]", "bidirectional"),
        ("[embedding: {vocab: 11, dim: 6}, lstm: {units: 3, sequences: true, reverse: true}]", "lstm"),
        ("[embedding: {vocab: 11, dim: 6}, conv: {filters: 3, kernel: 3}]", "conv"),
        ("[embedding: {vocab: 11, dim: 6}, conv: {filters: 3, kernel: 1}]", None),
        (MODELS["residual"], None),
    ],
)
def test_what_looks_ahead_is_found(tmp_path, body, found):
    nodes = list(non_causal_nodes(spec(tmp_path, body), "tokens"))
    assert [n.op.name for n in nodes][:1] == ([found] if found else [])
