"""One long text in windows: where they stand, what is held out, and that every run reads the same ones."""

from random import Random

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.data.errors import DataError
from archspec.data.pipeline import Pipeline
from archspec.data.sources.corpus import Corpus
from archspec.data.tokenizers.level import Characters, Words
from tests.wording import refuses

TEXT = "".join(Random(1).choices("abcdefghijklmnopqrst .", k=970)) + "\n" * 30
HELD = TEXT[900:]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus(tmp_path):
    def make(text=TEXT, **arguments):
        path = tmp_path / "text.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Corpus.model_validate({"path": str(path), **arguments})

    return make


def texts(source, split, rows=None):
    vocabulary = source.features().vocabularies["tokens"]
    return [vocabulary.decode(row) for row in (source.arrays(split)["tokens"] if rows is None else rows)]


def test_an_example_is_a_window_and_what_follows(corpus):
    source = corpus(window=10, tokenizer=Characters(pad=False))
    said = source.features()
    assert said.parts["tokens"].shape == (11,) and said.parts["tokens"].dtype == "int32"
    assert said.splits == {"train": 89, "val": 9}
    assert texts(source, "train") == [TEXT[i * 10 : i * 10 + 11] for i in range(89)]
    # The held-out text ends in a character that training never saw.
    assert texts(source, "val") == [HELD[i * 10 : i * 10 + 11].replace("\n", "") for i in range(9)]
    assert source.arrays("val")["tokens"][-1, -1] == said.vocabularies["tokens"].unknown
    assert source.describe("val", 3) == "tokens 30 to 40 of val of text.txt"


def test_the_vocabulary_is_that_of_the_text_to_train_on(corpus):
    some = corpus("aab" * 10 + "cb" * 5, holdout=0.25, window=3, tokenizer=Characters(pad=False))
    assert some.features().vocabularies["tokens"].tokens == ("[UNK]", "a", "b")
    assert set(corpus(holdout=0.0).features().vocabularies["tokens"].tokens) == set(TEXT)
    with refuses(DataError):
        corpus().features()


def test_windows_of_a_number_are_spread_over_the_text(corpus):
    for count in (7, 89, 300):
        source = corpus(window=10, windows=count, holdout=0.0)
        assert source.features().splits == {"train": count}
        starts = [source._starts(np.int64(i), np.int64(0), "train", 1000) for i in range(count)]
        assert starts[0] == 0 and max(starts) < 990
        assert set(np.diff(starts)) <= {990 // count, 990 // count + 1}
        assert texts(source, "train") == [TEXT[s : s + 11] for s in starts]


@pytest.mark.tensorflow
def test_every_epoch_divides_the_text_elsewhere_and_always_so(corpus):
    import tensorflow as tf

    source = corpus(window=10, holdout=0.0)

    def seen(epoch, split="train", count=99):
        at = {"index": tf.range(count, dtype=tf.int64), "epoch": tf.fill((count,), tf.constant(epoch, tf.int64))}
        (batch,) = source.open(split, tf.data.Dataset.from_tensors(at))
        assert batch["tokens"].shape == (count, 11)
        return texts(source, split, batch["tokens"].numpy())

    epochs = [seen(e) for e in range(5)]
    assert epochs[0] == texts(source, "train") and epochs == [seen(e) for e in range(5)]
    assert len({rows[0] for rows in epochs}) == 5
    assert all(row in TEXT for rows in epochs for row in rows)
    alone = [texts(source, "train", [one["tokens"].numpy()])[0] for one in source.open("train")]
    assert alone == epochs[0]


@pytest.mark.tensorflow
def test_a_restart_reads_what_would_have_been_read(corpus):
    source = corpus(window=8, windows=40, holdout=0.0)
    pipeline = Pipeline(source, source.features(), (), (), 8, 3)

    def steps(first, last):
        batches = pipeline.training(lambda batch: (batch["tokens"], ()), first_step=first)
        return [x.numpy() for x, _ in batches.take(last - first)]

    whole = steps(0, 12)
    assert np.array_equal(whole[7:], steps(7, 12))
    assert not np.array_equal(np.sort(whole[:5], axis=None), np.sort(whole[5:10], axis=None))


def test_every_line_is_a_text_where_texts_have_an_end(corpus):
    lines = "the cat sat\nthe dog sat down\n" * 20
    source = corpus(lines, window=3, tokenizer=Words(end=True, pad=False, unknown=False), holdout=0.0)
    end = source.features().vocabularies["tokens"].end
    first = source.arrays("train")["tokens"][:3]
    assert [list(row == end) for row in first] == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]


def test_lines_of_another_system_and_encoding(corpus):
    source = corpus("dänk\r\n".encode("cp1252") * 30, encoding="cp1252", window=4, holdout=0.0)
    assert texts(source, "train")[0] == "dänk\n"


def test_what_cannot_be_used_is_refused(corpus):
    with refuses(DataError):
        corpus("ab" * 10).features()
    with refuses(DataError):
        corpus("ab" * 10, windows=5).features()
    with refuses(DataError):
        corpus("ab" * 100, window=20).features()
    with refuses(DataError):
        corpus("änk".encode("cp1252")).features()
    for wrong in ({"window": 0}, {"windows": 0}, {"holdout": 1.0}, {"encoding": "utf-9"}, {"tokenizer": "wrds"}):
        with pytest.raises(ValidationError):
            corpus(**wrong)


def test_a_vocabulary_out_of_a_file_takes_the_place_of_the_fitted_one(corpus, tmp_path):
    source = corpus(window=10, holdout=0.0)
    vocabulary = source.features().vocabularies["tokens"]
    vocabulary.write(tmp_path / "tokens.json")
    other = source.with_vocabularies({"tokens": tmp_path / "tokens.json"})
    assert other.features().vocabularies["tokens"].tokens == vocabulary.tokens
    assert np.array_equal(other.arrays("train")["tokens"], source.arrays("train")["tokens"])
