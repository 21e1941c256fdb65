"""Segmentation: losses and figures against NumPy by hand, refusals, and a run from photos to masks."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.data.example import Example, feature_of
from archspec.data.features.mask import Mask
from archspec.evaluators.segmentation import PixelClasses, boundary_scores
from archspec.ir.diagnostics import SpecError
from archspec.ir.tensors import TensorSpec
from archspec.tasks.segmentation.weights import median_frequency
from tests.wording import refuses

SPEC = """
archspec: 1
name: small
inputs: {image: [16, 16, 3]}
body:
  - {conv: {filters: 8, kernel: 3, activation: relu}}
  - {conv: {filters: 8, kernel: 3, activation: relu}}
heads: {mask: {body: [conv: {filters: CLASSES, activation: softmax}], loss: categorical_crossentropy}}
"""
RUN = """
archspec_run: 1
spec: net.yaml
data: {masks: {path: photos, values: {0: ground, 9: disc}}}
train: {epochs: 20, batch: 4, seed: 1, optimizer: {adam: 0.02}, task: TASK}
"""
UNPADDED = SPEC.replace("inputs: {image: [16, 16, 3]}", "inputs: {image: [20, 20, 3]}").replace(
    "kernel: 3", "kernel: 3, padding: valid"
)
COARSE = UNPADDED.replace("heads:", "  - max_pool: 2\nheads:")
RANDOM = np.random.default_rng(3)
TRUE = RANDOM.choice([0, 1, 2, 255], (2, 4, 5, 1)).astype(np.uint8)
SAID = RANDOM.dirichlet((1, 1, 1), (2, 4, 5)).astype(np.float32)


def photos(folder, count=10, size=24):
    """Discs on dark ground; the mask has 9 where the disc is."""
    random = np.random.default_rng(5)
    y, x = np.mgrid[:size, :size]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        cx, cy = random.uniform(7, size - 7, 2)
        disc = (x - cx) ** 2 + (y - cy) ** 2 < 30
        noise = random.integers(0, 60, (size, size, 3))
        Image.fromarray(np.uint8(noise + disc[..., None] * 150)).save(folder / "images" / f"{i}.png")
        Image.fromarray(np.uint8(disc * 9)).save(folder / "masks" / f"{i}.png")


def run_file(folder, task="segmentation", classes=2, spec=SPEC, augment=None):
    photos(folder / "photos")
    (folder / "net.yaml").write_text(spec.replace("CLASSES", str(classes)))
    path = folder / "run.yaml"
    path.write_text(RUN.replace("TASK", task) + (f"augment: {augment}\n" if augment else ""))
    return path


def by_hand(weights):
    """Σ w·(-log p) / Σ w over pixels that have a class."""
    total = over = 0.0
    for true, said in zip(TRUE.reshape(-1), SAID.reshape(-1, 3), strict=True):
        if true != 255:
            total -= weights[true] * np.log(said[true])
            over += weights[true]
    return total / over


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 7.0)])
def test_cross_entropy_is_the_weighted_mean_over_pixels_that_have_a_class(kind, weights):
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import PixelLoss

    found = Loss.find(kind)()
    loss = PixelLoss(found.lower(), 3, weights, spread=found.labels == "one_hot")
    assert float(loss(TRUE, SAID)) == pytest.approx(by_hand(weights or (1, 1, 1)), rel=1e-5)


@pytest.mark.tensorflow
def test_weights_of_pixels_are_added_to_those_of_their_classes():
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import PixelAccuracy, PixelLoss

    classes, border = np.array([0.5, 2.0, 7.0]), RANDOM.uniform(0, 9, TRUE.shape).astype(np.float32)
    loss = PixelLoss(Loss.find("categorical_crossentropy")().lower(), 3, classes, spread=True)
    both = np.concatenate([TRUE.astype(np.float32), border], -1)
    kept = TRUE.reshape(-1) != 255
    true, said = TRUE.reshape(-1)[kept], SAID.reshape(-1, 3)[kept]
    weight = classes[true] + border.reshape(-1)[kept]
    found = -(weight * np.log(said[np.arange(len(true)), true])).sum() / weight.sum()
    assert float(loss(both, SAID)) == pytest.approx(found, rel=1e-5)
    metric = PixelAccuracy(3)
    metric.update_state(both, SAID)
    assert float(metric.result()) == pytest.approx((said.argmax(-1) == true).mean(), rel=1e-6)


@pytest.mark.tensorflow
def test_regions_leave_void_out_of_truth_and_prediction():
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import RegionLoss

    loss = RegionLoss(Loss.find("dice")().lower(), 3)
    kept = TRUE.reshape(-1) != 255
    said, true = SAID.reshape(-1, 3)[kept], np.eye(3)[TRUE.reshape(-1)[kept]]
    assert float(loss(TRUE, SAID)) == pytest.approx(1 - 2 * (said * true).sum() / (said.sum() + true.sum()), rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", ["jaccard", "lovasz_softmax"])
def test_void_is_as_if_it_were_not_there(kind):
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import RegionLoss

    made = Loss.find(kind)().lower()
    kept = TRUE.reshape(-1) != 255
    said, true = SAID.reshape(-1, 3)[kept], np.eye(3, dtype="float32")[TRUE.reshape(-1)[kept]]
    assert float(RegionLoss(made, 3)(TRUE, SAID)) == pytest.approx(float(made(true, said)), rel=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
def test_the_hardest_pixels_are_those_of_the_largest_losses(share):
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import PixelLoss

    weights = (0.5, 2.0, 7.0)
    kept = TRUE.reshape(-1) != 255
    true, said = TRUE.reshape(-1)[kept], SAID.reshape(-1, 3)[kept]
    single = -np.log(said[np.arange(len(true)), true])
    hard = np.argsort(-single)[: int(np.ceil(share * len(true)))]
    weight = np.array(weights)[true[hard]]
    loss = PixelLoss(Loss.find("categorical_crossentropy")().lower(), 3, weights, spread=True, hardest=share)
    assert float(loss(TRUE, SAID)) == pytest.approx((weight * single[hard]).sum() / weight.sum(), rel=1e-5)


@pytest.mark.tensorflow
@pytest.mark.parametrize("hardest", [None, 0.25])
def test_a_batch_of_void_alone_costs_nothing(hardest):
    from archspec.ops.loss import Loss
    from archspec.tasks.segmentation.losses import PixelLoss

    loss = PixelLoss(Loss.find("categorical_crossentropy")().lower(), 3, None, spread=True, hardest=hardest)
    assert float(loss(np.full_like(TRUE, 255), SAID)) == 0


def figures_by_hand():
    """From sets of pixels, class by class."""
    kept = TRUE.reshape(-1) != 255
    true, said = TRUE.reshape(-1)[kept], SAID.reshape(-1, 3).argmax(-1)[kept]
    iou = [((true == k) & (said == k)).sum() / ((true == k) | (said == k)).sum() for k in range(3)]
    recall = [(said[true == k] == k).mean() for k in range(3)]
    share = [(true == k).mean() for k in range(3)]
    return {
        "mean_iou": np.mean(iou),
        "frequency_weighted_iou": np.dot(share, iou),
        "pixel_accuracy": (true == said).mean(),
        "mean_accuracy": np.mean(recall),
    }


def counted(batches, classes=3):
    features = Example({"label": Mask(TensorSpec((None, None, 1), "uint8"), classes, ignored=255)})
    counting = PixelClasses().begin(features)
    for true, said in batches:
        counting.update({"label": true}, {"probabilities": said})
    return counting.result()


def boundaries_by_hand(true, said, classes, tolerance):
    """From lists of places and all distances between them."""
    height, width = true.shape

    def edges(mask, k):
        out = []
        for y, x in zip(*np.nonzero((mask == k) & (true < classes)), strict=True):
            beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            beside = [p for p in beside if 0 <= p[0] < height and 0 <= p[1] < width and true[p] < classes]
            if any(mask[p] != k for p in beside):
                out.append((y, x))
        return out

    def share(places, others):
        near = [any(np.hypot(y - b, x - a) <= tolerance for b, a in others) for y, x in places]
        return np.mean(near) if near else 0.0

    out = {}
    for k in range(classes):
        real, found = edges(true, k), edges(said, k)
        if real or found:
            p, r = share(found, real), share(real, found)
            out[k] = 2 * p * r / (p + r) if p + r else 0.0
    return out


@pytest.mark.parametrize(
    ("seed", "shape"), [(0, (1, 7)), (1, (9, 13)), (2, (40, 30)), (3, (150, 120)), (4, (150, 120))]
)
def test_boundaries_are_those_of_all_distances(shape, seed):
    random = np.random.default_rng((seed, *shape))
    y, x = np.mgrid[: shape[0], : shape[1]]
    cuts = random.uniform(0.2, 0.8, 4) * np.repeat(shape, 2)
    true, said = (
        ((y > cuts[i]).astype(np.uint8) + (x > cuts[i + 2])) * np.uint8(1 + (seed % 2)) % np.uint8(4) for i in (0, 1)
    )
    true = np.where(random.uniform(size=shape) < 0.02, 255, true).astype(np.uint8)
    found = boundary_scores(true, said, 4)
    assert found == pytest.approx(boundaries_by_hand(true, said, 4, 0.0075 * np.hypot(*shape)))


def test_boundaries_of_the_same_masks_are_found_and_those_of_flat_ones_do_not_count():
    true = np.zeros((60, 80), np.uint8)
    true[20:40, 20:50] = 1
    assert boundary_scores(true, true, 3) == {0: 1, 1: 1}
    assert boundary_scores(true, np.zeros_like(true), 3) == {0: 0, 1: 0}
    assert boundary_scores(true, np.roll(true, 5, 1), 3)[1] == pytest.approx(50 / 96)  # 25 of 30 on two sides
    assert boundary_scores(np.zeros_like(true), np.zeros_like(true), 3) == {}


def test_figures_are_those_of_sets_of_pixels_batch_by_batch():
    found = counted([(TRUE[:1], SAID[:1]), (TRUE[1:], SAID[1:])])
    masks = zip(TRUE[..., 0], SAID.argmax(-1), strict=True)
    scores = [boundaries_by_hand(true, said, 3, 0.0075 * np.hypot(4, 5)) for true, said in masks]
    means = [np.mean([s[k] for s in scores if k in s]) for k in range(3)]
    assert dict(found.figures) == pytest.approx({**figures_by_hand(), "boundary_f1": np.mean(means)})
    assert found.boundaries == pytest.approx(tuple(means))
    assert found.examples == 2 and sum(map(sum, found.confusion)) == (TRUE != 255).sum()
    right = [(t == s)[t != 255].mean() for t, s in zip(TRUE[..., 0], SAID.argmax(-1), strict=True)]
    assert [one.row for one in found.worst(2)] == np.argsort(right).tolist()


def test_a_class_that_neither_occurs_nor_is_said_is_no_part_of_the_mean():
    more = np.concatenate([SAID, np.zeros_like(SAID[..., :1])], -1)
    found = counted([(TRUE, more)], classes=4)
    assert found.iou[3] is None and found.boundaries[3] is None
    figures = {name: value for name, value in found.figures.items() if name != "boundary_f1"}
    assert figures == pytest.approx(figures_by_hand())
    assert counted([(np.full_like(TRUE, 255), SAID)]).figures == {}


@pytest.mark.parametrize(("sizes", "kept"), [((3, 2), [0, 1, 2, 3, 4]), ((5, 5, 5, 5), [0, 4, 8, 12, 16])])
def test_few_pictures_are_kept_to_be_shown_spread_over_all(sizes, kept):
    batches = [(RANDOM.integers(0, 3, (n, 4, 5, 1)).astype(np.uint8), RANDOM.uniform(size=(n, 4, 5, 3))) for n in sizes]
    shown = counted(batches).shown
    assert list(shown) == kept
    true, said = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    for row, masks in shown.items():
        assert np.array_equal(masks[0], true[row, ..., 0]) and np.array_equal(masks[1], said[row].argmax(-1))


@pytest.mark.tensorflow
def test_metrics_of_training_are_those_figures():
    from archspec.tasks.segmentation.losses import MeanIoU, PixelAccuracy

    for metric, name in ((MeanIoU(3), "mean_iou"), (PixelAccuracy(3), "pixel_accuracy")):
        for i in range(2):
            metric.update_state(TRUE[i : i + 1], SAID[i : i + 1])
        assert float(metric.result()) == pytest.approx(figures_by_hand()[name], rel=1e-6)


def test_median_frequency_is_of_the_images_that_a_class_occurs_in():
    masks = np.full((2, 2, 4, 1), 255, np.uint8)
    masks[0].flat[:] = [0, 0, 0, 0, 0, 0, 1, 1]  # 6 of 8, 2 of 8
    masks[1].flat[:4] = [0, 0, 2, 2]  # and 2 of 4, with four that are void
    share = np.array([8 / 12, 2 / 8, 2 / 4])
    assert median_frequency([masks[:1], masks[1:]], 4) == pytest.approx((*(0.5 / share), 0.0))


@pytest.mark.tensorflow
def test_a_mask_lies_on_the_pixels_of_the_file():
    """Scores of a network that saw the file's pixels 10 … 29 (of 40), at half their size."""
    from archspec.tasks.segmentation.predictor import resampled

    scores = np.zeros((10, 10, 2), np.float32)
    scores[..., 0] = 1
    scores[2:6, 4:8, 1] = 2
    mask = resampled(scores, np.array([[0.5, 0, -5], [0, 0.5, -5]]), (40, 40))
    want = np.full((40, 40), 255)
    want[10:30, 10:30] = 0
    want[14:22, 18:26] = 1
    assert np.array_equal(mask, want)


REFUSED = [
    ("segmentation", 3, "the data have 2 classes (ground, disc), head 'mask' has 3"),
    ("{segmentation: [1, 2, 3]}", 2, "class_weights has 3 numbers, the data have 2 classes"),
    ("{segmentation: [0, 0]}", 2, "all classes have the weight 0: nothing would be learnt"),
    ("segmentation, loss: mse", 2, "mse is no loss of classes at pixels"),
    ("segmentation, class_weight: balanced", 2, "class_weight is for one class an example"),
    ("{segmentation: median_frequency}, loss: dice", 2, "dice has no single pixels that class_weights would weigh"),
]


@pytest.mark.parametrize(("task", "classes", "message"), REFUSED)
def test_refusals(task, classes, message, tmp_path):
    with pytest.raises(SpecError) as error:
        archspec.Run.open(run_file(tmp_path, task, classes)).plan()
    assert any(message in d.message for d in error.value.diagnostics)


def test_data_with_masks_mean_this_task(tmp_path):
    path = run_file(tmp_path)
    path.write_text(path.read_text().replace(", task: segmentation", ""))
    assert archspec.Run.open(path).plan().task.name == "segmentation"


@pytest.mark.tensorflow
def test_masks_reach_the_step_as_8_bits(tmp_path):
    """Four bytes a pixel would be four times the memory and the copies, in every batch that waits."""
    plan = archspec.Run.open(run_file(tmp_path)).plan()
    model = archspec.compile(plan.graph)
    objective = plan.task.trainer(plan.graph, model, plan.spec.train, plan.features)
    for batches in (plan.pipeline.training(objective.pairs), plan.pipeline.evaluation("val", objective.pairs)):
        _, target = batches.element_spec
        assert target.dtype == "uint8"


def test_borders_are_weighed_in_losses_of_single_pixels_alone(tmp_path):
    for name, task in (("pixels", "segmentation"), ("regions", "segmentation, loss: dice")):
        (tmp_path / name).mkdir()
        run_file(tmp_path / name, task, augment="[resize: 16, border_weights, cache, mirror, rescale]")
    archspec.Run.open(tmp_path / "pixels" / "run.yaml").plan()
    with refuses(SpecError):
        archspec.Run.open(tmp_path / "regions" / "run.yaml").plan()


@pytest.mark.tensorflow
@pytest.mark.slow
def test_from_photos_to_masks(tmp_path, monkeypatch):
    """Trains, and is asked about a photo of another size that asks to be turned."""
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    run = archspec.Run.open(run_file(tmp_path, "{segmentation: median_frequency}"))
    run.train(tmp_path / "out")
    done = archspec.Run.open(tmp_path / "out")
    (*_, pixels) = done.evaluate().assessments
    assert pixels.figures["mean_iou"] > 0.8
    plan = archspec.Run.open(tmp_path / "run.yaml").plan()
    errors = plan.task.panels(plan, (pixels,))["examples"][18 : 18 + 2 * 160, 3 * 160 :]
    red = (errors == (207, 34, 46)).all(-1)
    wrong = np.concatenate([true != said for true, said in pixels.shown.values()])
    assert wrong.any() and np.array_equal(red[5::10, 5::10], wrong)
    photo = Image.open(tmp_path / "photos" / "images" / "0.png").resize((72, 48), Image.Resampling.BILINEAR)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "new.jpg", quality=95, exif=exif)
    (record,) = done.predict(tmp_path / "new.jpg", masks=tmp_path / "masks", drawings=tmp_path / "drawn")
    with Image.open(tmp_path / "drawn" / "new.jpg") as drawn:
        assert drawn.size == (48, 72)
    with Image.open(tmp_path / "masks" / "new.png") as mask:
        assert (mask.mode, mask.size, mask.getexif()[0x0112]) == ("P", (72, 48), 6)
        assert mask.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        said = np.asarray(mask)
    true = Image.open(tmp_path / "photos" / "masks" / "0.png").resize((72, 48), Image.Resampling.NEAREST)
    disc = np.asarray(true) == 9
    assert (disc & (said == 1)).sum() / (disc | (said == 1)).sum() > 0.6
    assert record["mask"] == str(tmp_path / "masks" / "new.png")
    assert record["pixels"]["disc"] == pytest.approx((said == 1).mean(), abs=0.05)

    (smooth,) = done.evaluate(crf={"iterations": 3, "appearance_xy": 6, "appearance_rgb": 30}).assessments
    assert sum(map(sum, smooth.confusion)) == sum(map(sum, pixels.confusion))
    assert smooth.figures["boundary_f1"] != pixels.figures["boundary_f1"]
    # So strong that one class is left: what is written is what the CRF says.
    done.predict(tmp_path / "new.jpg", masks=tmp_path / "flat", crf={"smoothness": 1000, "smoothness_xy": 40})
    with Image.open(tmp_path / "flat" / "new.png") as mask:
        assert len(np.unique(np.asarray(mask))) == 1 and said.any()


@pytest.mark.tensorflow
def test_a_crf_sees_the_colours_of_what_the_network_sees(tmp_path):
    from archspec.training.evaluation import held_out, whole
    from archspec.training.looking import Crf, Looking

    path = run_file(tmp_path, augment="[resize: 16, rescale, center_crop: 12, resize: 16]")
    plan = archspec.Run.open(path).plan()
    steps = whole(plan.pipeline.eval_transforms, Looking(crf=Crf()), plan.task)
    (batch,) = held_out(plan, replace(plan.pipeline, eval_transforms=steps))
    assert batch["colours"].dtype == np.uint8 and batch["label"].dtype == np.uint8
    np.testing.assert_allclose(batch["colours"], batch["image"] * 255, atol=1.01)
    assert batch["colours"].std() > 20


@pytest.mark.tensorflow
def test_images_are_asked_about_one_after_another(tmp_path):
    from archspec.training.prediction import images

    photos(tmp_path / "photos", count=6)
    features = Example({"image": feature_of("image", TensorSpec((None, None, 3), "uint8"))})
    asked = images(sorted((tmp_path / "photos" / "images").iterdir()), features, (), 10**6)
    held = []
    for _, batch, _ in asked.batches:
        # The last and this one: of what came before nothing is left.
        assert sum(one() is not None for one in held) <= 1
        held.append(weakref.ref(batch["image"]))
    assert len(held) == 6


TILES = "[random_tile: {size: 20, margin: 2}, rescale]"


def test_scores_of_the_middle_are_taken_and_those_of_a_coarser_map_refused(tmp_path):
    for name, spec in (("fine", UNPADDED), ("coarse", COARSE)):
        (tmp_path / name).mkdir()
        run_file(tmp_path / name, spec=spec, augment=TILES)
    plan = archspec.Run.open(tmp_path / "fine" / "run.yaml").plan()
    assert plan.graph.spec(plan.graph.outputs[0].tensor).spatial == (16, 16)
    with refuses(SpecError):
        archspec.Run.open(tmp_path / "coarse" / "run.yaml").plan()


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
def test_a_network_without_padding_is_trained_on_tiles_and_sees_whole_images(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    run = archspec.Run.open(run_file(tmp_path, "{segmentation: median_frequency}", spec=UNPADDED, augment=TILES))
    run.train(tmp_path / "out")
    done = archspec.Run.open(tmp_path / "out")
    (*_, middle), (whole,) = done.evaluate().assessments, done.evaluate(dense=True, views="flip").assessments
    assert (sum(map(sum, middle.confusion)), sum(map(sum, whole.confusion))) == (2 * 16 * 16, 2 * 24 * 24)
    assert min(middle.figures["mean_iou"], whole.figures["mean_iou"]) > 0.8
    photo, masks = tmp_path / "photos" / "images" / "0.png", tmp_path / "masks"
    true = np.asarray(Image.open(tmp_path / "photos" / "masks" / "0.png")) == 9
    found = done.predict(photo, masks=masks)
    assert "the middle of each image was looked at, as center_tile of the run says" in found.notes[0]
    with Image.open(masks / "0.png") as mask:
        part = np.asarray(mask)
    assert ((part == 255) == np.pad(np.zeros((16, 16), bool), 4, constant_values=True)).all()
    assert not done.predict(photo, masks=masks, dense=True, scales=(24, 36)).notes
    with Image.open(masks / "0.png") as mask:
        said = np.asarray(mask)
    assert (true & (said == 1)).sum() / (true | (said == 1)).sum() > 0.7 and said.max() == 1
