"""The adversarial systems of the catalogue, trained from their run files, judged by what did not train them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from archspec.training.trained import trained
from tests.shares import SEEDS, few
from tests.tasks.adversarial.recipes import data_for, plan_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
VECTORS = json.loads((Path(__file__).parents[2] / "reference" / "vectors_gan.json").read_text())


def run(plan, logdir):
    from archspec.training.run import run

    return run(plan, logdir, progress=None)


def rounds(plan, logdir):
    """The networks of a finished run, as rounds that can be sampled."""
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    return AlternatingUpdates(plan.graph, trained(plan.graph, logdir / "weights.npz"))


def network(model, name):
    """One network of several, as a function of arrays."""
    import keras

    ends = model.networks.input, model.networks.output
    if isinstance(ends[0], dict):
        ends = tuple(next(value for key, value in end.items() if key.startswith(f"{name}.")) for end in ends)
    alone = keras.Model(*ends)
    return lambda x: alone.predict(x, batch_size=100, verbose=0)


# --- digits -----------------------------------------------------------------------------------------------------------


@cache
def digits(size):
    """Training and held-out images in -1 … 1, flat, with their labels; images are as the run files make them."""
    import tensorflow as tf

    from archspec.data.sources.digits import Digits

    out = []
    for split in ("train", "test"):
        arrays = Digits().arrays(split)
        image = tf.image.resize(arrays["image"], (size, size)).numpy().round() / 127.5 - 1
        out.append((image.reshape(len(image), -1), arrays["label"]))
    return out


@cache
def judge(size):
    """A classifier that never saw a made image: scikit-learn's, right in 97 % of held-out digits."""
    from sklearn.neural_network import MLPClassifier

    (x, y), (held_out, labels) = digits(size)
    found = MLPClassifier((128,), alpha=0.01, max_iter=300, random_state=0).fit(x, y)
    assert found.score(held_out, labels) >= 0.97
    return found


def diversity(samples, labels, size):
    """By class, the mean distance between two samples over that between two real images."""
    from scipy.spatial.distance import pdist

    x, y = digits(size)[0]
    return [pdist(samples[labels == k]).mean() / pdist(x[y == k]).mean() for k in range(10)]


def test_the_judge_of_digits_is_sure_of_digits_and_of_nothing_else():
    (_, _), (held_out, _) = digits(16)
    sure = (judge(16).predict_proba(held_out).max(1) >= 0.9).mean()
    noise = np.random.default_rng(0).uniform(-1, 1, (1000, 256))
    assert sure >= 0.9
    assert (judge(16).predict_proba(noise).max(1) >= 0.9).mean() < 0.5
    assert min(diversity(*digits(16)[1], 16)) > 0.85


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_a_conditional_generator_makes_the_digits_that_are_asked_for(seed, tmp_path):
    plan = plan_of("cgan_digits", tmp_path, seed=seed)
    run(plan, tmp_path / "run")
    labels = np.arange(1000, dtype="int32") % 10
    samples = rounds(plan, tmp_path / "run").sample(1000, seed=99, given={"label": labels}).reshape(1000, -1)
    said = judge(8).predict(samples)
    agreement, spread = (said == labels).mean(), diversity(samples, labels, 8)
    shuffled = (said == np.random.default_rng(0).permutation(labels)).mean()
    print(f"cgan_digits, seed {seed}: agreement {agreement:.3f}, shuffled {shuffled:.3f}, diversity {min(spread):.2f}")
    assert agreement >= 0.85
    assert 0.05 <= shuffled <= 0.15
    assert min(spread) >= 0.5


@pytest.fixture(scope="module", params=(0, 1, 2))
def digits_made(request, tmp_path_factory):
    """What the judge says of 1,000 samples of a trained DCGAN: how sure it is, shares of classes, least diversity."""
    folder = tmp_path_factory.mktemp("dcgan")
    plan = plan_of("dcgan_digits", folder, seed=request.param)
    run(plan, folder / "run")
    samples = rounds(plan, folder / "run").sample(1000, seed=99).reshape(1000, -1)
    probabilities = judge(16).predict_proba(samples)
    labels = probabilities.argmax(1)
    sure, shares = (probabilities.max(1) >= 0.9).mean(), np.bincount(labels, minlength=10) / 1000
    spread = diversity(samples, labels, 16)
    print(
        f"dcgan_digits, seed {request.param}: sure of {sure:.3f}, classes {shares.min():.3f} to {shares.max():.3f}, "
        f"diversity {min(spread):.2f}"
    )
    return sure, shares, min(spread)


@pytest.mark.long
def test_a_convolutional_generator_makes_digits_of_every_class(digits_made):
    _, shares, spread = digits_made
    assert shares.min() >= 0.03 and shares.max() <= 0.25
    assert spread >= 0.5


@pytest.mark.long
@pytest.mark.xfail(reason="0.67, 0.70 and 0.67 are measured where 0.8 is the bar: see the run file", strict=True)
def test_the_judge_is_sure_of_what_a_convolutional_generator_makes(digits_made):
    assert digits_made[0] >= 0.8


# --- translation ------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("seed", (0, 1, 2))
def test_unpaired_pictures_are_turned_into_negatives_and_back(seed, tmp_path):
    plan = plan_of("cyclegan_toy", tmp_path, seed=seed)
    run(plan, tmp_path / "run")
    model = rounds(plan, tmp_path / "run")
    there, back = network(model, "G"), network(model, "F")
    a, b = (plan.source.arrays("test")[name] / 127.5 - 1 for name in "ab")
    made = there(a)
    # Halved: of colours from 0 to 1, where the networks' are from -1 to 1.
    cycle = (np.abs(back(made) - a).mean() + np.abs(there(back(b)) - b).mean()) / 2 / 2
    # The negative of a is -a, which no example shows.
    distance, identity = np.abs(made + a).mean() / 2, np.abs(2 * a).mean() / 2
    print(f"cyclegan_toy, seed {seed}: cycle {cycle:.4f}, from the negative {distance:.3f}, identity {identity:.3f}")
    assert cycle <= 0.05
    assert distance <= identity / 2


# --- super-resolution -------------------------------------------------------------------------------------------------


def test_pixels_are_shuffled_as_torch_shuffles_them():
    import archspec
    from archspec.ir.tensors import TensorSpec
    from archspec.ops.shuffle import PixelShuffle

    assert archspec.load("srgan").networks["G"].outputs
    vector = VECTORS["pixel_shuffle"]
    x, out = (np.moveaxis(np.array(vector[name], "float32"), 1, -1) for name in ("x", "out"))
    layer = PixelShuffle(factor=2).lower(TensorSpec(x.shape[1:]))
    np.testing.assert_array_equal(layer(x), out)

    # Three channels, r = 2: channel c·4 + 2·i + j of the input is row i, column j of channel c.
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 12)).astype("float32")
    wanted = np.empty((2, 10, 8, 3), "float32")
    for c in range(3):
        for i in range(2):
            for j in range(2):
                wanted[:, i::2, j::2, c] = x[..., c * 4 + i * 2 + j]
    np.testing.assert_array_equal(PixelShuffle(factor=2).lower(TensorSpec((5, 4, 12)))(x), wanted)


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Four patches of 32×32 out of scikit-learn's two photographs, 64 times each, so that an epoch has 64 rounds."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    folder = tmp_path_factory.mktemp("patches")
    cuts = [image[r : r + 32, c : c + 32] for image in load_sample_images().images for r, c in ((100, 150), (250, 350))]
    for split, times in (("train", 64), ("val", 1)):
        (folder / split).mkdir()
        for i, cut in enumerate(cuts * times):
            Image.fromarray(cut).save(folder / split / f"{i:03}.png")
    return folder


@pytest.fixture(scope="module")
def squeezenet(data, tmp_path_factory):
    """SqueezeNet 1.0 with its authors' weights, as ``archspec weights import`` writes them."""
    import archspec
    from archspec.backend import weights
    from tests.backend.caffe import caffemodel
    from tests.backend.test_real_weights import decompressed

    graph = archspec.load("squeezenet1_0_caffe")
    kernels = [node.weights[0].shape for node in graph.owners() if node.weights]
    shapes = [(k[3], k[2], k[0], k[1]) for k in kernels]
    blobs = decompressed(data("w_squeezenet_dc/compressed_SqueezeNet.net"), shapes)
    folder = tmp_path_factory.mktemp("weights")
    (folder / "released.caffemodel").write_bytes(
        caffemodel((f"conv{k}", "Convolution", list(pair)) for k, pair in enumerate(blobs))
    )
    values, _ = weights.read(folder / "released.caffemodel", graph)
    weights.write(folder / "squeezenet.npz", values)
    return folder / "squeezenet.npz"


def gain(plan, made):
    """PSNR of what is made of the held-out batch, over bicubic's, in dB."""
    import tensorflow as tf

    batch, _ = next(iter(plan.pipeline.evaluation("val", lambda batch: (batch, ()))))
    small, large = batch["small"].numpy(), batch["large"].numpy()

    def psnr(image):
        return 10 * np.log10(4 / np.mean((np.clip(image, -1, 1) - large) ** 2))

    return psnr(made(small)) - psnr(tf.image.resize(small, large.shape[1:3], "bicubic").numpy())


@pytest.fixture(scope="module", params=SEEDS)
def first_stage(request, patches, tmp_path_factory):
    """Plan and run directory of a generator that was trained by pixels alone."""
    folder = tmp_path_factory.mktemp("srresnet")
    plan = plan_of("srresnet_patches", folder, data={"pictures": str(patches)}, seed=request.param)
    run(plan, folder / "run")
    return plan, folder / "run"


@pytest.mark.long
def test_pixels_alone_overfit_four_patches(first_stage):
    plan, logdir = first_stage
    found = gain(plan, network(rounds(plan, logdir), "G"))
    print(f"srresnet_patches, seed {plan.spec.train.seed}: {found:.2f} dB over bicubic")
    assert found >= 6


@pytest.mark.long
def test_an_adversarial_stage_goes_on_from_pixels_and_its_features_stay(first_stage, patches, squeezenet, tmp_path):
    before, logdir = first_stage
    weights = {"G": str(logdir / "weights.npz"), "V.features": str(squeezenet)}
    seed = before.spec.train.seed
    plan = plan_of("srgan_patches", tmp_path, data={"pictures": str(patches)}, weights=weights, seed=seed)
    result = run(plan, tmp_path / "run")
    model, released = rounds(plan, tmp_path / "run"), np.load(squeezenet)
    for layer in ("conv", "fire_out.5.branches.1.conv"):
        kernel = model.networks.get_layer(f"V.features.{layer}").get_weights()[0]
        np.testing.assert_array_equal(kernel, released[f"{layer}/kernel"])
    assert {"G.mse.fake_content", "G.binary_crossentropy.fake_score", "D.loss"} <= set(result.training)
    found = gain(plan, network(model, "G"))
    print(f"srgan_patches, seed {seed}: {found:.2f} dB over bicubic")
    assert found > 0


# --- all others -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two folders of six pictures of 40×32."""
    from PIL import Image

    folder, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for kind in ("one", "other"):
        (folder / kind).mkdir()
        for i in range(6):
            Image.fromarray(draw.integers(0, 256, (32, 40, 3)).astype("uint8")).save(folder / kind / f"{i}.png")
    return folder


SMALL = {
    "gan_digits": {},
    "wgan_digits": {"first_turns": 6, "width": 8},
    "wgan_gp_digits": {"width": 8},
    "pix2pix_facades": {"width": 2},
    "cyclegan": {"width": 2, "blocks": 1},
    "srresnet": {"width": 4},
    "srgan": {"width": 4},
}


@pytest.mark.parametrize("name", few(SMALL, "wgan_gp_digits", "pix2pix_facades"))
def test_a_run_file_trains_and_its_terms_are_numbers(name, pictures, tmp_path):
    data = data_for(name, pictures / "one", pictures / "other")
    batch = {} if "digits" in name else {"batch": 2}
    plan = plan_of(name, tmp_path, settings=SMALL[name], data=data, epochs=1, **batch)
    start = {name: value.copy() for name, value in weights_of(plan, None).items()}
    result = run(plan, tmp_path / "run")
    assert result.steps == plan.steps
    terms = {f"{step.name}.{term.name}" for step in plan.graph.training.steps for term in step.minimize}
    assert terms <= set(result.training) and np.isfinite(list(result.training.values())).all()
    after = weights_of(plan, tmp_path / "run" / "weights.npz")
    updated = {network for step in plan.graph.training.steps for network in step.update}
    for network in plan.graph.networks:
        mine = [key for key in after if key.startswith(f"{network}.") and key.endswith("/kernel")]
        assert mine
        moved = [not np.array_equal(after[key], start[key]) for key in mine]
        assert all(moved) if network in updated else not any(moved)


def weights_of(plan, path):
    """``layer/weight`` → array: of a file, or as the run begins."""
    if path is not None:
        return dict(np.load(path))
    import keras

    from archspec.backend.build import compile

    keras.utils.set_random_seed(plan.spec.train.seed)
    model = compile(plan.graph, training=True)
    return {f"{layer.name}/{w.path.rpartition('/')[2]}": w.numpy() for layer in model.layers for w in layer.weights}
