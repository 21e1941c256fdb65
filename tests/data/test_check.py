"""Files that are not what they seem: found before training, named, counted, and skipped or refused as told."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.files import broken
from archspec.data.images import MAX_PIXELS, BadImage, header
from archspec.data.pipeline import Pipeline
from archspec.data.sources.folder import Folder, ListFile
from archspec.data.sources.npz import Npz
from archspec.data.transforms.crops import RandomResizedCrop, ResizedCenterCrop
from archspec.data.transforms.geometry import Resize
from tests.data.conftest import picture, save
from tests.wording import refuses, told

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


def bomb(path, side=30000, rows=b"\0" * 1000, kind=(8, 2)):
    import zlib

    head = b"IHDR" + side.to_bytes(4, "big") * 2 + bytes([*kind, 0, 0, 0])
    chunks = [head, b"IDAT" + zlib.compress(rows), b"IEND"]
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
    "bomb.png": (bomb, "has 30000×30000 pixels, more than 89478485 (max_pixels)"),
    # A whole one: 50 MB of grey in 50 kB, 1.2 GB once it is decoded.
    "whole.png": (
        lambda p: bomb(p, 20000, bytes(2501 * 20000), (1, 0)),
        "has 20000×20000 pixels, more than 89478485 (max_pixels)",
    ),
    "half.tif": (lambda p: (IMAGE.save(p), p.write_bytes(p.read_bytes()[:3000])), "is a broken TIFF file"),
    "half.pgm": (lambda p: p.write_bytes(b"P5 40 50 255\n" + bytes(99)), "is a broken PNM file"),
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
    "deep.pgm": (
        lambda p: p.write_bytes(b"P5\n# a comment\n40 50 65535\n" + np.arange(2000, dtype=">u2").tobytes()),
        None,
    ),
    "lossless.tif": (lambda p: IMAGE.save(p, compression="tiff_lzw"), None),
    "grey.tiff": (lambda p: IMAGE.convert("L").save(p), None),
    "tiff.png": (lambda p: IMAGE.save(p, "TIFF"), "is named .png but is TIFF"),
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


@pytest.mark.fast(7)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named_and_refused_before_training(tmp_path, name):
    source = Folder(path=folder(tmp_path, {name: BROKEN[name]}))
    split = next(s for s, es in source.listing().splits.items() if any(e.path.endswith(name) for e in es))
    (why,) = broken(source, split).values()
    assert why == BROKEN[name][1]
    with refuses(DataError):
        source.open(split)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """All odd files in one folder, and what is found there."""
    source = Folder(path=folder(tmp_path_factory.mktemp("odd"), ODD))
    return source, check(source)


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_noted(odd, name):
    _, report = odd
    assert report.is_well
    said = [f.message for f in report.findings if f.where.endswith(name)]
    assert said == ([ODD[name][1]] if ODD[name][1] else [])


@pytest.mark.fast(1)
@pytest.mark.parametrize("transform", [RandomResizedCrop(size=8), Resize(size=8)], ids=lambda t: t.name)
def test_odd_files_are_read(odd, transform):
    source, _ = odd
    pipeline = Pipeline(source, source.features(), (transform,), (transform,), 5, 0)
    for split, examples in source.listing().splits.items():
        x = pipeline.examples_at(range(len(examples)), 0, (transform,), split)["image"]
        assert x.shape == (len(examples), 8, 8, 3) and np.ptp(x) > 0
    assert sum(map(len, source.listing().splits.values())) == 12 + len(ODD)


@pytest.mark.slow
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
    with refuses(DataError):
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
        ("note", "under two labels"),
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
    with refuses(BadImage):
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


def test_data_of_a_run_that_cannot_start_are_not_praised(tmp_path, capsys):
    run = tmp_path / "run.yaml"
    run.write_text("archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [resize: 30, rescale]\n")
    assert main(["data", "check", str(run)]) == 1
    out, err = capsys.readouterr()
    assert "10 classes of" in out and "no problems found" not in out
    assert "run.yaml:4:11: error[R05]" in err
    run.write_text(run.read_text().replace("30", "32"))
    assert main(["data", "check", str(run)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("no problems found\n") and not err


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


@pytest.mark.slow
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


def patched(form, *changes, **options):
    """A small file of a format whose header says that it is large."""
    import io

    stream = io.BytesIO()
    IMAGE.save(stream, form, **options)
    data = bytearray(stream.getvalue())
    for old, new in changes:
        at = data.index(old)
        data[at : at + len(old)] = new
    return bytes(data)


def pair(a, b, size, order):
    return a.to_bytes(size, order) + b.to_bytes(size, order)


BOMBS = {
    "jpeg": lambda: patched("JPEG", (pair(40, 50, 2, "big"), pair(65000, 65000, 2, "big"))),
    "png": lambda: patched("PNG", (pair(50, 40, 4, "big"), pair(65000, 65000, 4, "big"))),
    "bmp": lambda: patched("BMP", (pair(50, 40, 4, "little"), pair(65000, 65000, 4, "little"))),
    "gif": lambda: patched("GIF", (pair(50, 40, 2, "little"), pair(65000, 65000, 2, "little"))),
    # The screen stays small: what is large is the picture on it.
    "gif's picture": lambda: patched(
        "GIF", (b"," + bytes(4) + pair(50, 40, 2, "little"), b"," + bytes(4) + b"\xff" * 4)
    ),
    "webp": lambda: patched("WEBP", (pair(50, 40, 2, "little"), pair(16383, 16383, 2, "little"))),
    "webp, lossless": lambda: patched(
        "WEBP", (b"\x2f" + (49 | 39 << 14).to_bytes(4, "little"), b"\x2f\xff\xff\xff\x0f"), lossless=True
    ),
    "webp, extended": lambda: patched("WEBP", (pair(49, 39, 3, "little"), b"\xff" * 6), exif=_turned()),
    "pgm": lambda: patched(
        "PPM",
        (b"50 40", b"99999 99999"),
    ),
    "tiff": lambda: (
        b"II*\0\x08\0\0\0\x02\0"
        + b"".join(pair(tag, 4, 2, "little") + pair(1, 65000, 4, "little") for tag in (256, 257))
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_of_any_format_is_known_by_its_header(name):
    from archspec.data.image_sizes import is_within

    data = BOMBS[name]()
    with refuses(BadImage):
        header(data)
    assert not is_within(data, MAX_PIXELS) and is_within(data, 2**48)


def test_the_limit_of_pixels_can_be_set(tmp_path):
    root = folder(tmp_path, {})
    save(root / "a" / "large.png", picture(100, 100))
    assert broken(Folder(path=root), "train") == broken(Folder(path=root), "val") == {}
    found = [why for s in ("train", "val") for why in broken(Folder(path=root, max_pixels=9999), s).values()]
    assert found == ["has 100×100 pixels, more than 9999 (max_pixels)"]


def test_an_archive_whose_member_unpacks_without_end_is_known(tmp_path):
    """The directory of the archive tells a size that is not that of the member."""
    import zipfile

    sound = save(tmp_path / "1.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for i in range(4):
            file.writestr(f"cat/{i}.png", sound)
            file.writestr(f"dog/{i}.png", sound)
        file.writestr("dog/bomb.png", bytes(2**26))
    data = (tmp_path / "a.zip").read_bytes().replace((2**26).to_bytes(4, "little"), (2**10).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(data)
    from archspec.data.sources.folder import Zip

    source = Zip(path=tmp_path / "a.zip")
    found = [why for split in ("train", "val") for why in broken(source, split).values()]
    assert len(found) == 1 and found[0].startswith("unpacks to more than")


@pytest.mark.parametrize("name", ["grey.pgm", "deep.pgm", "colour.ppm", "grey.tif", "colour.tif", "deep.tif"])
def test_formats_that_tensorflow_has_not_are_decoded_as_numpy_says(tmp_path, name):
    from archspec.data.images import decode

    image = picture(7, 9)
    if "colour" in name:
        Image.fromarray(image).save(tmp_path / name)
    elif "deep" in name:
        deep = image[..., 0].astype(np.uint16) * 256 + 77
        if name.endswith("pgm"):
            (tmp_path / name).write_bytes(b"P5 9 7 65535\n" + deep.astype(">u2").tobytes())
        else:
            Image.fromarray(deep).save(tmp_path / name)
    else:
        Image.fromarray(image[..., 0]).save(tmp_path / name)
    wanted = image if "colour" in name else np.repeat(image[..., :1], 3, -1)
    np.testing.assert_array_equal(decode((tmp_path / name).read_bytes(), 3), wanted)


def test_one_image_under_two_labels_is_found(tmp_path):
    root = folder(tmp_path, {})
    save(root / "a" / "same.png")
    save(root / "b" / "same.png")
    found = [f for f in check(Folder(path=root)).findings if f.kind == "under two labels"]
    assert len(found) == 1 and found[0].where.endswith("same.png")
    told(found[0].message)
    x = np.arange(40, dtype="uint8").reshape(10, 2, 2, 1)
    x[3] = x[6]
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(10) % 2, x_test=x[:2], y_test=np.arange(2))
    assert [f.kind for f in check(Npz(path=tmp_path / "a.npz")).findings].count("under two labels") == 1


def test_one_text_under_two_labels_is_found(tmp_path):
    from archspec.data.sources.text import Text

    (tmp_path / "a.txt").write_text("good fine film\nbad awful film\n" * 2 + "bad fine film\n")
    assert "under two labels" in {f.kind for f in check(Text(path=tmp_path / "a.txt", holdout=0.2)).findings}


def test_help_stands_on_a_line_of_its_own(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["data", "check", str(tmp_path / "empty")]) == 1
    err = capsys.readouterr().err
    assert "\\x0a" not in err and err.count("\n") == 2 and err.splitlines()[1].startswith("  help: ")
