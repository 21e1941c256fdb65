"""Keras models of every kind as specs: with the weights copied, what is compiled of the spec computes the same."""

from __future__ import annotations

import random

import pytest

from archspec.backend.decompiling import of_file, of_model
from archspec.frontend import loads

pytestmark = pytest.mark.tensorflow


def returned(model, text=None):
    """The graph of the spec of a model, once both have computed the same from equal weights."""
    import keras
    import numpy as np

    from archspec.backend.build import compile
    from archspec.backend.weights import transfer

    text = of_model(model) if text is None else text
    graph = loads(text)
    ours = compile(graph)
    transfer(model, graph, ours)
    draw = np.random.default_rng(0)
    given = []
    for tensor in model.inputs:
        shape = (2, *(7 if size is None else size for size in tensor.shape[1:]))
        given.append(draw.integers(0, 5, shape).astype(keras.backend.standardize_dtype(tensor.dtype)))
    given = given[0] if len(given) == 1 else given
    pairs = zip(*(keras.tree.flatten(m(given, training=False)) for m in (model, ours)), strict=True)
    for theirs, mine in pairs:
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert ours.count_params() == model.count_params()
    return graph


def ops_of(graph):
    return [node.op.name for node in graph.nodes]


def test_recurrent_layers_with_their_masks_and_states(tmp_path):
    from keras import Input, Model, layers

    words, more = Input((None,), dtype="int32"), Input((6, 3))
    x = layers.Embedding(9, 4, mask_zero=True)(words)
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode="ave")(x)
    x = layers.Bidirectional(layers.GRU(4))(layers.TimeDistributed(layers.Dense(4, activation="tanh"))(x))
    _, state, cell = layers.LSTM(4, return_state=True, go_backwards=True)(layers.Masking()(more))
    y = layers.LSTM(4)(more, initial_state=[state, cell])
    y = layers.GRU(3, reset_after=False, activation="relu")(layers.RepeatVector(3)(y))
    model = Model([words, more], layers.Concatenate()([x, y, layers.SimpleRNN(2)(more)]))
    graph = returned(model)
    # A file numbers its objects, and so tells the directions of a layer apart.
    model.save(tmp_path / "net.keras")
    assert of_file(tmp_path / "net.keras").splitlines()[2:] == of_model(model).splitlines()[2:]
    assert ops_of(graph).count("bidirectional") == 2 and {"lstm", "gru", "rnn", "mask"} <= {*ops_of(graph)}
    assert graph.by_name[next(n.name for n in graph.nodes if n.op.name == "embedding")].op.mask_zero


def test_attention_of_each_kind():
    from keras import Input, Model, layers

    x, y = Input((7, 8)), Input((5, 8))
    own = layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    other = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=8, use_bias=False)(own, y)
    both = layers.Add()([other, layers.AdditiveAttention()([x, y, y])])
    graph = returned(Model([x, y], layers.LayerNormalization()(both)))
    assert ops_of(returned(Model([x, y], layers.Attention()([x, y])))) == ["matmul", "softmax", "matmul"]
    assert [len(node.inputs) for node in graph.nodes if node.op.name == "attention"] == [1, 2]


def test_functions_between_layers():
    from keras import Input, Model, ops

    x, image = Input((6, 8)), Input((8, 8, 3))
    scores = ops.softmax(ops.matmul(x, ops.transpose(x, (0, 2, 1))) / 8.0)
    one, other = ops.split(ops.matmul(scores, x), 2, -1)
    last = ops.concatenate([one * ops.sigmoid(other), ops.max(x, -1, keepdims=True)], -1)[:, -1]
    part = ops.mean(ops.relu(image[:, 1:, :, :2]) ** 2 - 1.0, axis=[1, 2])
    flat = ops.reshape(ops.swapaxes(ops.expand_dims(last, 1), 1, 2), (-1, 5))
    graph = returned(Model([x, image], [ops.clip(flat, -1, 1), ops.stack([part, -part], 1)]))
    assert {"matmul", "split", "slice", "reduce", "stack", "permute"} <= {*ops_of(graph)}


def test_layers_that_have_no_op_are_named_by_keras():
    from keras import Input, Sequential, layers

    some = [
        layers.GaussianNoise(0.1),
        layers.SpatialDropout2D(0.2),
        layers.PReLU(shared_axes=[1, 2]),
        layers.ReLU(max_value=2),
        layers.UnitNormalization(),
        layers.RMSNormalization(),
        layers.CenterCrop(4, 4),
        layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 4), bias_axes="e", activation="relu"),
        layers.Softmax(axis=1),
    ]
    graph = returned(Sequential([Input((8, 8, 3)), *some]))
    assert {"keras", "clip", "softmax", "rms_norm"} <= {*ops_of(graph)}


def test_what_a_normalization_learnt_becomes_arguments(tmp_path):
    import numpy as np
    from keras import Input, Sequential, layers

    learnt = layers.Normalization()
    data = np.random.default_rng(0).normal(3, 2, size=(50, 3)).astype("float32")
    learnt.adapt(data)
    # Names that are not the spec's: the layers are told apart by their wiring.
    model = Sequential([Input((3,)), learnt, layers.Dense(2, name="last")])
    model.save(tmp_path / "net.keras")
    text = of_file(tmp_path / "net.keras")
    assert text.partition("\n")[2].partition("\n")[2] == of_model(model).partition("\n")[2].partition("\n")[2]
    (norm, _) = loads(text).nodes
    np.testing.assert_allclose([norm.op.mean, norm.op.std], [data.mean(0), data.std(0)], rtol=1e-5)
    from archspec.backend.build import compile
    from archspec.backend.weights import transfer

    ours = compile(loads(text))
    transfer(model, loads(text), ours)
    np.testing.assert_allclose(ours(data), model(data), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["char_lstm", "alphago_policy", "textcnn", "mixer_s32"])
def test_compiled_specs_come_back(name):
    import archspec

    graph = archspec.load(name)
    again = returned(archspec.compile(graph))
    assert archspec.table(again).totals.macs == archspec.table(graph).totals.macs


def drawn(seed):
    """A Keras model: layers in a row with skips, branches that meet, and two ends."""
    from keras import Input, Model, layers

    draw = random.Random(seed)
    x = Input((8, 8, 4))
    start, known = x, [x]
    for _ in range(draw.randint(4, 12)):
        width = x.shape[-1]
        match draw.choice(["conv", "conv", "depthwise", "norm", "act", "add", "concat", "gate", "pool", "drop", "sub"]):
            case "conv":
                options = {"kernel_size": draw.choice([1, 3, (1, 3)]), "dilation_rate": draw.choice([1, 1, 2])}
                x = layers.Conv2D(draw.choice([4, 6]), padding="same", use_bias=draw.random() < 0.5, **options)(x)
            case "depthwise":
                x = layers.DepthwiseConv2D(3, padding="same", activation=draw.choice([None, "relu"]))(x)
            case "norm":
                x = draw.choice([layers.BatchNormalization, layers.LayerNormalization])(epsilon=0.01)(x)
            case "act":
                x = layers.Activation(draw.choice(["relu", "swish", "gelu", "tanh", "hard_sigmoid"]))(x)
            case "add":
                same = [t for t in known if t.shape == x.shape and t is not x]
                x = draw.choice([layers.Add, layers.Multiply, layers.Maximum])()([x, draw.choice(same)]) if same else x
            case "concat":
                same = [t for t in known if t.shape[1:3] == x.shape[1:3] and t is not x]
                x = layers.Concatenate()([x, draw.choice(same)]) if same and width < 24 else x
            case "gate":
                gate = layers.Dense(width, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
                x = layers.Multiply()([x, gate])
            case "pool" if x.shape[1] > 2:
                kind = draw.choice([layers.MaxPooling2D, layers.AveragePooling2D])
                x = kind(draw.choice([2, 3]), strides=2, padding=draw.choice(["same", "valid"]))(x)
            case "drop":
                x = layers.Dropout(0.3)(x)
            case "sub":
                x = layers.Subtract()([layers.Conv2D(width, 1)(x), x])
        known.append(x)
    ends = [layers.Dense(3, activation="softmax")(layers.Flatten()(x))]
    if draw.random() < 0.3:
        ends.append(layers.GlobalMaxPooling2D()(draw.choice([t for t in known if t is not start] or [x])))
    return Model(start, ends)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_come_back(seed):
    returned(drawn(seed))


@pytest.mark.long
def test_many_random_graphs_come_back():
    import keras

    for seed in range(4, 104):
        returned(drawn(seed))
        keras.backend.clear_session()
