"""Pairs of sequences: of made-up symbols, and of texts in tables."""

import itertools
from zlib import crc32

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.data.errors import DataError
from archspec.data.source import DataSource
from archspec.data.sources.symbols import SymbolPairs
from archspec.data.sources.text_pairs import TextPairs
from archspec.data.tokenizers.level import Characters, Words
from tests.wording import refuses


def rows(array):
    return [[int(n) for n in row if n] for row in array]


@pytest.mark.parametrize("order", ["copy", "reverse"])
def test_targets_are_sources_copied_or_reversed_between_start_and_end(order):
    source = SymbolPairs(order=order, train=500, test=100)
    for split, count in (("train", 500), ("test", 100)):
        arrays = source.arrays(split)
        assert arrays["source"].shape == arrays["target"].shape == (count, 14)
        assert arrays["source"].dtype == np.int32
        for said, heard in zip(rows(arrays["target"]), rows(arrays["source"]), strict=True):
            assert said[0] == heard[0] == 1 and said[-1] == heard[-1] == 2
            inner = heard[1:-1]
            assert said[1:-1] == (inner if order == "copy" else inner[::-1])
            assert 3 <= len(inner) <= 12 and set(inner) <= set(range(3, 13))


@pytest.mark.slow
def test_lengths_and_symbols_are_even():
    found = rows(SymbolPairs(train=20_000).arrays("train")["source"])
    lengths = np.bincount([len(row) - 2 for row in found])
    symbols = np.bincount([n for row in found for n in row[1:-1]])
    # Six deviations of 20,000 and about 150,000 draws with probability 1/10.
    assert np.abs(lengths[3:] - 2000).max() < 6 * 42 and len(lengths) == 13
    assert np.abs(symbols[3:] / symbols.sum() - 0.1).max() < 6 * 0.3 / 150_000**0.5


def test_no_sequence_that_is_evaluated_was_trained_on():
    source = SymbolPairs(seed=3)
    train, test = ({tuple(row) for row in rows(source.arrays(s)["source"])} for s in ("train", "test"))
    assert len(test) == 1000 and not train & test
    # It holds for any number of draws: the checksum of the symbols decides.
    sums = [{crc32(bytes(n - 3 for n in row[1:-1])) % 8 == 0 for row in found} for found in (train, test)]
    assert sums == [{False}, {True}]


def test_sequences_follow_from_their_seed():
    first, again, other = (SymbolPairs(seed=s, train=50).arrays("train")["source"] for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()
    assert SymbolPairs(seed=1, train=20).arrays("train")["source"].tolist() == first[:20].tolist()


def test_symbols_have_a_vocabulary_that_reads_and_writes_them():
    found = SymbolPairs(symbols=3).features().vocabularies["target"]
    assert found.tokens == ("[PAD]", "[START]", "[END]", "0", "1", "2")
    assert found.encode("2 0 1") == [1, 5, 3, 4, 2]
    assert found.decode([1, 5, 3, 4, 2, 0]) == "2 0 1"
    assert (found.pad, found.start, found.end) == (0, 1, 2)
    with refuses(DataError):
        found.encode("2 7")


def test_as_many_sequences_are_drawn_as_there_are():
    """Nearly all that there are, which chance alone would not meet; and they are those of the arithmetic."""
    there_are = sum(crc32(bytes(s)) % 8 == 0 for n in (1, 2, 3, 4) for s in itertools.product(range(4), repeat=n))
    source = SymbolPairs(symbols=4, shortest=1, longest=4, train=10, test=there_are)
    source.features()
    assert len({tuple(row) for row in source.arrays("test")["source"].tolist()}) == there_are
    with refuses(DataError):
        SymbolPairs(symbols=4, shortest=1, longest=4, train=10, test=there_are + 1).features()


def test_too_few_different_sequences_are_refused():
    with refuses(DataError):
        SymbolPairs(longest=3).features()
    with refuses(ValidationError):
        SymbolPairs(shortest=5, longest=4)


TABLE = """source\ttarget
one two\teins zwei
two\tzwei
"three\tdrei
one\teins
one\tein
four five six\tvier fünf sechs
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_texts_of_a_table_become_numbers_of_two_vocabularies(table):
    framed = Words(start=True, end=True)
    source = TextPairs(path=table, tokenizer=Words(), target_tokenizer=framed, holdout=0.3)
    features = source.features()
    heard, said = features.vocabularies["source"], features.vocabularies["target"]
    assert heard.start is None and said.start == 2 and not {"eins", "drei"} & set(heard.tokens)
    texts = {}
    for split, count in features.splits.items():
        arrays = source.arrays(split)
        assert len(arrays["source"]) == count
        for a, b in zip(rows(arrays["source"]), rows(arrays["target"]), strict=True):
            assert b[0] == said.start and b[-1] == said.end
            texts.setdefault(split, []).append((heard.decode(a), said.decode(b)))
    assert sum(features.splits.values()) == 6 and set(features.splits) == {"train", "val"}
    assert ("one two", "eins zwei") in texts["train"] + texts["val"]


@pytest.mark.parametrize("seed", range(5))
def test_all_targets_of_a_source_are_in_one_split(table, seed):
    source = TextPairs(path=table, holdout=0.4, seed=seed)
    heard = {split: {tuple(row) for row in rows(source.arrays(split)["source"])} for split in ("train", "val")}
    unknown = source.features().vocabularies["source"].unknown
    known = [{row for row in found if unknown not in row} for found in heard.values()]
    assert not known[0] & known[1]


def test_one_vocabulary_of_both_sides_where_no_other_is_given(table):
    found = TextPairs(path=table, holdout=0.2).features().vocabularies
    assert found["source"] == found["target"] and {"one", "eins"} <= set(found["source"].tokens)


def test_lengths_vary_or_longer_pairs_are_left_out(table):
    open_ended = TextPairs(path=table, holdout=0.2).features()
    assert open_ended.padded == ("source", "target") and open_ended.parts["target"].shape == (None,)
    short = TextPairs(path=table, holdout=0.2, source_length=4, target_length=3, seed=1)
    features = short.features()
    assert features.parts["source"].shape == (4,) and features.padded == ()
    assert sum(features.splits.values()) == 4
    assert short.arrays("train")["target"].shape[1] == 3


@pytest.mark.tensorflow
def test_a_batch_is_as_long_as_its_longest(table):
    import tensorflow as tf

    source = TextPairs(path=table, holdout=0.2, tokenizer=Characters(start=True, end=True))
    order = tf.data.Dataset.from_tensors({"index": tf.constant([0, 1], tf.int64)})
    (batch,) = source.open("train", order)
    arrays = source.arrays("train")
    for name in ("source", "target"):
        longest = max(len(row) for row in rows(arrays[name][:2]))
        assert batch[name].shape == (2, longest)
        np.testing.assert_array_equal(batch[name], arrays[name][:2, :longest])
    lengths = source.lengths("train").steps
    assert lengths.tolist() == [len(a) + len(b) for a, b in zip(*map(rows, arrays.values()), strict=True)]


def test_a_table_says_its_splits_and_may_have_no_heading(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('said,heard,split\n"b, c",a,train\nd,b,test\n', encoding="utf-8")
    source = TextPairs(path=path, source_column="heard", target_column="said")
    assert source.features().splits == {"train": 1, "test": 1}
    assert source.features().vocabularies["target"].decode(source.arrays("train")["target"][0]) == "b , c"
    path.write_text("a,b\nc,d\n", encoding="utf-8")
    assert sum(TextPairs(path=path, heading=False).features().splits.values()) == 2


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("source,taget\na,b\n", {}),
        ("source,target\n", {}),
        ("source,target\na\n", {}),
        ("source,target\na,\n", {}),
        ("source,target,split\na,b,trian\n", {}),
        ("source,target,split\na,b,test\n", {}),
        ("source,target\na,b\nc,d\n", {"tokenizer": Words()}),
        ("source,target\na,b\nc,d\n", {"tokenizer": Words(pad=False, start=True, end=True)}),
        ("source,target\na a,b\nc c,d\n", {"source_length": 3}),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, given):
    path = tmp_path / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    with refuses(DataError):
        TextPairs(path=path, **given).features()


def test_the_vocabularies_that_a_run_kept_take_the_place_of_fitted_ones(table, tmp_path):
    fitted = TextPairs(path=table, target_tokenizer=Words(start=True, end=True, limit=7))
    files = {}
    for part, vocabulary in fitted.features().vocabularies.items():
        files[part] = tmp_path / f"{part}.json"
        vocabulary.write(files[part])
    kept = fitted.with_vocabularies(files)
    assert kept.features().vocabularies == fitted.features().vocabularies
    np.testing.assert_array_equal(kept.arrays("train")["target"], fitted.arrays("train")["target"])


def test_both_are_sources():
    assert {"symbols", "text_pairs"} <= set(DataSource.names())
