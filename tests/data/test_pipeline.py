"""The order of examples and what is drawn for them: by seed, epoch and example alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

from archspec.data.errors import DataError
from archspec.data.pipeline import Pipeline
from archspec.data.source import TRAIN, DataSource
from archspec.data.sources.digits import Digits
from archspec.data.sources.folder import Folder
from archspec.data.transform import TransformError
from archspec.data.transforms.caching import Cache
from archspec.data.transforms.crops import RandomResizedCrop, ResizedCenterCrop
from archspec.data.transforms.geometry import Mirror, Resize, Rotate, Shift
from archspec.data.transforms.intensity import Rescale
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
AUGMENT = (Resize(size=16), Shift(share=0.1), Rotate(degrees=10), Mirror(), Rescale())


def both(batch):
    return batch["image"], batch["index"]


def pipeline(augment=AUGMENT, batch=64, seed=3, source=None):
    source = source or Digits()
    steady = tuple(t for t in augment if not t.is_random)
    return Pipeline(source, source.features(), augment, steady, batch, seed)


def steps(p, count, **options):
    return [(x.numpy(), y.numpy()) for x, y in p.training(both, **options).take(count)]


def test_an_epoch_has_no_example_twice_and_the_next_another_order():
    p = pipeline()
    order = [index for _, index in steps(p, 2 * p.steps_per_epoch())]
    first, second = (np.concatenate(order[: len(order) // 2]), np.concatenate(order[len(order) // 2 :]))
    assert len(set(first)) == len(first) == p.steps_per_epoch() * 64
    assert set(first) <= set(range(p.raw.splits[TRAIN]))
    assert not np.array_equal(first, second)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_equal_seeds_give_equal_batches_and_others_do_not():
    once, again, other = (steps(pipeline(seed=seed), 3) for seed in (3, 3, 4))
    for (x, i), (y, j), (_, k) in zip(once, again, other, strict=True):
        assert np.array_equal(x, y) and np.array_equal(i, j) and not np.array_equal(i, k)


@pytest.mark.fast(1)
@pytest.mark.parametrize("first", [1, 21, 22, 47])
def test_any_step_can_be_the_first(first):
    p = pipeline()
    assert p.steps_per_epoch() == 22
    for (x, i), (y, j) in zip(steps(p, first + 2)[first:], steps(p, 2, first_step=first), strict=True):
        assert np.array_equal(x, y) and np.array_equal(i, j)


@pytest.mark.slow
def test_shards_are_the_parts_of_each_batch():
    whole, *parts = (steps(pipeline(), 3, shard=shard) for shard in ((0, 1), (0, 2), (1, 2)))
    for k, (x, i) in enumerate(whole):
        assert np.array_equal(x, np.concatenate([part[k][0] for part in parts]))
        assert np.array_equal(i, np.concatenate([part[k][1] for part in parts]))
    with refuses(DataError):
        pipeline().training(both, shard=(0, 3))


def test_what_is_drawn_does_not_depend_on_the_batch():
    drawn = {}
    for batch in (16, 48):
        for x, index in steps(pipeline(batch=batch), 3 * 48 // batch):
            for image, i in zip(x, index, strict=True):
                drawn.setdefault(int(i), []).append(image)
    twice = [images for images in drawn.values() if len(images) == 2]
    assert len(twice) > 40
    assert all(np.array_equal(*images) for images in twice)


def test_another_epoch_draws_anew():
    p = pipeline(batch=1437)
    (x, i), (y, j) = steps(p, 2)
    a, b = x[np.argsort(i)], y[np.argsort(j)]
    changed = np.abs(a - b).reshape(len(a), -1).max(1) > 0
    assert changed.mean() > 0.99


@pytest.mark.slow
def test_given_examples_are_seen_epoch_by_epoch_as_in_each_alone():
    p, index = pipeline(), [3, 1, 4, 1, 5, 9]
    for epoch, found in zip((0, 7, 2), p.examples_in(index, (0, 7, 2), AUGMENT), strict=True):
        alone = p.examples_at(index, epoch, AUGMENT)
        assert found.keys() == alone.keys() and all(np.array_equal(found[k], alone[k]) for k in found)
        assert set(found["epoch"]) == {epoch} and found["index"].tolist() == index


def test_evaluation_sees_every_example_once_in_order_and_unchanged():
    p = pipeline((Mirror(), Shift(share=0.2)), batch=50)
    batches = list(p.evaluation("test", both))
    assert [len(i) for _, i in batches] == [50] * 7 + [10]
    seen = np.concatenate([x for x, _ in batches])
    assert np.array_equal(np.concatenate([i for _, i in batches]), np.arange(360))
    assert np.array_equal(seen, Digits().arrays("test")["image"])


@pytest.mark.fast(1)
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_of_an_evaluation_are_counted_beforehand(class_folders, batch):
    """Keras warns that data ran out where it does not know how many there are."""
    p = pipeline((Resize(size=8),), batch=batch, source=Folder(path=class_folders))
    batches = p.evaluation("val", both)
    assert int(batches.cardinality()) == len(list(batches)) == -(-p.raw.splits["val"] // batch)


def test_batches_are_never_larger_than_the_data(class_folders):
    source = Folder(path=class_folders)
    p = pipeline((Resize(size=8),), batch=500, source=source)
    assert (p.batch_size(), p.steps_per_epoch()) == (10, 1)
    assert steps(p, 1)[0][0].shape == (10, 8, 8, 3)


@pytest.mark.fast(1)
@pytest.mark.parametrize("transform", [RandomResizedCrop(size=10), ResizedCenterCrop(size=10, share=0.8)])
def test_decoding_a_part_gives_what_a_part_of_the_whole_is(class_folders, transform):
    """Against the same window cut out of the decoded image: JPEG's colours differ at its borders."""
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.images import decode

    p = pipeline((transform,), batch=10, source=Folder(path=class_folders))
    (x, index), *_ = steps(p, 1)
    entries = p.source.listing().splits[TRAIN]
    for image, i in zip(x, index, strict=True):
        whole = decode(tf.io.read_file(entries[i].path), 3)
        draw = Draw(3, f"{transform.name}/0", tf.constant([0], tf.int64), tf.constant([i], tf.int64))
        shape = tf.shape(whole)
        top, left, height, width = (
            int(n[0]) for n in transform.window((shape[:1], shape[1:2]), transform.window_draws(draw))
        )
        assert top >= 0 and left >= 0 and top + height <= shape[0] and left + width <= shape[1]
        wanted = tf.image.resize(whole[top : top + height, left : left + width], (10, 10)).numpy()
        assert np.abs(image - wanted).mean() < (2.5 if entries[i].path.endswith("jpg") else 0.6)


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.slow
def test_a_cache_changes_nothing_but_the_time(class_folders, where):
    source = Folder(path=class_folders)
    steady, drawn = (Resize(size=12),), (Mirror(), Shift(share=0.2), Rescale())
    plain = pipeline((*steady, *drawn), batch=5, source=source)
    cached = pipeline((*steady, Cache(where=where), *drawn), batch=5, source=source)
    for _ in range(2):
        for (x, i), (y, j) in zip(steps(plain, 4), steps(cached, 4), strict=True):
            assert np.array_equal(x, y) and np.array_equal(i, j)


def test_a_cache_after_what_is_random_is_refused():
    with refuses(TransformError) as refusal:
        pipeline((Mirror(), Cache())).features()
    assert refusal.value.position == 1


@pytest.mark.slow
@pytest.mark.long
def test_deterministic_operations_give_the_same(class_folders):
    """TensorFlow's own switch refuses operations that are not: none of ours is, compiled passes included."""
    code = (
        "import sys, numpy as np, tensorflow as tf; from pathlib import Path;"
        "tf.config.experimental.enable_op_determinism(); tf.keras.utils.set_random_seed(1);"
        "from archspec.data.pipeline import Pipeline; from archspec.data.sources.folder import Folder;"
        "from archspec.data.transform import Transform; s = Folder(path=Path(sys.argv[1]));"
        "made = lambda n, **k: Transform.find(n).model_validate(k);"
        "t = (made('random_resized_crop', size=16), made('mirror'), made('color_jitter', hue=0.1, contrast=0.3),"
        " made('pca_noise'), made('rand_augment'), made('aug_mix'), made('random_erasing'), made('cutmix'));"
        "p = Pipeline(s, s.features(), t, (), 4, 0);"
        "print([int(x.numpy().astype(int).sum()) for x, _ in p.training(lambda b: (b['image'], b['label'])).take(4)])"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = [
        subprocess.run([sys.executable, "-c", code, class_folders], capture_output=True, text=True, env=environment)
        for _ in range(2)
    ]
    assert run[0].returncode == 0, run[0].stderr[-2000:]
    assert run[0].stdout == run[1].stdout and run[0].stdout.startswith("[")


def test_all_kinds_of_source_say_what_they_are():
    for source in DataSource.all():
        # Sources of several images for an example are neither; one of another source's examples is what that one is.
        flags = [flag for flag in (source.in_memory, source.is_encoded) if isinstance(flag, bool)]
        assert source.summary() and sum(flags) <= 1
        assert set(source.field_docs()) == set(source.model_fields)
