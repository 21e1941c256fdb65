"""Files that are not what they seem: found before training, named, counted, and skipped or refused as told."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.check import check
from archspec.data.files import broken
from archspec.data.images import BadImage, header
from archspec.data.pipeline import Pipeline
from archspec.data.source import DataError
from archspec.data.sources.folder import Folder, ListFile
from archspec.data.sources.npz import Npz
from archspec.data.transforms.crops import RandomResizedCrop, ResizedCenterCrop
from archspec.data.transforms.geometry import Resize
from tests.data.conftest import picture, save

pytestmark = pytest.mark.tensorflow
IMAGE = Image.fromarray(picture(40, 50))


def cut(share):
    def write(path):
        IMAGE.save(path, "JPEG")
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return write


def flipped(path):
    IMAGE.save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def bomb(path):
    import zlib

    head = b"IHDR" + (30000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunks = [head, b"IDAT" + zlib.compress(b"\0" * 1000), b"IEND"]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join((len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks)
    )


BROKEN = {
    "empty.jpg": (lambda p: p.write_bytes(b""), "is empty"),
    "zeros.png": (lambda p: p.write_bytes(bytes(500)), "is not an image of a kind that can be read (zero bytes only)"),
    "text.jpg": (lambda p: p.write_text("hello, this is text"), "is not an image of a kind that can be read (text)"),
    "half.jpg": (cut(0.5), "is a truncated JPEG file"),
    "most.jpg": (cut(0.95), "is a truncated JPEG file"),
    "head.jpg": (cut(0.05), "is a truncated JPEG file"),
    "flipped.png": (flipped, "is a PNG file with a wrong checksum"),
    "bomb.png": (bomb, "has 30000×30000 pixels, more than 268435456"),
    "tiff.png": (lambda p: IMAGE.save(p, "TIFF"), "is not an image of a kind that can be read (TIFF)"),
    "gone.png": (lambda p: p.symlink_to("nowhere.png"), "cannot be read (No such file or directory)"),
    "loop.png": (lambda p: p.symlink_to("loop.png"), "cannot be read (Too many levels of symbolic links)"),
    "pipe.png": (lambda p: os.mkfifo(p), "is not a regular file"),
}
ODD = {
    "cmyk.jpg": (lambda p: IMAGE.convert("CMYK").save(p), "is CMYK"),
    "grey.jpg": (lambda p: IMAGE.convert("L").save(p), None),
    "deep.png": (
        lambda p: Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).save(p),
        "has 16 bits, of which 8 are kept",
    ),
    "alpha.png": (lambda p: IMAGE.convert("RGBA").save(p), "has transparency, which is dropped"),
    "palette.png": (lambda p: IMAGE.convert("P").save(p), None),
    "gif.jpg": (lambda p: IMAGE.save(p, "GIF"), "is named .jpg but is GIF"),
    "moving.gif": (
        lambda p: IMAGE.save(p, save_all=True, append_images=[IMAGE.rotate(9), IMAGE.rotate(20)], duration=9),
        "is animated, of which the first picture is taken",
    ),
    "turned.jpg": (lambda p: IMAGE.save(p, exif=_turned()), "asks to be turned (EXIF orientation), which is not done"),
    "one.png": (lambda p: Image.new("RGB", (1, 1)).save(p), "is 1×1"),
    "long.png": (lambda p: Image.new("RGB", (300, 9)).save(p), "is 300×9"),
    "web.webp": (lambda p: IMAGE.save(p), None),
    "new\nline ü.png": (lambda p: IMAGE.save(p), None),
    "progressive.jpg": (lambda p: IMAGE.save(p, progressive=True), None),
}


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def folder(tmp_path, kinds):
    root = tmp_path / "weird"
    for name in "ab":
        for i in range(6):
            save(root / name / f"ok{i}.jpg", picture(20, 30, i + 10 * (name == "b")))
    for name, (write, _) in kinds.items():
        write(root / "a" / name)
    return root


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named_and_refused_before_training(tmp_path, name):
    source = Folder(path=folder(tmp_path, {name: BROKEN[name]}))
    split = next(s for s, es in source.listing().splits.items() if any(e.path.endswith(name) for e in es))
    (why,) = broken(source, split).values()
    assert why == BROKEN[name][1]
    with pytest.raises(DataError) as refusal:
        source.open(split)
    assert name in refusal.value.message and why in refusal.value.message
    assert f"1 image of {source.features().splits[split]} in {split} cannot be read" in refusal.value.message


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read_and_noted(tmp_path, name):
    source = Folder(path=folder(tmp_path, {name: ODD[name]}))
    report = check(source)
    assert report.is_well
    said = [f.message for f in report.findings if f.where.endswith(name)]
    assert said == ([ODD[name][1]] if ODD[name][1] else [])
    for transform in (RandomResizedCrop(size=8), Resize(size=8)):
        pipeline = Pipeline(source, source.features(), (transform,), (transform,), 5, 0)
        ((x, _),) = list(pipeline.training(lambda b: (b["image"], b["label"])).take(1))
        assert x.shape == (5, 8, 8, 3)


def test_what_is_broken_is_skipped_and_counted(tmp_path):
    root = folder(tmp_path, BROKEN | ODD)
    source = Folder(path=root, on_bad="skip")
    splits = source.listing().splits
    bad = {split: broken(source, split) for split in splits}
    assert sum(len(b) for b in bad.values()) == len(BROKEN)
    steady = (ResizedCenterCrop(size=8),)
    pipeline = Pipeline(source, source.features(), steady, steady, 4, 0)

    def both(batch):
        return batch["index"], batch["label"]

    seen = np.concatenate([i for i, _ in pipeline.evaluation("val", both)])
    assert sorted(seen) == [i for i in range(len(splits["val"])) if i not in bad["val"]]
    epoch = list(pipeline.training(both).take(pipeline.steps_per_epoch()))
    assert len(epoch) == len(splits["train"]) // 4
    # What stands in for a broken file is of its class.
    for index, label in epoch:
        assert [splits["train"][i].label for i in index] == label.numpy().tolist()


def test_a_file_that_is_mended_is_read_again(tmp_path):
    root = folder(tmp_path, {"half.jpg": BROKEN["half.jpg"]})
    source = Folder(path=root)
    split = next(s for s, es in source.listing().splits.items() if any(e.path.endswith("half.jpg") for e in es))
    assert broken(source, split)
    IMAGE.save(root / "a" / "half.jpg")
    assert not broken(source, split)


def test_a_list_with_missing_files(tmp_path):
    save(tmp_path / "0.png")
    save(tmp_path / "1.png", picture(seed=1))
    (tmp_path / "a.csv").write_text("path,label,split\n0.png,0,train\n1.png,1,train\n2.png,0,train\n")
    with pytest.raises(DataError, match=r"2.png cannot be read \(No such file"):
        ListFile(path=tmp_path / "a.csv").open("train")
    assert len(list(ListFile(path=tmp_path / "a.csv", on_bad="skip").open("train"))) == 3


def test_examples_that_stand_in_two_splits_are_found(tmp_path):
    for name in ("train/a/1.png", "train/b/2.png", "val/a/3.png", "train/b/4.png"):
        save(tmp_path / name, picture(seed=0 if name.endswith(("1.png", "3.png")) else int(name[-5])))
    report = check(Folder(path=tmp_path))
    (found,) = report.findings
    assert found.kind == "in train and in val" and found.where.endswith("val/a/3.png")
    assert found.message.endswith("train/a/1.png")


def test_arrays_with_nan_and_classes_without_examples(tmp_path):
    x = np.random.default_rng(0).random((8, 4, 4, 1)).astype(np.float32)
    x[2, 1, 1] = np.nan
    x[5] = 1
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 0, 0, 0, 2, 2, 2, 2], x_test=x[:1], y_test=[1])
    report = check(Npz(path=tmp_path / "a.npz"))
    assert not report.is_well
    assert [(f.severity, f.kind) for f in report.findings] == [
        ("error", "class without examples"),
        ("error", "not a number"),
        ("note", "one value only"),
        ("note", "in train and in test"),
    ]


def test_headers_agree_with_pillow(tmp_path):
    for i, (form, mode) in enumerate(
        [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("GIF", "P"), ("BMP", "RGB"), ("PNG", "1")]
    ):
        path = tmp_path / f"{i}.{form.lower()}"
        IMAGE.convert(mode).save(path, form)
        found = header(path.read_bytes(), name=path.name)
        assert (found.format, found.height, found.width) == (form.lower(), 40, 50)
    with pytest.raises(BadImage, match="is empty"):
        header(b"")


def test_check_on_the_command_line(tmp_path, capsys):
    root = folder(tmp_path, BROKEN | ODD)
    assert main(["data", "check", str(root)]) == 1
    out = capsys.readouterr().out
    assert f"error: cannot be decoded: {len(BROKEN)}" in out
    assert main(["data", "check", str(root), "--format", "json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert sum(f["severity"] == "error" for f in record["findings"]) == len(BROKEN)
    assert main(["data", "check", "digits"]) == 0
    assert "10 classes of 139 (8) to 147 (3) examples in train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "digit"], "there is no data source, file or folder 'digit'"),
        (["check", "nowhere/at/all"], "there is no data source, file or folder 'nowhere/at/all'"),
        (["check", "folder"], "folder needs 'path'"),
        (["show", "digits", "--tile", "4000"], "the sheet would be too large"),
    ],
)
def test_wrong_words_are_answered(arguments, message, capsys):
    assert main(["data", *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said


def test_show_writes_originals_beside_what_training_sees(tmp_path, class_folders, capsys):
    """Without augmentation every column is the original; with it only the first is."""
    run = tmp_path / "run.yaml"
    steps = {"plain": "[resize: [16, 16]]", "mirrored": "[resize: [16, 16], {mirror: {probability: 1.0}}]"}
    for name, augment in steps.items():
        run.write_text(f"archspec_run: 1\nspec: lenet5\ndata: {{folder: {class_folders.name}}}\naugment: {augment}\n")
        out = tmp_path / f"{name}.png"
        code = main(["data", "show", str(run), "--out", str(out), "--tile", "16", "--examples", "4", "--draws", "2"])
        assert code == 0, capsys.readouterr().err
        image = np.asarray(Image.open(out), int)
        assert image.shape == (4 * 20 + 4, 3 * 20 + 4, 3)
        tiles = [[image[4 + 20 * r : 20 + 20 * r, 4 + 20 * c : 20 + 20 * c] for c in range(3)] for r in range(4)]
        for row in tiles:
            assert np.array_equal(row[1], row[2])
            same = row[1] if name == "plain" else row[1][:, ::-1]
            assert np.abs(row[0][4:12] - same[4:12]).mean() < 30
    assert len(capsys.readouterr().out.splitlines()) == 8
