"""Text as data: what is read, how it is divided, how lengths come into batches, and what is refused."""

import subprocess
import sys
from itertools import islice, pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.pipeline import Pipeline
from archspec.data.sources.text import Text
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Characters, Words
from tests.wording import refuses

LINES = "0 a dull film\n1 a great  film, really\n\n0 dull\n1 great great great\r\n" * 5


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(LINES, newline="")
    return path


def sentences(source, split):
    """The texts of a split as its numbers give them back, and their class names."""
    features, arrays = source.features(), source.arrays(split)
    texts = [features.vocabularies["tokens"].decode(row) for row in arrays["tokens"]]
    return sorted(zip(texts, [features.class_names[i] for i in arrays["label"]], strict=True))


ALL = sorted([("a dull film", "0"), ("a great film , really", "1"), ("dull", "0"), ("great great great", "1")] * 5)


def test_lines_are_a_label_and_a_sentence(lines):
    source = Text(path=lines)
    features = source.features()
    assert features.splits == {"train": 16, "val": 4} and features.classes == 2
    assert str(features.parts["tokens"]) == "(?,)" and features.parts["tokens"].dtype == "int32"
    assert sorted(sentences(source, "train") + sentences(source, "val")) == ALL
    assert np.bincount(source.arrays("val")["label"]).tolist() == [2, 2]
    # The second line: the first is held out.
    assert (source.describe("val", 0), source.describe("train", 0)) == (f"{lines}, line 1", f"{lines}, line 2")


def test_the_vocabulary_is_that_of_the_training_split(tmp_path):
    train, test = tmp_path / "a.txt", tmp_path / "b.txt"
    train.write_text("x good film\ny bad film\n")
    test.write_text("x fine film\ny awful film\n")
    source = Text(path=train, test=test)
    vocabulary = source.features().vocabularies["tokens"]
    assert set(vocabulary.tokens[2:]) == {"good", "bad", "film"}
    assert source.features().splits == {"train": 2, "test": 2}
    assert source.arrays("test")["tokens"].tolist() == [[1, vocabulary.number("film")]] * 2


def test_texts_are_cut_filled_up_and_framed(lines):
    source = Text(path=lines, length=3)
    tokens = source.arrays("train")["tokens"]
    assert tokens.shape == (16, 3) and not source.features().padded
    assert ((tokens != 0).sum(1) == [min(3, n) for n in Text(path=lines).lengths("train").steps]).all()
    framed = Text(path=lines, tokenizer=Words(margin=2)).arrays("train")["tokens"]
    assert (framed[:, :2] == 0).all() and (framed[:, -2:] == 0).all() and framed.shape[1] == 5 + 4


def test_a_class_that_is_in_the_test_alone_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x a\ny b\n")
    (tmp_path / "b.txt").write_text("z a\n")
    with refuses(DataError):
        Text(path=tmp_path / "a.txt", test=tmp_path / "b.txt").features()


def test_a_table_is_read_by_its_headings(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeffid,review,stars,part\n1,"good, really",four,train\n2,"bad\nfilm",one,train\n3,ok,one,val\n')
    source = Text(path=path, text_column="review", label_column="stars", split_column="part")
    assert source.features().class_names == ("four", "one")
    assert sentences(source, "train") == [("bad film", "one"), ("good , really", "four")]
    assert source.features().splits == {"train": 2, "val": 1}
    assert source.arrays("val")["tokens"].tolist() == [[1]]


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_holds_a_folder_of_texts_for_each_class(tmp_path, named):
    for split in ("train", "val") if named else ("",):
        for name in ("neg", "pos"):
            for i in range(4):
                at = tmp_path / "reviews" / split / name
                at.mkdir(parents=True, exist_ok=True)
                (at / f"{i}.txt").write_text(f"{name} text {i}\n")
    (tmp_path / "reviews" / "README.md").write_text("not a text")
    source = Text(path=tmp_path / "reviews", holdout=0.25)
    features = source.features()
    assert features.class_names == ("neg", "pos")
    assert features.splits == ({"train": 8, "val": 8} if named else {"train": 6, "val": 2})
    assert all(text.startswith(name) for text, name in sentences(source, "train"))
    assert source.describe("train", 0).endswith("neg/0.txt")


def test_an_encoding_is_kept_to(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("0 café\n1 naïve\n".encode("cp1252") * 4)
    source = Text(path=path, encoding="cp1252")
    assert set(source.features().vocabularies["tokens"].tokens[2:]) == {"café", "naïve"}
    with refuses(DataError):
        Text(path=path).features()


@pytest.mark.parametrize(
    ("labels", "names"),
    [("10 2 0 1", "0 1 2 10"), ("5 1 3", "1 3 5"), ("b 10 a 9", "10 9 a b"), ("99999999999999999999 7", None)],
)
def test_classes_are_numbered_in_the_order_of_their_labels(tmp_path, labels, names):
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{label} c\n" * 3 for label in labels.split()))
    expected = tuple(names.split()) if names else ("7", "99999999999999999999")
    assert Text(path=path, holdout=0.05).features().class_names == expected


REFUSED = [
    ("0 good\n1\n", {}),
    ("\n \n", {}),
    ("0 a\n1 b\n" * 4, {"tokenizer": Characters(pad=False)}),
    ("0 a\n", {}),
]


@pytest.mark.parametrize(("text", "args"), REFUSED)
def test_files_that_are_wrong_are_refused(tmp_path, text, args):
    (tmp_path / "lines.txt").write_text(text)
    with refuses(DataError):
        Text(path=tmp_path / "lines.txt", **args).features()


TABLES = [
    "a,b\n1,2\n",
    "text,label\nfilm,\n",
    "text,label\nfilm\n",
    "text,label\n",
    "",
    "text,label,split\na,0,trian\n",
    "text,label,split\na,0,val\n",
]


@pytest.mark.parametrize("text", TABLES)
def test_tables_that_are_wrong_are_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with refuses(DataError):
        Text(path=tmp_path / "t.csv").features()


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "texts" / "pos").mkdir(parents=True)
    with refuses(DataError):
        Text(path=tmp_path / "texts").features()


def test_a_text_that_is_too_long_for_all_is_refused(monkeypatch, lines):
    monkeypatch.setattr("archspec.data.text.MAX_TOKENS", 60)
    assert Text(path=lines, length=3).arrays("train")["tokens"].size == 48
    with refuses(DataError):
        Text(path=lines).arrays("train")


@pytest.mark.parametrize("encoding", ["utf-9", "base64", 3, ""])
def test_an_encoding_that_python_does_not_know_is_refused(lines, encoding):
    with refuses(ValidationError):
        Text(path=lines, encoding=encoding)


def test_a_saved_vocabulary_takes_the_place_of_a_fitted_one(lines, tmp_path):
    source = Text(path=lines)
    saved = Words().fit(["really good film"])
    saved.write(tmp_path / "saved.json")
    other = source.with_vocabularies({"tokens": tmp_path / "saved.json"})
    assert other.tokenizer == File(path=tmp_path / "saved.json")
    assert other.features().vocabularies["tokens"] == saved and source.with_vocabularies({}) == source


def test_a_changed_file_is_read_anew(lines):
    before = Text(path=lines).features()
    lines.write_text(LINES + "0 a new word\n" * 10)
    assert Text(path=lines).features().splits["train"] > before.splits["train"]


def test_a_check_counts_what_is_unknown_empty_and_there_twice(tmp_path):
    train, test = tmp_path / "a.txt", tmp_path / "b.txt"
    train.write_text("x good film\ny bad film\nx good film\n")
    test.write_text("x Good FILM\ny \u2028\ny an unheard film\n".replace("\u2028", '"'))
    report = check(Text(path=train, test=test, tokenizer=Words(minimum=1, punctuation=False)))
    assert report.is_well and report.splits == {"train": 3, "test": 3}
    assert report.classes == {"x": {"train": 2, "test": 1}, "y": {"train": 1, "test": 2}}
    assert report.values["vocabulary of tokens"] == 5 and report.values["longest tokens of test"] == 3
    assert report.values["share of tokens of test that the vocabulary does not have"] == 0.5
    kinds = [(f.kind, f.where.rpartition("/")[2]) for f in report.findings]
    assert kinds == [("twice", "a.txt, line 3"), ("in train and in test", "b.txt, line 1")]


# --- batches of alike lengths -------------------------------------------------------------------------------------


@pytest.fixture
def varied(tmp_path):
    """230 texts of 1 to 40 words."""
    lengths = np.random.default_rng(0).integers(1, 41, 230)
    path = tmp_path / "varied.txt"
    path.write_text("".join(f"{i % 2} {' '.join(['w'] * n)}\n" for i, n in enumerate(lengths)))
    return path


def batches(source, count, *, first=0, shard=(0, 1), batch=8, seed=3):
    pipeline = Pipeline(source, source.features(), (), (), batch, seed)
    found = pipeline.training(lambda b: (b, ()), first_step=first, shard=shard)
    return [{k: v.numpy() for k, v in b.items()} for b, _ in islice(iter(found), count)], pipeline.steps_per_epoch()


@pytest.mark.tensorflow
def test_a_batch_holds_alike_lengths_and_an_epoch_every_example_once(varied):
    source = Text(path=varied, bucket=5)
    lengths = source.lengths("train").steps
    found, steps = batches(source, 46)
    assert steps == 23
    for epoch in range(2):
        seen = np.concatenate([b["index"] for b in found[epoch * steps : (epoch + 1) * steps]])
        assert len(set(seen.tolist())) == steps * 8
    for b in found:
        assert b["tokens"].shape == (8, lengths[b["index"]].max())
        np.testing.assert_array_equal((b["tokens"] != 0).sum(1), lengths[b["index"]])
    spread = np.mean([np.ptp(lengths[b["index"]]) for b in found])
    loose, _ = batches(Text(path=varied, bucket=1), 46)
    assert spread < 0.5 * np.mean([np.ptp(lengths[b["index"]]) for b in loose])
    # The order of the batches of a pool is drawn too: they do not go from short to long.
    firsts = [lengths[b["index"]].mean() for b in found]
    assert any(a > b for a, b in pairwise(firsts[:5]))


@pytest.mark.tensorflow
def test_buckets_are_arithmetic(varied):
    """Any step can be the first, a shard is a part of the batch, and pools are divided as NumPy would."""
    source = Text(path=varied, bucket=5)
    whole, _ = batches(source, 30)
    later, _ = batches(source, 7, first=23)
    for a, b in zip(whole[23:], later, strict=True):
        np.testing.assert_array_equal(a["index"], b["index"])
    halves = [batches(source, 3, shard=(i, 2))[0] for i in range(2)]
    for step in range(3):
        both = np.concatenate([half[step]["index"] for half in halves])
        np.testing.assert_array_equal(both, whole[step]["index"])
    # The first pool has the same examples as the first five batches without buckets, in order of their lengths.
    loose, _ = batches(Text(path=varied, bucket=1), 5)
    pool = np.concatenate([b["index"] for b in loose])
    lengths = source.lengths("train").steps
    expected = pool[np.argsort(lengths[pool], kind="stable")].reshape(5, 8).tolist()
    assert sorted(expected) == sorted(b["index"].tolist() for b in whole[:5])


@pytest.mark.tensorflow
def test_evaluation_takes_every_text_once_in_order(varied):
    source = Text(path=varied)
    pipeline = Pipeline(source, source.features(), (), (), 8, 0)
    found = list(pipeline.evaluation("val", lambda b: (b["tokens"], b["label"])))
    assert sum(len(y) for _, y in found) == source.features().splits["val"]
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), source.arrays("val")["label"])
    lengths = source.lengths("val").steps
    assert [x.shape[1] for x, _ in found] == [lengths[i : i + 8].max() for i in range(0, len(lengths), 8)]


def test_a_plan_of_text_needs_no_framework(lines):
    """The vocabulary is fitted and compared with the network while none is loaded."""
    (lines.parent / "net.yaml").write_text(
        "archspec: 1\nname: net\ninputs: {tokens: {shape: [T], dtype: int32}}\n"
        "body: [embedding: {vocab: 9, dim: 4}, global_avg_pool]\n"
        "heads: {main: [dense: {units: 2, activation: softmax}]}\n"
    )
    (lines.parent / "run.yaml").write_text("archspec_run: 1\nspec: net.yaml\ndata: {text: lines.txt}\n")
    code = (
        "import sys\nfrom archspec.runs import Run\n"
        "plan = Run.open('run.yaml').plan()\nprint(plan.features.vocabularies['tokens'].size, "
        "[m for m in ('keras', 'tensorflow', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=lines.parent, timeout=60)
    assert done.stdout == "8 []\n", done.stderr


@pytest.mark.slow
def test_movie_reviews_are_divided_by_a_seed(shared_data):
    path = shared_data / "text_sentences" / "data" / "rt-polarity.all"
    source = Text(path=path, encoding="cp1252", holdout=0.1, tokenizer=Words(punctuation=False))
    assert source.features().splits == {"train": 9596, "val": 1066}
    assert [source.arrays(s)["label"].sum() for s in ("train", "val")] == [4798, 533]
    other = source.model_copy(update={"seed": 1})
    assert {source.describe("val", i) for i in range(50)} != {other.describe("val", i) for i in range(50)}
