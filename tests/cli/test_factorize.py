"""``archspec factorize``: the sizes that Fast R-CNN's authors have, the distance that Eckart and Young proved, and a
spec with weights that compute what is said."""

from __future__ import annotations

import json

import numpy as np
import pytest

import archspec
from archspec.cli import main
from tests.wording import told

SPEC = """\
archspec: 1
name: net
inputs: {image: [8, 8, 3]}
networks:
  head: {body: [dense: {units: 20, activation: relu}, dense: 10]}
body:
  - {conv: {filters: 16, kernel: 3, stride: 2, padding: 1, activation: relu}, as: c}
  - {reshape: [16, 16], as: cells}
  - {dense: 16, as: other}
  - {head, as: a}
  - {head, from: cells}
  - add: [a, prev]
  - flatten
  - {dense: {units: 30, activation: gelu}, as: wide}
heads:
  main: {body: [dense: {units: 5, activation: softmax}], loss: sparse_categorical_crossentropy}
"""


@pytest.fixture
def factorize(tmp_path, monkeypatch, capsys):
    """The verb on SPEC: its exit code and what it prints as JSON, or on stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)

    def run(*args, spec="net.yaml"):
        capsys.readouterr()
        code = main(["factorize", spec, *args, "--format", "json"])
        said = capsys.readouterr()
        return json.loads(said.out) if code == 0 else (code, said.err)

    return run


@pytest.fixture
def weights(tmp_path):
    """Weights of SPEC by ``layer/weight``, also in weights.npz."""
    draw, graph = np.random.default_rng(0), archspec.load(tmp_path / "net.yaml")
    found = {
        f"{node.layer}/{w.name}": draw.standard_normal(w.shape, "float32")
        for node in graph.owners()
        for w in node.weights
    }
    np.savez(tmp_path / "weights.npz", **found)
    return found


def test_fast_rcnn_has_the_size_of_its_authors(factorize, tmp_path):
    ranks = ("--layer", "box_head.h.0.dense=1024", "--layer", "box_head.h.1.dense=256")
    found = factorize(*ranks, "-o", "svd.yaml", spec="fast_rcnn_vgg16")
    theirs = archspec.table(archspec.load("fast_rcnn_vgg16_svd")).totals
    assert found["params"] == [134_690_729, 47_134_633] and found["macs"][1] == theirs.macs
    written = archspec.table(archspec.load(tmp_path / "svd.yaml")).totals
    assert (written.params, written.macs) == (47_134_633, theirs.macs)
    assert not (tmp_path / "svd.npz").exists()


def test_items_and_convolutions_are_counted_where_they_are_done(factorize):
    found = factorize("--layer", "classifier.fc6=64", "--layer", "classifier.conv1=12", spec="rcnn_softmax")
    first, second = found["layers"]
    assert first["macs"][1] == 2000 * 64 * (9216 + 4096) and first["params"][1] == 64 * (9216 + 4096) + 4096
    assert second["macs"][1] == 2000 * 55 * 55 * 12 * (11 * 11 * 3 + 96)
    listed = factorize(spec="rcnn_softmax")
    names = {layer["layer"] for layer in listed["layers"]}
    # Convolutions in groups have two kernels side by side.
    assert "classifier.conv1" in names and "classifier.conv2" not in names
    assert next(k for k in listed["layers"] if k["layer"] == "classifier.fc7")["even"] == 2047


@pytest.mark.tensorflow
def test_what_is_cut_is_what_eckart_and_young_say():
    from archspec.backend.factorization import decomposed

    kernel = np.random.default_rng(1).standard_normal((3, 3, 5, 24)).astype("float32")
    found, values = decomposed(kernel), np.linalg.svd(kernel.reshape(45, 24).astype("float64"), compute_uv=False)
    for rank in (1, 7, 23, 24):
        first, second = found.factors(rank)
        assert (first.shape, second.shape) == ((3, 3, 5, rank), (rank, 24))
        apart = np.linalg.norm(np.tensordot(first, second, 1) - kernel)
        assert apart == pytest.approx(np.sqrt((values[rank:] ** 2).sum()), abs=1e-4)
        assert 1 - found.energy(rank) == pytest.approx((values[rank:] ** 2).sum() / (values**2).sum(), abs=1e-6)
    assert all(found.energy(r := found.rank_of(e)) >= e > found.energy(r - 1) for e in (0.3, 0.9, 0.99))


@pytest.mark.tensorflow
def test_the_written_spec_computes_what_is_said(factorize, weights, tmp_path):
    import keras

    from archspec.backend.weights import assign, read

    ranks = {"c": 9, "head.dense": 8, "wide": 0.9}
    layers = [argument for layer, rank in ranks.items() for argument in ("--layer", f"{layer}={rank}")]
    found = factorize(*layers, "--weights", "weights.npz", "-o", "small.yaml")
    assert [layer["rank"] for layer in found["layers"]][:2] == [9, 8] and found["layers"][2]["energy"] >= 0.9

    # The network itself with kernels that are the products: what the spec must compute.
    cut = dict(weights)
    for layer in found["layers"]:
        name = f"{layer['layer']}/kernel"
        u, s, v = np.linalg.svd(cut[name].reshape(-1, cut[name].shape[-1]), full_matrices=False)
        cut[name] = ((u * s)[:, : layer["rank"]] @ v[: layer["rank"]]).reshape(cut[name].shape)
    graph, small = archspec.load("net.yaml"), archspec.load("small.yaml")
    before, wanted, made = archspec.compile(graph), archspec.compile(graph), archspec.compile(small)
    for model, values in ((before, weights), (wanted, cut), (made, read(tmp_path / "small.npz", small)[0])):
        assign(model, values)
    images = np.random.default_rng(0).random((4, 8, 8, 3), "float32")
    given = [keras.ops.convert_to_numpy(model(images)) for model in (before, wanted, made)]
    assert np.abs(given[2] - given[1]).max() < 1e-4
    assert np.abs(given[1] - given[0]).max() == pytest.approx(found["outputs"]["main"]["largest"], abs=1e-4)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_nothing_is_lost_at_full_rank(factorize, weights):
    layers = (a for layer in ("c=16", "head.dense=16", "head.dense_2=10", "wide=30") for a in ("--layer", layer))
    found = factorize(*layers, "--weights", "weights.npz")
    assert found["outputs"]["main"]["largest"] < 1e-4
    assert all(
        layer["energy"] == pytest.approx(1) and layer["distance"]["relative"] < 1e-4 for layer in found["layers"]
    )


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_in_factors_is_a_run(tmp_path, monkeypatch, factorize):
    (tmp_path / "digits.yaml").write_text(
        SPEC.replace("[8, 8, 3]", "[8, 8, 1]").replace("{units: 5, activation", "{units: 10, activation")
    )
    main(["train", "digits.yaml", "--data", "digits", "--epochs", "8", "--seed", "0", "--logdir", "run", "--quiet"])
    found = factorize("--layer", "wide=0.95", "-o", "small.yaml", spec="run")
    assert found["examples"].endswith("of test of digits") and found["outputs"]["main"]["relative"] < 0.3
    (tmp_path / "again.yaml").write_text(
        "archspec_run: 1\nspec: small.yaml\ndata: digits\ntrain: {weights: small.npz, epochs: 0}\n"
    )
    assert main(["train", "again.yaml", "--logdir", "again", "--quiet"]) == 0
    accuracies = [archspec.Run.open(logdir).evaluate().figures["top_1"] for logdir in ("run", "again")]
    assert accuracies[0] > 0.9 and accuracies[1] > accuracies[0] - 0.05


@pytest.mark.parametrize(
    "args",
    [
        ("--layer", "wid=4"),
        ("--layer", "wide=31"),
        ("--layer", "wide=0.9"),
        ("--layer", "cells=4"),
        ("-o", "small.yaml"),
        ("--best", "--layer", "wide=4"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(factorize, tmp_path, args):
    code, err = factorize(*args)
    assert code == 2
    told(err)
    assert not (tmp_path / "small.yaml").exists()


@pytest.mark.parametrize("given", ["wide", "wide=0", "wide=1.5", "wide=1.0", "wide=-1", "=3"])
def test_what_is_no_rank_is_refused(factorize, capsys, given):
    with pytest.raises(SystemExit):
        from archspec.cli._arguments import Parser
        from archspec.cli.factorize import add_arguments

        parser = Parser(prog="archspec factorize")
        add_arguments(parser)
        parser.parse(["net.yaml", "--layer", given])
    told(capsys.readouterr().err)
