"""A Keras model that differs from a spec in one layer without weights is refused, wherever Keras's outputs differ."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import archspec
from archspec.backend.rules import Rules
from archspec.backend.weights import imported, transfer
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

IMAGE = """
x = L.Input((12, 12, 3))
y = L.Rescaling(0.5, 0.1)(x)
y = L.Conv2D(4, 3, padding="same", name="first")(y)
y = L.ReLU()(y)
y = L.MaxPooling2D(2)(y)
a = L.Conv2D(4, 1, name="a")(y)
b = L.Conv2D(4, 3, padding="same", name="b")(y)
y = L.Concatenate()([a, b])
y = L.ZeroPadding2D(1)(y)
y = L.Conv2D(8, 3, strides=2, name="down")(y)
y = L.UpSampling2D(2)(y)
y = L.Cropping2D(((1, 0), (0, 1)))(y)
s = L.Conv2D(8, 1, name="skip")(y)
y = L.Add()([y, s])
y = L.Activation("relu6")(y)
y = L.GlobalAveragePooling2D()(y)
y = L.Dense(5, name="last")(y)
y = L.Softmax()(y)
"""
IMAGE_SPEC = """
inputs: {x: [12, 12, 3]}
body:
  - scale: {factor: 0.5, offset: 0.1}
  - conv: {filters: 4, kernel: 3}
  - relu
  - max_pool: {size: 2, padding: valid}
  - branches: [[conv: {filters: 4, kernel: 1}], [conv: {filters: 4, kernel: 3}]]
    merge: concat
  - conv: {filters: 8, kernel: 3, stride: 2, padding: 1}
  - upsample: 2
  - crop: [[1, 0], [0, 1]]
  - residual: [conv: {filters: 8, kernel: 1}]
  - relu6
  - global_avg_pool
  - dense: {units: 5, activation: softmax}
"""
TEXT = """
x = L.Input((6,), dtype="int32")
y = L.Embedding(9, 4, mask_zero=True, name="table")(x)
y = L.LSTM(4, return_sequences=True, name="lstm")(y)
a = L.MultiHeadAttention(2, 3, name="attention")(y, y, use_causal_mask=True)
y = L.Add()([y, a])
y = L.LayerNormalization(epsilon=1e-5, name="norm")(y)
z = L.Dense(6, name="up")(y)
z = L.Activation("gelu")(z)
y = L.Dense(4, name="down")(z)
y = L.Bidirectional(L.GRU(3), name="both")(y)
y = L.Reshape((2, 3))(y)
y = L.Permute((2, 1))(y)
y = L.Flatten()(y)
y = L.Dense(2, name="last")(y)
"""
TEXT_SPEC = """
inputs: {x: {shape: [6], dtype: int32}}
body:
  - embedding: {vocab: 9, dim: 4, mask_zero: true}
  - lstm: {units: 4, sequences: true}
  - residual: [attention: {heads: 2, key_dim: 3, causal: true}]
  - layer_norm: {epsilon: 1.0e-5}
  - dense: 6
  - gelu
  - dense: 4
  - bidirectional: {layer: {gru: 3}}
  - reshape: [2, 3]
  - permute: [1, 0]
  - flatten
  - dense: 2
"""
PARTS = {"image": (IMAGE, IMAGE_SPEC), "text": (TEXT, TEXT_SPEC)}
CHANGES = {
    "nothing": ("image", "", ""),
    "average for maximum": ("image", "MaxPooling2D(2)", "AveragePooling2D(2)"),
    "the size of a pool": ("image", "MaxPooling2D(2)", "MaxPooling2D(3, 2, padding='same')"),
    "the padding of a pool": ("image", "MaxPooling2D(2)", "MaxPooling2D(2, padding='same')"),
    "the stride of a pool": ("image", "MaxPooling2D(2)", "MaxPooling2D(2, strides=1)"),
    "a pool before the activation": (
        "image",
        "y = L.ReLU()(y)\ny = L.MaxPooling2D(2)(y)",
        "y = L.ReLU()(L.MaxPooling2D(2)(y))",
    ),
    "an average before the activation": (
        "image",
        "y = L.Activation('relu6')(y)\ny = L.GlobalAveragePooling2D()(y)".replace("'", '"'),
        "y = L.Activation('relu6')(L.GlobalAveragePooling2D()(y))",
    ),
    "the order of operands": ("image", "Concatenate()([a, b])", "Concatenate()([b, a])"),
    "the axis of operands": ("image", "Concatenate()([a, b])", "Concatenate(2)([a, b])"),
    "a product for a sum": ("image", "Add()", "Multiply()"),
    "a maximum for a sum": ("image", "Add()", "Maximum()"),
    "operands of a sum": ("image", "Add()([y, s])", "Add()([s, y])"),
    "one operand twice": ("image", "Add()([y, s])", "Add()([s, s])"),
    "an activation more": ("image", "Concatenate()([a, b])", "ReLU()(L.Concatenate()([a, b]))"),
    "an activation less": ("image", 'Activation("relu6")', "Identity()"),
    "another limit": ("image", 'Activation("relu6")', "ReLU(max_value=5)"),
    "the same limit": ("image", 'Activation("relu6")', "ReLU(max_value=6)"),
    "another factor": ("image", "Rescaling(0.5, 0.1)", "Rescaling(0.5)"),
    "factor and offset as operators": ("image", "L.Rescaling(0.5, 0.1)(x)", "x * 0.5 + 0.1"),
    "another factor by operators": ("image", "L.Rescaling(0.5, 0.1)(x)", "x * 0.5 + 0.2"),
    "interpolation": ("image", "UpSampling2D(2)", "UpSampling2D(2, interpolation='bilinear')"),
    "sides that are cut": ("image", "Cropping2D(((1, 0), (0, 1)))", "Cropping2D(((0, 1), (0, 1)))"),
    "sides that are cut, by indices": ("image", "L.Cropping2D(((1, 0), (0, 1)))(y)", "y[:, 1:, :-1]"),
    "other sides by indices": ("image", "L.Cropping2D(((1, 0), (0, 1)))(y)", "y[:, 1:, 1:]"),
    "sides of zeros": ("image", "ZeroPadding2D(1)", "ZeroPadding2D(((2, 0), (1, 1)))"),
    "zeros by a function": ("image", "L.ZeroPadding2D(1)(y)", "ops.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))"),
    "an image turned": (
        "image",
        "L.GlobalAveragePooling2D()(y)",
        "L.GlobalAveragePooling2D()(L.Permute((2, 1, 3))(y))",
    ),
    "a map turned": ("image", "L.ZeroPadding2D(1)(y)", "L.ZeroPadding2D(1)(L.Permute((2, 1, 3))(y))"),
    "a map turned twice": (
        "image",
        "L.ZeroPadding2D(1)(y)",
        "L.ZeroPadding2D(1)(L.Permute((2, 1, 3))(L.Permute((2, 1, 3))(y)))",
    ),
    "a mean by a function": ("image", "L.GlobalAveragePooling2D()(y)", "ops.mean(y, axis=(1, 2))"),
    "a maximum by a function": ("image", "L.GlobalAveragePooling2D()(y)", "ops.max(y, axis=(1, 2))"),
    "the axis of a softmax": ("image", "Softmax()", "Softmax(0)"),
    "no softmax": ("image", "y = L.Softmax()(y)", ""),
    "softmax within": ("image", 'Dense(5, name="last")(y)\ny = L.Softmax()(y)', 'Dense(5, "softmax", name="last")(y)'),
    "dropout": ("image", "L.Softmax()(y)", "L.Softmax()(L.Dropout(0.5)(y))"),
    "dropout that is on": ("image", "L.Softmax()(y)", "L.Dropout(0.5)(L.Softmax()(y), training=True)"),
    "nothing of text": ("text", "", ""),
    "no causal mask": ("text", ", use_causal_mask=True", ""),
    "queries of another place": ("text", "(y, y, use", "(y, L.Activation('tanh')(y), use"),
    "no mask of steps": ("text", "mask_zero=True, ", ""),
    "gelu by tanh": ("text", 'L.Activation("gelu")(z)', "ops.gelu(z, approximate=True)"),
    "gelu by erf": ("text", 'L.Activation("gelu")(z)', "ops.gelu(z, approximate=False)"),
    "a sum less": ("text", "L.Add()([y, a])", "a"),
    "directions that differ": (
        "text",
        "Bidirectional(L.GRU(3)",
        "Bidirectional(L.GRU(3), backward_layer=L.GRU(3, activation='relu', go_backwards=True)",
    ),
    "another shape": ("text", "y = L.Reshape((2, 3))(y)\ny = L.Permute((2, 1))(y)", "y = L.Reshape((3, 2))(y)"),
    "no turn": ("text", "y = L.Permute((2, 1))(y)", ""),
    "a turn by a function": ("text", "L.Permute((2, 1))(y)", "ops.transpose(y, (0, 2, 1))"),
}


def model(text: str):
    """A Keras model of the lines of a table above, with random weights that go by the names of layers."""
    import keras

    names = {"L": keras.layers, "ops": keras.ops}
    exec(text, names)
    made = keras.Model(names["x"], names["y"])
    for layer in made.layers:
        if layer.weights:
            draw = np.random.default_rng(len(layer.name) * 7 + ord(layer.name[0]))
            layer.set_weights([draw.normal(0, 0.5, w.shape) for w in layer.weights])
    return made


def spec(text, tmp_path):
    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\n{text}")
    return archspec.load(tmp_path / "net.yaml")


def example(made) -> np.ndarray:
    draw = np.random.default_rng(1)
    shape = (3, *made.input_shape[1:])
    return draw.integers(0, 9, shape) if made.input.dtype == "int32" else draw.normal(0, 4, shape).astype("float32")


def outputs(made) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(made(example(made)))


@functools.cache
def wanted_of(kind: str) -> np.ndarray:
    """What the model as it stands gives."""
    return outputs(model(PARTS[kind][0]))


FAST = ("no causal mask", "a turn by a function")
"""Of text, whose recurrences take long to build."""


@pytest.mark.fast(6)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(name, marks=[pytest.mark.slow] if kind == "text" and name not in FAST else [])
        for name, (kind, *_) in CHANGES.items()
    ],
)
def test_what_computes_something_else_is_refused(change, tmp_path):
    kind, old, new = CHANGES[change]
    text, body = PARTS[kind]
    assert old in text
    changed = model(text.replace(old, new, 1))
    wanted, found = wanted_of(kind), outputs(changed)
    is_equal = wanted.shape == found.shape and np.abs(wanted - found).max() < 1e-5
    graph = spec(body, tmp_path)
    ours = archspec.compile(graph)
    if is_equal:
        transfer(changed, graph, ours)
        assert np.abs(outputs(ours) - found).max() < 1e-5
    else:
        with pytest.raises(WeightsError):
            transfer(changed, graph, ours)


SMALL = """
inputs: {x: [8, 8, 3]}
body: [conv: {filters: 4, kernel: 3}, max_pool: 2, flatten, dense: 2]
"""
BEGIN = """
x = L.Input((8, 8, 3))
y = L.Conv2D(4, 3, padding="same", name="c")(x)
"""
POOL, END = 'y = L.MaxPooling2D(2, name="p")(y)', 'y = L.Dense(2, name="d")(L.Flatten(name="f")(y))'


def refusal(text, tmp_path, rules=None, body=SMALL, file="net.keras") -> str:
    """What is said of a file, after its name and the spec's."""
    model(BEGIN + text).save(tmp_path / file)
    with pytest.raises(WeightsError) as caught:
        imported(tmp_path / file, spec(body, tmp_path), rules)
    return str(caught.value).replace(str(tmp_path), "").removeprefix(f"/{file}: ")


def test_both_places_are_named(tmp_path):
    said = refusal(f"y = L.AveragePooling2D(2, name='p')(y)\ny = L.Dropout(0.5)(y)\n{END}", tmp_path)
    assert said == (
        "/net.yaml:5:39: before 'd' the file computes 'p' (AveragePooling2D: pool_size [2, 2], padding valid, strides "
        "[2, 2]), where the spec computes 'max_pool' (max_pool); if that is meant, state in rules\n  unchecked: [p]"
    )
    said = refusal(f"{POOL}\ny = L.ReLU(name='r')(y)\n{END}", tmp_path, body=SMALL.replace("conv:", "relu, conv:"))
    assert "the spec computes 'relu' (relu)" in said


def test_a_difference_that_is_meant(tmp_path):
    text = f"y = L.AveragePooling2D(2, name='p')(y)\n{END}"
    model(BEGIN + text).save(tmp_path / "net.keras")
    found = imported(tmp_path / "net.keras", spec(SMALL, tmp_path), Rules.of({"unchecked": ["p"]}))
    assert found.notes == ("not compared with the spec, as the rules say: p (AveragePooling2D)",)
    # What follows is compared all the same.
    text = f"y = L.AveragePooling2D(2, name='p')(y)\n{END}\ny = L.Rescaling(2.0, name='s')(y)"
    said = refusal(text, tmp_path, Rules.of({"unchecked": ["p"]}))
    assert "the file computes 's' (Rescaling: scale 2.0, offset 0.0), which the spec does not" in said


@pytest.mark.fast(1)
@pytest.mark.filterwarnings("ignore:You are saving")
@pytest.mark.parametrize("file", ["net.keras", "net.h5"])
def test_code_in_a_file_is_not_run(file, tmp_path):
    text = f"{POOL}\ny = L.Lambda(lambda t: t * 2, name='twice')(y)\n{END}"
    said = refusal(text, tmp_path, file=file)
    assert said == (
        "/net.yaml:5:61: 'twice' (Lambda) of the file cannot be compared with the spec: it is not a Keras "
        "layer that archspec knows to be free of state; if the spec computes what it does, state in rules\n"
        "  unchecked: [twice]"
    )
    assert imported(tmp_path / file, spec(SMALL, tmp_path), Rules.of({"unchecked": ["twice"]})).notes


def test_the_name_of_a_layer_that_is_another(tmp_path):
    """A class of somebody's with the name of one of Keras's is not taken for that."""
    import keras

    @keras.saving.register_keras_serializable("somebody")
    class MaxPooling2D(keras.layers.AveragePooling2D):
        pass

    x = keras.Input((8, 8, 3))
    y = MaxPooling2D(2, name="p")(keras.layers.Conv2D(4, 3, padding="same", name="c")(x))
    keras.Model(x, keras.layers.Dense(2, name="d")(keras.layers.Flatten()(y))).save(tmp_path / "net.keras")
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", spec(SMALL, tmp_path))


def test_a_file_that_goes_on_where_the_spec_ends(tmp_path):
    model(BEGIN + f"{POOL}\n{END}").save(tmp_path / "net.keras")
    rules = Rules.of({"ignore": ["d"]})
    headless = SMALL.replace(", dense: 2", "")
    assert set(imported(tmp_path / "net.keras", spec(headless, tmp_path), rules).values) == {"conv/kernel", "conv/bias"}
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", spec(headless.replace("max_pool", "avg_pool"), tmp_path), rules)


BEFORE_KERAS_3 = {
    "depthwise": (
        "DepthwiseConv2D",
        {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "groups": 1, "depth_multiplier": 1},
        "DepthwiseConv2D(3, padding='same')",
    ),
    "norm": (
        "BatchNormalization",
        {"axis": [3], "momentum": 0.9, "epsilon": 0.01, "center": True, "scale": True, "renorm": False, "fused": True},
        "BatchNormalization(epsilon=0.01)",
    ),
    "slope": ("LeakyReLU", {"alpha": 0.1}, "LeakyReLU(0.1)"),
    "limit": ("ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}, "ReLU(6.0)"),
    "gates": (
        "TimeDistributed",
        {"layer": {"class_name": "LSTM", "config": {"units": 3, "time_major": False, "implementation": 2}}},
        "TimeDistributed(L.LSTM(3))",
    ),
    "gate function": ("Activation", {"activation": "hard_sigmoid"}, "Lambda(lambda x: ops.clip(0.2 * x + 0.5, 0, 1))"),
}


@pytest.mark.fast(3)
@pytest.mark.parametrize("case", BEFORE_KERAS_3)
def test_layers_of_files_of_before_keras_3(case):
    import keras

    from archspec.backend.importers.keras_calls import LayerCall
    from archspec.backend.importers.keras_layers import made

    kind, config, now = BEFORE_KERAS_3[case]
    common = {"name": "l", "trainable": True, "dtype": "float32", "batch_input_shape": [None, 4, 4, 2]}
    found = made(LayerCall("l", 0, kind, "keras.layers", {**common, **config}, (), {}), "2.4.0")
    wanted = eval(f"L.{now}", {"L": keras.layers, "ops": keras.ops})
    x = np.random.default_rng(0).normal(0, 3, (2, 4, 4, 2)).astype("float32")
    found(x), wanted(x)
    found.set_weights(wanted.get_weights())
    np.testing.assert_allclose(*(keras.ops.convert_to_numpy(layer(x)) for layer in (found, wanted)), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("Dense", {"units": 4, "gain": 2.0}),
        ("Dense", {"units": 10**6}),
        ("Activation", {"activation": "os.system"}),
        ("StringLookup", {"vocabulary": "/etc/passwd"}),
        ("TFSMLayer", {"filepath": "model"}),
        ("Activation", {"activation": {"class_name": "Lambda", "config": {"function": "code"}}}),
    ],
)
def test_layers_that_are_not_made(kind, config):
    from archspec.backend.importers.keras_calls import LayerCall
    from archspec.backend.importers.keras_layers import Incomparable, made

    with pytest.raises(Incomparable):
        made(LayerCall("l", 0, kind, "keras.layers", config, (), {}), "3.15.1", ((3, 4),))


def test_open_sizes(tmp_path):
    """A spec for images of any size is compared at a size that both can be computed with."""
    import keras

    def net(pool: type) -> keras.Model:
        x = keras.Input((None, None, 3))
        y = keras.layers.Conv2D(4, 3, padding="same", name="c")(x)
        y = keras.layers.GlobalAveragePooling2D()(pool(2, name="p")(y))
        return keras.Model(x, keras.layers.Dense(2, name="d")(y))

    text = SMALL.replace("[8, 8, 3]", "[null, null, 3]").replace("flatten", "global_avg_pool")
    with refuses(WeightsError):  # of an odd size, the last row counts here
        transfer(net(keras.layers.MaxPooling2D), graph := spec(text, tmp_path), archspec.compile(graph))
    graph = spec(text.replace("max_pool: 2", "max_pool: {size: 2, padding: valid}"), tmp_path)
    transfer(net(keras.layers.MaxPooling2D), graph, archspec.compile(graph))
    with refuses(WeightsError):
        transfer(net(keras.layers.AveragePooling2D), graph, archspec.compile(graph))


def test_a_layer_that_is_called_twice(tmp_path):
    body = """
inputs: {x: [4], z: [4]}
networks: {tower: {body: [dense: 3, relu]}}
body:
  - {tower: , from: z, as: right}
  - {tower: , from: x, as: left}
  - subtract: [left, right]
  - dense: 1
"""
    import keras

    def towers(swapped: bool) -> keras.Model:
        x, z = keras.Input((4,), name="x"), keras.Input((4,), name="z")
        tower = keras.layers.Dense(3, "relu", name="tower")
        pair = [tower(x), tower(z)]
        y = keras.layers.Subtract()(pair[::-1] if swapped else pair)
        return keras.Model([x, z], keras.layers.Dense(1, name="last")(y))

    graph = spec(body, tmp_path)
    ours = archspec.compile(graph)
    transfer(towers(False), graph, ours)
    with pytest.raises(WeightsError):
        transfer(towers(True), graph, ours)


@pytest.mark.fast(2)
@pytest.mark.parametrize(
    ("file", "steps", "is_alike"),
    [(0.0, "mask: 0, ", True), (0.0, "", False), (None, "mask: 0, ", False), (0.5, "mask: 0, ", False)],
)
def test_padding_that_one_side_leaves_out(file, steps, is_alike, tmp_path):
    """Random steps are no padding: some must be."""
    import keras

    x = keras.Input((5, 3), name="x")
    y = x if file is None else keras.layers.Masking(file)(x)
    model = keras.Model(x, keras.layers.LSTM(4, name="lstm")(y))
    graph = spec(f"inputs: {{x: [5, 3]}}\nbody: [{steps}lstm: 4]\n", tmp_path)
    if is_alike:
        transfer(model, graph, archspec.compile(graph))
    else:
        with pytest.raises(WeightsError, match="lstm"):
            transfer(model, graph, archspec.compile(graph))
