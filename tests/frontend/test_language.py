"""What the words of the language mean, each shown on a few lines of text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from archspec.frontend import check, load, loads
from archspec.ir.diagnostics import SpecError
from tests.frontend.generator import Plain, generate

HEAD = "archspec: 1\nname: net\n"
IMAGE = "inputs: {image: [16, 16, 4]}\n"


def graph(text: str, head: str = HEAD + IMAGE, **options):
    return loads(head + text, **options)


def names(found) -> list[str]:
    return [node.name for node in found.nodes]


def shapes(found) -> list[tuple[int | None, ...]]:
    return [node.output.shape for node in found.nodes]


def wires(found) -> dict[str, list[str]]:
    return {node.name: [str(t) for t in node.inputs] for node in found.nodes}


def codes(text: str, head: str = HEAD + IMAGE, **options) -> list[str]:
    with pytest.raises(SpecError) as error:
        graph(text, head, **options)
    return [d.code for d in error.value.diagnostics]


# -- names: frozen, since checkpoints, freezing patterns and reports use them ------------------------------------------

NAMED = """
blocks:
  unit: {params: {n: 3}, body: [conv: =n, residual: [relu, batch_norm]]}
networks:
  shared: {body: [{conv: 4, as: kernel}, relu]}
body:
  - conv: 4
  - conv: 4
  - {conv: 4, as: stem}
  - [relu, relu]
  - residual: [conv: 4, conv_bn: {filters: 8, stride: 2}]
  - unit
  - unit: 5
  - {unit: 4, as: named}
  - branches: [[relu], [conv: 4, relu], []]
    merge: concat
  - branches: [[conv: 2], [conv: 2]]
    as: both
    merge: add
  - {conv: 3, repeat: 2}
  - {do: [conv: 3, {relu, as: r}], repeat: {i: [5, 7]}}
  - {do: [conv: 3, {relu, as: q}], repeat: {i: [5, 7]}, as: stage}
  - {conv: 3, each: {i: [a, b]}, merge: add}
  - {conv: 4, repeat: {i: [0.5, 1.5]}, as: half}
  - {shared, as: one}
  - shared
  - {relu, as: "p[6]"}
  - {add: [stem, prev], when: =1 > 2}
heads:
  main: [global_avg_pool, dense: 3]
  aux: {from: one, body: [conv: 2]}
"""


def test_names_are_frozen():
    found = graph(NAMED)
    expected = (Path(__file__).parent / "names.txt").read_text().split()
    assert names(found) == expected
    assert {n.layer for n in found.nodes if n.name != n.layer} == {"shared.kernel"}


def test_inserting_a_layer_elsewhere_renames_nothing():
    """In a named step of its own, anywhere in the body, of generated specs."""
    tried = 0
    for seed in range(150):
        text = generate(random.Random(seed)).text
        before = loads(text, neighbours=False)
        tree = yaml.safe_load(text)
        at = random.Random(seed).randrange(1 if "from" in str(tree["body"][:1]) else 0, len(tree["body"]) + 1)
        tree["body"].insert(at, {"linear": None, "as": "inserted_here"})
        try:
            after = loads(yaml.dump(tree, Dumper=Plain, sort_keys=False), neighbours=False)
        except SpecError as error:
            assert {d.code for d in error.diagnostics} <= {"N01", "H04", "H01"}, (
                error
            )  # no step before it, a bundle, integers
            continue
        assert [n for n in names(after) if n != "inserted_here"] == names(before)
        tried += 1
    assert tried > 100


def test_adding_at_the_end_renames_nothing():
    short = graph("body: [conv: 4, {conv: 4, as: conv_3}, conv: 4]\n")
    longer = graph("body: [conv: 4, {conv: 4, as: conv_3}, conv: 4, conv: 4]\n")
    assert names(longer)[:3] == names(short) and len(set(names(longer))) == 4


# -- chains, references, when ------------------------------------------------------------------------------------------


def test_the_empty_chain_is_the_identity():
    assert wires(graph("body: [relu, [], {do: []}, tanh]\n")) == {"relu": ["image"], "tanh": ["relu"]}


def test_from_takes_a_name_a_list_or_ports():
    found = graph(
        "body:\n  - {conv: 4, as: a}\n  - {relu, from: image}\n"
        "  - {add: [a, prev]}\n  - flatten\n  - reshape: [64, 16]\n"
        "  - {attention: 2, from: {query: prev, value: prev}}\n"
    )
    assert wires(found)["relu"] == ["image"] and wires(found)["add"] == ["a", "relu"]
    assert wires(found)["attention"] == ["reshape", "reshape"]


def test_a_skipped_step_is_the_identity():
    found = graph(
        "body:\n  - {conv: 8, when: false}\n  - {relu, from: image, when: =prev.channels > 4, as: r}\n"
        "  - {tanh, from: r}\n"
    )
    assert wires(found) == {"tanh": ["image"]}


def test_shapes_in_expressions():
    found = graph(
        "body:\n  - conv: {filters: =input.channels * 2, kernel: 3, stride: 2}\n"
        "  - conv: =prev.height + prev.width - prev.rank\n"
    )
    assert shapes(found) == [(8, 8, 8), (8, 8, 13)]


# -- loops and families ------------------------------------------------------------------------------------------------


def test_repeat_feeds_each_turn_with_the_last():
    found = graph("body: [{conv: =prev.channels + 1, repeat: 3}]\n")
    assert [s[-1] for s in shapes(found)] == [5, 6, 7]
    assert wires(found) == {"conv.0": ["image"], "conv.1": ["conv.0"], "conv.2": ["conv.1"]}


def test_each_gives_every_turn_the_same():
    found = graph("body: [{conv: =i, each: {i: [1, 2, 3]}, merge: concat}]\n")
    assert {tuple(v) for k, v in wires(found).items() if k.startswith("conv.")} == {("image",)}
    assert shapes(found)[-1] == (16, 16, 6)


def test_variables_advance_together():
    found = graph("body: [{conv: {filters: =f, kernel: =k}, repeat: {f: [2, 3], k: [1, 5]}}]\n")
    assert [n.weights[0].shape for n in found.nodes] == [(1, 1, 4, 2), (5, 5, 2, 3)]


def test_names_in_a_loop_are_indexed_from_outside_by_the_first_variable():
    found = graph(
        "body:\n  - {do: [{conv: =8 * i, as: c}, max_pool: 2], repeat: {i: [2, 3]}}\n"
        '  - {relu, from: "c[2]"}\n  - {tanh, from: "c[3]"}\nheads: {a: {from: relu_, body: []}}\n'.replace(
            "heads: {a: {from: relu_, body: []}}\n", ""
        )
    )
    assert wires(found)["tanh"] == ["c.3"]


def test_families_grow_inside_and_outside():
    found = graph(
        'body:\n  - {conv: 4, as: "m[5]"}\n  - {do: [{add: [prev, image], as: m}], repeat: {i: [4, 3]}}\n'
        '  - {relu, each: {i: [3, 4, 5]}, from: "m[i]", as: p}\nheads: {all: {from: p}}\n'
    )
    assert [o.name for o in found.outputs] == ["all.3", "all.4", "all.5"]
    assert wires(found)["p.5"] == ["m.5"]


def test_a_turn_sees_the_turn_before_by_index():
    found = graph(
        'body:\n  - {conv: 4, as: "x[0]"}\n  - {do: [{add: ["x[i - 1]", image], as: x}], repeat: {i: [1, 2, 3]}}\n'
    )
    assert wires(found)["x.3"] == ["x.2", "image"]


def test_a_loop_without_turns_is_the_identity():
    assert wires(graph("body: [relu, {conv: 8, repeat: 0}, tanh]\n"))["tanh"] == ["relu"]


def test_nested_loops_index_by_the_outermost():
    found = graph(
        'body:\n  - do:\n      - {conv: =i, repeat: {j: 2}, as: u}\n    repeat: {i: [3, 5]}\n  - {relu, from: "u[3]"}\n'
    )
    assert wires(found)["relu"] == ["u.1.3"] or wires(found)["relu"][0].startswith("u.")


@pytest.mark.parametrize("step", ["relu", "conv: 3", "residual: [relu]", "{tanh, repeat: 2}"])
def test_a_bundle_meets_only_a_merge_an_each_an_index_or_a_head(step):
    assert "H04" in codes(f"body: [{{conv: 3, each: 2}}, {step}]\n")


def test_bundles_are_flattened_in_order_within_a_merge():
    found = graph(
        "body:\n  - {conv: =i, each: {i: [1, 2]}, as: a}\n  - {conv: 5, from: image, as: b}\n  - {concat: [b, a]}\n"
    )
    assert wires(found)["concat"] == ["b", "a.1", "a.2"]


# -- blocks and networks -----------------------------------------------------------------------------------------------


def test_a_block_makes_new_weights_and_a_network_reuses_its_own():
    both = "{body: [conv: 4]}\nbody: [unit, unit, unit]\n"
    block, network = graph("blocks:\n  unit: " + both), graph("networks:\n  unit: " + both)
    assert len({n.layer for n in block.nodes}) == 3 and len({n.layer for n in network.nodes}) == 1
    assert sum(n.params for n in network.owners()) * 3 == sum(n.params for n in block.owners())


def test_a_block_as_an_argument_keeps_its_own_file(tmp_path):
    (tmp_path / "wide.yaml").write_text(
        HEAD.replace("net", "wide") + IMAGE + "params: {base: 7, unit: {type: block, default: inner}}\n"
        "blocks: {inner: {body: [conv: =base]}}\nbody: [unit, {relu, as: last}]\n"
    )
    (tmp_path / "net.yaml").write_text(
        HEAD + IMAGE + "use: {wide: wide.yaml}\nparams: {base: 3}\nblocks: {mine: {body: [conv: =base + 1]}}\n"
        "body:\n  - {wide, as: a}\n  - {wide: {unit: mine, base: 9}, from: image, as: b}\n"
        "  - {concat: [a.last, b.last]}\n"
    )
    found = load(str(tmp_path / "net.yaml"))
    assert [n.output.channels for n in found.nodes if n.op.name == "conv"] == [7, 4]
    assert shapes(found)[-1] == (16, 16, 11)


def test_defaults_do_not_leak_into_used_files_or_the_prelude(tmp_path):
    (tmp_path / "used.yaml").write_text(HEAD.replace("net", "used") + IMAGE + "body: [conv: 4]\n")
    (tmp_path / "net.yaml").write_text(
        HEAD + IMAGE + "use: {used: used.yaml}\ndefaults: {conv: {kernel: 3, bias: false}}\n"
        "blocks: {unit: {body: [conv: 4]}}\nbody: [used, conv_bn: {filters: 4, kernel: 1}, conv: 4, unit]\n"
    )
    convs = [n for n in load(str(tmp_path / "net.yaml")).nodes if n.op.name == "conv"]
    assert [(n.op.kernel, n.op.bias) for n in convs] == [(1, True), (1, False), (3, False), (3, False)]


def test_an_argument_goes_before_a_default():
    (node,) = graph("defaults: {conv: {kernel: 3}}\nbody: [conv: {filters: 4, kernel: 5}]\n").nodes
    assert node.op.kernel == 5


def test_a_block_sees_its_parameters_and_the_files_but_no_names_of_the_caller():
    assert (
        shapes(graph("params: {w: 6}\nblocks: {b: {params: {n: int}, body: [conv: =w + n]}}\nbody: [b: 2]\n"))[0][-1]
        == 8
    )
    assert codes("blocks: {b: {body: [{relu, from: a}]}}\nbody: [{conv: 3, as: a}, b]\n") == ["N01"]


def test_named_inputs_of_a_block():
    found = graph(
        "blocks: {join: {inputs: [a, b], body: [{subtract: [b, a]}]}}\n"
        "body:\n  - {relu, as: r}\n  - {join, from: {b: r, a: image}}\n  - {join, from: [r, image]}\n"
    )
    assert wires(found)["join_2.subtract"] == ["image", "r"]


def test_whole_floats_are_integers():
    assert shapes(graph("body: [conv: =8 / 2]\n"))[0][-1] == 4
    assert codes("body: [conv: =9 / 2]\n") == ["T01"]


# -- residual ----------------------------------------------------------------------------------------------------------


def test_project_auto_inserts_a_convolution_only_where_the_skip_does_not_fit():
    fits = graph("body: [residual: [conv: 4]]\n")
    wider = graph("body: [residual: [conv: 8]]\n")
    strided = graph("body: [residual: [conv: {filters: 4, stride: 3}]]\n")
    gated = graph("body: [{residual: [global_avg_pool: {keep: true}, conv: 4], merge: multiply}]\n")
    assert names(fits) == ["conv", "add"] and names(gated) == ["global_avg_pool", "conv", "multiply"]
    for found in (wider, strided):
        assert names(found) == ["conv", "projection.conv", "projection.batch_norm", "add"]
    assert strided.by_name["projection.conv"].op.stride == 3


@pytest.mark.parametrize("sizes", [(6, 7, 1, 2), (7, 7, 4, 4), (9, 10, 3, 4), (8, 8, 3, 3)])
def test_the_stride_of_a_projection_is_any_that_brings_the_sizes(sizes):
    h, w, a, b = sizes
    found = loads(HEAD + f"inputs: {{x: [{h}, {w}, 2]}}\nbody: [residual: [center_crop: [{a}, {b}]]]\n")
    stride = found.by_name["projection.conv"].op.stride
    assert (-(-h // stride), -(-w // stride)) == (a, b)


def test_project_none_and_project_by_steps():
    assert codes("body: [residual: {body: [conv: 8], project: none}]\n") == ["H01"]
    assert codes("defaults: {residual: {project: none}}\nbody: [residual: [conv: 8]]\n") == ["H01"]
    found = graph("body: [residual: {body: [conv: 8], project: [conv: 8, relu]}]\n")
    assert names(found) == ["conv", "projection.conv", "projection.relu", "add"]


def test_project_with_open_sizes_is_decided_or_refused():
    head = HEAD + "inputs: {image: [H, W, 4]}\n"
    assert names(graph("body: [residual: [conv: {filters: 4, kernel: 3}]]\n", head)) == ["conv", "add"]
    strided = graph("body: [residual: [conv: {filters: 4, stride: 2}]]\n", head)
    assert strided.by_name["projection.conv"].op.stride == 2
    assert codes("body: [residual: [conv: {filters: 4, kernel: 3, padding: valid}]]\n", head) == ["H02"]


# -- files, variants, heads --------------------------------------------------------------------------------------------


def test_variants_are_named_arguments(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(
        HEAD + IMAGE + "params: {n: int, m: 2}\nbody: [conv: =n * m]\nvariants: {a: {n: 3}, b: {n: 4, m: 5}}\n"
    )
    assert [g.nodes[0].output.channels for g in check(str(path))] == [6, 20]
    assert load(str(path), variant="b", set={"m": 1}).nodes[0].output.channels == 4
    for variant, code in (("c", "V01"), (None, "P02")):
        with pytest.raises(SpecError) as error:
            load(str(path), variant=variant)
        assert [d.code for d in error.value.diagnostics] == [code]


def test_a_used_file_is_called_with_a_variant_and_its_names_are_ports(tmp_path):
    (tmp_path / "used.yaml").write_text(
        HEAD.replace("net", "used") + IMAGE + "params: {n: int}\n"
        "body:\n  - {conv: =n * i, repeat: {i: [1, 2]}, as: last}\n  - {do: [{relu, as: c}], repeat: {i: [2, 3]}}\n"
        "heads: {main: [flatten, dense: 9]}\nvariants: {small: {n: 2}, big: {n: 6}}\n"
    )
    path = tmp_path / "net.yaml"
    path.write_text(
        HEAD + IMAGE + 'use: {used: used.yaml}\nbody:\n  - {used: {variant: big}, as: u}\n  - {tanh, from: "u.c[2]"}\n'
    )
    found = load(str(path))
    assert wires(found)["tanh"] == ["u.c.2"] and shapes(found)[-1] == (16, 16, 12)
    assert "dense" not in [n.op.name for n in found.nodes], "heads of a used file are not built"


def test_heads_stand_on_the_trunk_or_on_a_name_and_train_only_ones_leave_the_inference_graph():
    found = graph(
        "body:\n  - {conv: 8, as: a}\n  - conv: 4\nheads:\n  main: [global_avg_pool, dense: 3]\n"
        "  aux: {from: a, body: [conv: 2], train_only: true, weight: 0.3}\n"
    )
    assert [(o.name, o.train_only, o.weight) for o in found.outputs] == [("main", False, 1.0), ("aux", True, 0.3)]
    assert names(found.inference()) == ["a", "conv", "main.global_avg_pool", "main.dense"]


def test_nodes_that_nothing_needs_are_left_out():
    assert names(graph("body: [{conv: 9, as: unused}, {relu, from: image}]\n")) == ["relu"]


def test_limits_are_counted_while_expanding():
    assert codes("body: [{relu, repeat: 600}]\n", max_layers=500) == ["B02"]
    assert len(graph("body: [{relu, repeat: 500}]\n", max_layers=500).nodes) == 500
    assert codes("body: [{do: [{relu, when: false}], repeat: 150000}]\n") == ["B01"]


def test_a_family_is_no_member_of_itself():
    from archspec.frontend import loads
    from archspec.ir.diagnostics import SpecError

    body = "  - do: [{conv: 4}, {as: m, from: m}, {add: [prev, m]}]\n    repeat: {i: 3}\n"
    with pytest.raises(SpecError):
        loads(f"archspec: 1\nname: n\ninputs: {{x: [8, 8, 4]}}\nbody:\n{body}")
