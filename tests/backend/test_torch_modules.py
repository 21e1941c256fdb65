"""State dicts of PyTorch's own modules: a spec with their weights computes what PyTorch did (tools/torch_cases.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend import weights
from archspec.backend.archive import Archive, Stored, StoredLayer, grouped
from archspec.backend.rules import Rules
from archspec.backend.weights import assign, imported, match
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
CASES = Path(__file__).parent / "cases" / "torch"
SPECS = Path(__file__).parents[2] / "specs"
VIT = {"size": 8, "patch": 4, "layers": 2, "dim": 12, "mlp": 24, "attention_heads": 3, "classes": 5}
LLAMA = """
archspec: 1
name: llama
inputs: {tokens: {shape: [9], dtype: int32}}
defaults: {rms_norm: {epsilon: 1.0e-6}, dense: {bias: false}}
blocks:
  decoder_layer:
    body:
      - residual:
          - {rms_norm: {}, as: before_attention}
          - attention: {heads: 4, kv_heads: 2, bias: false, causal: true, rotary: 10000}
      - residual:
          - {rms_norm: {}, as: before_mlp}
          - branches: [[{dense: 24, as: gate}, silu], [{dense: 24, as: up}]]
            merge: multiply
          - dense: 16
body:
  - {embedding: {vocab: 17, dim: 16}, as: embed}
  - {decoder_layer, repeat: 2}
  - rms_norm
  - {dense: 17, as: head}
"""
LLAMA_RULES = {
    "names": {
        r"model\.layers\.(\d+)\.input_layernorm": r"decoder_layer.\1.before_attention",
        r"model\.layers\.(\d+)\.post_attention_layernorm": r"decoder_layer.\1.before_mlp",
        r"model\.embed_tokens": "embed",
    },
    "rotary": "halves",
}
ENCODER = """
archspec: 1
name: encoder
inputs: {x: [5, 12]}
defaults: {layer_norm: {epsilon: 1.0e-5}}
body:
  - do:
      - residual: [attention: {heads: 3}]
      - layer_norm
      - residual: [{dense: {units: 24, activation: relu}}, dense: 12]
      - layer_norm
    repeat: 2
    as: layer
"""
QUERY_AND_VALUE = """
archspec: 1
name: net
inputs: {{x1: [4, 12], x2: [6, {width}]}}
body: [{{attention: {{heads: 3, bias: {bias}}}, from: {{query: x1, value: x2}}}}]
"""
STACKED = """
archspec: 1
name: net
inputs: {{x: [5, 3]}}
body:
  - bidirectional: {{{kind}: {{units: 4, sequences: true}}}}
  - bidirectional: {{{kind}: {{units: 4, sequences: true}}}}
"""


CATALOGUE = {
    "vit": ("vit/vit.yaml", {"variant": "vit_b16", **VIT}),
    "gpt2": (
        "transformer/gpt2.yaml",
        {"vocab": 17, "dim": 12, "depth": 2, "attention_heads": 3, "positions": 10, "length": 10},
    ),
    "regnet": (
        "regnet/regnet.yaml",
        {"depths": [1, 1, 2], "widths": [8, 16, 32], "group": 8, "excitation": 0.25}
        | {"stem": 8, "size": 32, "classes": 5},
    ),
    "swin": (
        "swin/swin.yaml",
        {"dim": 8, "head_dim": 4, "depths": [2, 2], "window": 3, "size": 32, "classes": 5},
    ),
}
SPEC_OF = {
    "vit_timm": "vit",
    "vit_torchvision": "vit",
    "gpt2": "gpt2",
    "regnet": "regnet",
    "swin": "swin",
    "llama": LLAMA,
    "attention": QUERY_AND_VALUE.format(width=12, bias="true"),
    "attention_other_widths": QUERY_AND_VALUE.format(width=8, bias="true"),
    "attention_without_bias": QUERY_AND_VALUE.format(width=12, bias="false"),
    "encoder": ENCODER,
    "lstm": STACKED.format(kind="lstm"),
    "gru": STACKED.format(kind="gru"),
}


RULES = {"llama": LLAMA_RULES, "swin": {"axes": {"layer_norm": "last"}}}
"""What the shapes and names of a file do not say."""


def graph_of(name):
    spec = SPEC_OF[name]
    if spec not in CATALOGUE:
        return archspec.loads(spec)
    path, params = CATALOGUE[spec]
    return archspec.load(SPECS / path, **params).inference()


def file_of(name):
    return next(path for path in CASES.glob(f"{name}.*") if path.suffix in (".pth", ".safetensors"))


@pytest.mark.fast(3)
@pytest.mark.parametrize("name", SPEC_OF)
def test_a_spec_with_the_weights_computes_what_pytorch_did(name):
    graph = graph_of(name)
    rules = RULES.get(name)
    found = imported(file_of(name), graph, rules and Rules.of(rules))
    model = archspec.compile(graph)
    assign(model, found.values)
    kept = np.load(CASES / f"{name}.io.npz")
    inputs = {key: kept[key] for key in kept.files if key != "y"}
    y = np.asarray(model(inputs if len(inputs) > 1 else inputs["x"], training=False))
    np.testing.assert_allclose(y, kept["y"], rtol=1e-5, atol=2e-6)
    assert np.abs(kept["y"]).max() > 0.01


def test_what_the_files_do_not_say_is_told():
    notes = "\n".join(imported(file_of("gpt2"), graph_of("gpt2")).notes)
    assert "the file does not say the heads of attention; decoder_layer.0.attention and 1 more have 3" in notes
    assert "the file does not say the causal of attention; decoder_layer.0.attention and 1 more have true" in notes
    assert "rotary" not in notes
    turned = imported(file_of("llama"), graph_of("llama"), Rules.of(LLAMA_RULES)).notes
    assert any("the file does not say the rotary of attention; " in note and "10000" in note for note in turned)
    assert "lm_head and transformer.wte of the file hold the same numbers: they are one layer" in notes


def test_which_channels_are_turned_together_is_asked_for():
    """Of one kernel both ways have the same shape; a guess would be wrong for half of all files."""
    rules = Rules.of({"names": LLAMA_RULES["names"]})
    with pytest.raises(WeightsError) as refused:
        imported(file_of("llama"), graph_of("llama"), rules)
    assert "state it in rules\n  rotary: halves" in str(refused.value)
    kernels = [
        imported(file_of("llama"), graph_of("llama"), Rules.of(LLAMA_RULES | {"rotary": way})).values[
            "decoder_layer.0.attention/query/kernel"
        ]
        for way in ("halves", "pairs")
    ]
    assert kernels[0].shape == (16, 4, 4)
    # A pair that lies side by side here is half a head apart there.
    np.testing.assert_array_equal(kernels[0], kernels[1][..., [0, 2, 1, 3]])


def attention_net(bias=True, width=4, kv_heads=2):
    return archspec.loads(
        "archspec: 1\nname: net\ninputs: {x: [5, 4]}\nbody: [attention: {heads: 2, key_dim: 2, "
        f"kv_heads: {kv_heads}, bias: {str(bias).lower()}}}]\n"
    )


def archive(shapes):
    """Arrays under names of modules; numbers count up."""
    draw = np.random.default_rng(0)
    arrays = {name: draw.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    stored = [(name, Stored(a.shape, lambda a=a: a)) for name, a in arrays.items()]
    return grouped(stored), arrays


def values(shapes, graph):
    found, arrays = archive(shapes)
    return weights.arrays(found, graph, match(found, graph)), arrays


APART = ("query/kernel", "key/kernel", "value/kernel")


@pytest.mark.parametrize(
    "names",
    [
        ("a.q_proj", "a.k_proj", "a.v_proj", "a.o_proj"),
        ("a.attention.self.query", "a.attention.self.key", "a.attention.self.value", "a.attention.output.dense"),
        ("a.wq", "a.wk", "a.wv", "a.wo"),
        ("a.to_q", "a.to_k", "a.to_v", "a.to_out.0"),
        ("q_lin", "k_lin", "v_lin", "out_lin"),
        ("a.attention.q", "a.attention.k", "a.attention.v", "a.attention.out"),
    ],
)
def test_projections_under_the_names_of_many_libraries(names):
    shapes = {f"{name}.weight": (4, 4) for name in names}
    made, arrays = values(shapes, attention_net(bias=False))
    for weight, name in zip(APART, names, strict=False):
        np.testing.assert_array_equal(made[f"attention/{weight}"], arrays[f"{name}.weight"].T.reshape(4, 2, 2))
    out = arrays[f"{names[-1]}.weight"].T.reshape(2, 2, 4)
    np.testing.assert_array_equal(made["attention/attention_output/kernel"], out)


@pytest.mark.parametrize("fused", ["qkv", "qkv_proj", "to_qkv", "Wqkv"])
def test_projections_in_one_with_fewer_heads_of_keys(fused):
    shapes = {f"a.{fused}.weight": (8, 4), "a.out_proj.weight": (4, 4)}
    made, arrays = values(shapes, attention_net(bias=False, kv_heads=1))
    whole = arrays[f"a.{fused}.weight"]
    for weight, rows in zip(APART, (whole[:4], whole[4:6], whole[6:]), strict=True):
        np.testing.assert_array_equal(made[f"attention/{weight}"], rows.T.reshape(4, -1, 2))


BY_HEADS = {
    "gpt_neox.layers.0.attention.query_key_value.weight": (8, 4),
    "gpt_neox.layers.0.attention.dense.weight": (4, 4),
}


def test_projections_of_a_head_together_or_not_is_asked_for():
    """GPT-NeoX's matrix views as (groups, queries of the group + 2, head, in); others' as all queries, keys, values."""
    graph = attention_net(bias=False, kv_heads=1)
    found, arrays = archive(BY_HEADS)
    with refuses(WeightsError):
        match(found, graph)
    fused = arrays["gpt_neox.layers.0.attention.query_key_value.weight"]
    two = {"gpt_neox.layers.0.attention.query_key_value.weight": (12, 4)} | dict(list(BY_HEADS.items())[1:])
    for shapes, kv in ((BY_HEADS, 1), (two, 2)):
        found, arrays = archive(shapes)
        fused, graph = arrays["gpt_neox.layers.0.attention.query_key_value.weight"], attention_net(False, kv_heads=kv)
        for way in ("heads", "parts"):
            rules = Rules.of({"fused": way})
            made = weights.arrays(found, graph, match(found, graph, rules), rules)
            if way == "heads":
                parts = np.split(fused.reshape(kv, -1, 2, 4), [2 // kv, 2 // kv + 1], axis=1)
            else:
                parts = np.split(fused, [4, 4 + 2 * kv])
            for weight, part in zip(APART, parts, strict=True):
                matrix = part.reshape(-1, 4)
                np.testing.assert_array_equal(made[f"attention/{weight}"], matrix.T.reshape(4, -1, 2))


def causal_net(causal="true", rotary="null"):
    return archspec.loads(
        "archspec: 1\nname: net\ninputs: {x: [5, 8]}\n"
        f"body: [attention: {{heads: 2, bias: false, causal: {causal}, rotary: {rotary}}}]\n"
    )


def with_buffers(**buffers):
    draw = np.random.default_rng(0)
    arrays = {f"h.0.attn.{p}_proj.weight": draw.normal(size=(8, 8)).astype("float32") for p in "qkvo"}
    arrays |= {f"h.0.attn.{name}": value for name, value in buffers.items()}
    return grouped([(name, Stored(a.shape, lambda a=a: a)) for name, a in arrays.items()])


MASK = np.tri(16, dtype="uint8").reshape(1, 1, 16, 16)


def frequencies(base):
    return (base ** (-np.arange(0, 4, 2) / 4)).astype("float32")


def test_masks_and_frequencies_are_left_out_with_a_word():
    file = with_buffers(bias=MASK, masked_bias=np.float32(-1e4), **{"rotary_emb.inv_freq": frequencies(10000)})
    pairs, notes = weights.matched(file, causal_net(rotary=10000), Rules.of({"rotary": "halves"}))
    assert list(pairs) == ["attention"]
    assert notes == [
        "not taken from the file, causal masks: h.0.attn.bias",
        "not taken from the file, numbers that masks put in: h.0.attn.masked_bias",
        "not taken from the file, frequencies of positions: h.0.attn.rotary_emb.inv_freq",
    ]


@pytest.mark.parametrize(
    ("file", "graph"),
    [
        (with_buffers(bias=MASK), causal_net(causal="false")),
        (with_buffers(bias=np.ones_like(MASK)), causal_net()),
        (with_buffers(**{"rotary_emb.inv_freq": frequencies(500000)}), causal_net(rotary=10000)),
        (with_buffers(**{"rotary_emb.inv_freq": np.float32([1, 0.5, 0.4])}), causal_net(rotary=10000)),
    ],
    ids=["mask without causal", "no mask", "another base", "no frequencies"],
)
def test_what_a_mask_or_frequencies_say_otherwise_is_refused(file, graph):
    with refuses(WeightsError):
        weights.matched(file, graph, Rules.of({"rotary": "halves"}))


def test_biases_that_are_not_there_add_nothing():
    """BEiT has none for keys; Qwen2 none for the output."""
    shapes = {"a.qkv.weight": (12, 4), "a.q_bias": (4,), "a.v_bias": (4,), "a.proj.weight": (4, 4)}
    made, arrays = values(shapes, attention_net())
    np.testing.assert_array_equal(made["attention/query/bias"], arrays["a.q_bias"].reshape(2, 2))
    np.testing.assert_array_equal(made["attention/value/bias"], arrays["a.v_bias"].reshape(2, 2))
    assert not made["attention/key/bias"].any() and not made["attention/attention_output/bias"].any()


@pytest.mark.parametrize(
    "shapes",
    [
        # Heads that lie between queries, keys and values: GPT-NeoX.
        {"a.query_key_value.weight": (12, 4), "a.dense.weight": (4, 4)},
        {"a.qkv.weight": (12, 4), "a.proj.weight": (4, 4), "a.bias_k": (1, 1, 4)},
        {"a.qkv.weight": (12, 4), "a.proj.weight": (4, 4), "a.out_proj.weight": (4, 4)},
    ],
)
def test_what_is_no_attention_that_is_known_is_refused(shapes):
    with refuses(WeightsError):
        values(shapes, attention_net(bias=False))


def test_what_the_spec_has_as_dense_stays_so():
    graph = archspec.loads(
        "archspec: 1\nname: net\ninputs: {x: [5, 4]}\nbody:\n"
        + "".join(f"  - {{dense: {{units: 4, bias: false}}, as: {name}}}\n" for name in ("q_proj", "k_proj", "v_proj"))
        + "  - {dense: {units: 4, bias: false}, as: o_proj}\n"
    )
    made, arrays = values({f"a.{n}_proj.weight": (4, 4) for n in "qkvo"}, graph)
    np.testing.assert_array_equal(made["k_proj/kernel"], arrays["a.k_proj.weight"].T)


def test_a_matrix_that_lies_the_other_way_round_is_told_by_its_bias():
    """transformers' Conv1D. A square one is turned where others of its name are."""
    graph = archspec.loads(
        "archspec: 1\nname: net\ninputs: {x: [5, 4]}\n"
        "body: [{dense: 6, as: c_fc}, {dense: 4, as: mlp}, {dense: 4, as: square}, {dense: 4, as: plain}]\n"
    )
    shapes = {
        "c_fc.weight": (4, 6), "c_fc.bias": (6,), "mlp.c_proj.weight": (6, 4), "mlp.c_proj.bias": (4,),
        "square.c_proj.weight": (4, 4), "square.c_proj.bias": (4,), "plain.weight": (4, 4), "plain.bias": (4,),
    }  # fmt: skip
    made, arrays = values(shapes, graph)
    for ours, theirs in (("c_fc", "c_fc"), ("mlp", "mlp.c_proj"), ("square", "square.c_proj")):
        np.testing.assert_array_equal(made[f"{ours}/kernel"], arrays[f"{theirs}.weight"])
    np.testing.assert_array_equal(made["plain/kernel"], arrays["plain.weight"].T)


def test_square_matrices_lie_where_others_of_gpt2_do():
    """Of a network whose layers are all as wide as its words, only the one matrix of attention tells it."""
    graph = archspec.loads("archspec: 1\nname: net\ninputs: {x: [5, 4]}\nbody: [attention: 2, {dense: 4, as: c_fc}]\n")
    shapes = {
        "attn.c_attn.weight": (4, 12), "attn.c_attn.bias": (12,), "attn.c_proj.weight": (4, 4),
        "attn.c_proj.bias": (4,), "mlp.c_fc.weight": (4, 4), "mlp.c_fc.bias": (4,),
    }  # fmt: skip
    made, arrays = values(shapes, graph)
    np.testing.assert_array_equal(made["c_fc/kernel"], arrays["mlp.c_fc.weight"])
    output = made["attention/attention_output/kernel"].reshape(4, 4)
    np.testing.assert_array_equal(output, arrays["attn.c_proj.weight"])


@pytest.mark.parametrize("layer", ["separable_conv: {filters: 3, kernel: 1}", "weight_norm: {dense: 3}"])
def test_a_layer_that_is_none_of_pytorchs_is_refused(layer):
    graph = archspec.loads(f"archspec: 1\nname: net\ninputs: {{x: [4, 4, 3]}}\nbody: [{layer}]\n")
    with refuses(WeightsError):
        values({"0.weight": (3, 3), "0.bias": (3,)}, graph)


def test_vectors_that_are_equal_are_no_copies():
    """Fresh norms all hold ones and zeros; one that the spec lacks is a difference."""
    graph = archspec.loads("archspec: 1\nname: net\ninputs: {x: [5, 4]}\nbody: [layer_norm, dense: 4]\n")
    norm = {role: Stored((4,), lambda: np.ones(4)) for role in ("weight", "bias")}
    dense = {"weight": Stored((4, 4), lambda: np.eye(4)), "bias": Stored((4,), lambda: np.ones(4))}
    layers = (StoredLayer("norm1", norm), StoredLayer("norm2", norm), StoredLayer("fc", dense))
    with refuses(WeightsError):
        match(Archive(layers, "torch"), graph)


STAGES = """
archspec: 1
name: net
inputs: {x: [4]}
body:
  - {dense: 4, repeat: {i: "=range(1, 4)"}, as: stage}
  - {dense: 4, as: last}
"""


def stages(names):
    layers = {name: {"weight": (4, 4), "bias": (4,)} for name in names}
    stored = [
        StoredLayer(name, {role: Stored(shape, lambda s=shape: np.zeros(s)) for role, shape in arrays.items()})
        for name, arrays in layers.items()
    ]
    return Archive(tuple(stored), "torch", is_ordered=False)


@pytest.mark.parametrize("right", [r"stage.{\1 + 1}", r"stage.{ (2 * \1 + 2) // 2 }"])
def test_rules_count_with_the_groups_of_a_name(right):
    graph = archspec.loads(STAGES)
    assert [n.layer for n in graph.owners()] == ["stage.1", "stage.2", "stage.3", "last"]
    rules = Rules.of({"names": {r"layers\.(\d+)": right}})
    # What they do not name is matched as always.
    pairs = match(stages(["head", "layers.02", "layers.0", "layers.1"]), graph, rules)
    assert {ours: stored.name for ours, stored in pairs.items()} == {
        "stage.1": "layers.0",
        "stage.2": "layers.1",
        "stage.3": "layers.02",
        "last": "head",
    }


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (r"stage.{\1 - 1}", "-1"),
        (r"stage.{\1 / 2}", "0.5"),
        (r"stage.{i}", "unknown name 'i'"),
        (r"stage.{\1 + }", "expression"),
        (r"stage.{\1", "braces hold an expression"),
        (r"stage.{\2}", "group"),
    ],
)
def test_rules_whose_sums_are_no_numbers_of_layers_are_refused(right, said):
    name = "layers.0" if said == "-1" else "layers.1"
    rules = Rules.of({"names": {r"layers\.(\d+)": right}})
    with pytest.raises(WeightsError) as refused:
        match(stages([name]), archspec.loads(STAGES), rules)
    assert said in str(refused.value)


CHAIN = """
archspec: 1
name: net
inputs: {x: [4]}
body:
  - {dense: 4, as: stem}
  - {dense: 4, repeat: 2, as: dense}
"""


def test_an_outer_layer_of_a_chain_is_not_told_by_its_row():
    """Three equal layers: which of the spec's is the one outside of the row is for the file to say."""
    with refuses(WeightsError):
        match(stages(["layers.0", "layers.1", "head"]), archspec.loads(CHAIN))
