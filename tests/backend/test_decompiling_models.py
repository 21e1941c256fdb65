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
    several = [given, dict(zip(graph.inputs, given, strict=True))]
    results = (
        m(x if len(given) > 1 else given[0], training=False) for m, x in zip((model, ours), several, strict=True)
    )
    pairs = zip(*map(keras.tree.flatten, results), strict=True)
    for theirs, mine in pairs:
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert ours.count_params() == model.count_params()
    return graph


def ops_of(graph):
    return [node.op.name for node in graph.nodes]


@pytest.mark.slow
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


def test_layers_that_are_called_several_times_are_networks():
    from keras import Input, Model, layers

    x = image = Input((8, 8, 1))
    x = skip = layers.ReLU()(layers.Conv2D(3, 3, padding="same")(x))
    x = layers.Add()([layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same")(x)), skip])
    tower = Model(image, layers.Dense(4)(layers.Flatten()(x)))
    left, right, again = Input((8, 8, 1)), Input((8, 8, 1)), layers.Dense(4, activation="tanh")
    graph = returned(Model([left, right], again(again(again(layers.Subtract()([tower(left), tower(right)]))))))
    assert ops_of(graph).count("conv") == 4 and graph.nodes[-1].layer == "net2.dense"
    assert len({node.layer for node in graph.nodes if node.weights}) == 5


def test_heads_of_maps_of_several_sizes_are_one_network():
    from keras import Input, Model, layers

    maps, conv = [Input((8, 8, 4)), Input((4, 4, 4))], layers.Conv2D(4, 3, padding="same", activation="relu")
    last, flat = layers.Conv2D(2, 3, padding="same"), layers.Reshape((-1, 2))
    model = Model(maps, layers.Concatenate(axis=1)([flat(last(conv(x))) for x in maps]))
    assert {node.layer for node in returned(model).nodes if node.weights} == {"net1.conv", "net1.conv_2"}


def test_a_network_of_two_inputs_is_called_in_a_row():
    from keras import Input, Model, layers

    x, state = Input((3,)), Input((4,))
    both = layers.Concatenate()([x, state])
    gate = layers.Dense(4, activation="sigmoid")(both)
    cell = Model([x, state], layers.Subtract()([layers.Dense(4, activation="tanh")(both), gate]))
    one, other, start = Input((3,)), Input((3,)), Input((4,))
    model = Model([one, other, start], cell([other, cell([one, start])]))
    assert "inputs: [in1, in2]" in of_model(model)
    returned(model)


def test_what_is_done_at_every_step_is_done_for_each_item():
    from keras import Input, Model, layers

    from archspec.backend.build import compile

    video = Input((3, 6, 6, 2))
    x = layers.TimeDistributed(layers.Conv2D(4, 3, padding="same", activation="relu"))(video)
    x = layers.TimeDistributed(layers.Flatten())(layers.TimeDistributed(layers.MaxPooling2D())(x))
    model = Model(video, layers.LSTM(3)(x))
    assert "conv: {filters: 4, kernel: 3, activation: relu}\n      - max_pool" in of_model(model)
    graph = returned(model)
    of_ours = ops_of(loads(of_model(compile(graph))))
    assert of_ours == ops_of(graph) == ["conv", "max_pool", "flatten", "lstm"]
    nested = Input((2, 3, 4, 4, 2))
    twice = layers.TimeDistributed(layers.TimeDistributed(layers.Conv2D(4, 3)))
    returned(Model(nested, twice(nested)))


def test_a_model_that_is_called_at_every_step():
    import numpy as np
    from keras import Input, Model, layers

    from archspec.backend.build import compile

    frame = Input((6, 6, 2))
    x = layers.Conv2D(4, 3, padding="same")(frame)
    x = layers.GlobalAveragePooling2D()(layers.Add()([layers.Conv2D(4, 1, activation="relu")(x), x]))
    video = Input((3, 6, 6, 2))
    model = Model(video, layers.TimeDistributed(Model(frame, layers.Dense(2)(x)))(video))
    text = of_model(model)
    assert "residual: [conv: {filters: 4, padding: valid, activation: relu}]" in text and "each: items" in text
    ours = compile(loads(text))
    # Its weights are in the order of its layers.
    ours.set_weights(model.get_weights())
    given = np.random.default_rng(0).normal(size=(2, 3, 6, 6, 2)).astype("float32")
    np.testing.assert_allclose(ours(given), model(given), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["char_lstm", "alphago_policy", "textcnn", "mixer_s32", "siamese"])
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
