"""Tokenisers: what is in a vocabulary, in what order, and what comes back."""

import json

import pytest
from pydantic import ValidationError

from archspec.data.errors import DataError
from archspec.data.tokenizer import Tokenizer, fitted
from archspec.data.tokenizers.file import File
from archspec.data.tokenizers.level import Characters, Words
from archspec.data.vocabulary import Vocabulary, read_vocabulary
from tests.wording import refuses

TEXTS = ["The cat sat.", "the dog sat, the cat ran!"]


def test_words_are_numbered_by_how_often_they_occur():
    found = Words().fit(TEXTS)
    assert found.tokens == ("[PAD]", "[UNK]", "the", "cat", "sat", "!", ",", ".", "dog", "ran")
    assert (found.size, found.pad, found.unknown, found.start, found.end) == (10, 0, 1, None, None)
    assert found.encode("THE dog ate.") == [2, 8, 1, 7]
    assert found.decode([2, 8, 1, 7, 0, 0]) == "the dog ."


def test_a_vocabulary_has_a_limit_and_a_least_count():
    assert Words(limit=5).fit(TEXTS).tokens == ("[PAD]", "[UNK]", "the", "cat", "sat")
    assert Words(minimum=2).fit(TEXTS).tokens == ("[PAD]", "[UNK]", "the", "cat", "sat")
    assert Words(minimum=3).fit(TEXTS).tokens == ("[PAD]", "[UNK]", "the")


def test_words_may_be_what_stands_between_spaces():
    found = Words(punctuation=False, lowercase=False).fit(TEXTS)
    assert set(found.tokens[2:]) == {"The", "the", "cat", "sat.", "sat,", "dog", "ran!"}


def test_characters_come_back_with_their_spaces_and_lines():
    found = Characters().fit(["to be\nor not"])
    text = "not\nto  be"
    assert found.decode(found.encode(text)) == text
    assert found.encode("té") == [found.number("t"), 1]
    assert found.size == 2 + len(set("to be\nor not"))


def test_without_padding_and_unknown_every_token_is_text():
    found = Characters(pad=False, unknown=False).fit(["hello"])
    assert (found.tokens, found.pad, found.unknown) == (("l", "e", "h", "o"), None, None)
    with refuses(DataError):
        found.encode("hex")


def test_a_start_and_an_end_stand_around_every_text():
    found = Characters(start=True, end=True).fit(["ab"])
    assert found.tokens[:4] == ("[PAD]", "[UNK]", "[START]", "[END]")
    assert found.encode("b") == [2, found.number("b"), 3] and (found.start, found.end) == (2, 3)
    assert found.decode([2, found.number("a"), 3, 0]) == "a"
    assert Words(end=True, unknown=False).fit(["a"]).encode("a a") == [2, 2, 1]


def test_a_margin_of_padding_stands_around_every_text():
    assert Characters(margin=2).fit(["ab"]).encode("ba") == [0, 0, 3, 2, 0, 0]
    assert Characters(margin=1, start=True, end=True).fit(["ab"]).encode("b") == [0, 2, 5, 3, 0]
    assert Words(margin=3).fit(["a"]).encode("") == [0] * 6
    with refuses(ValidationError):
        Words(margin=1, pad=False)


@pytest.mark.parametrize("texts", [[], [""], ["   "]])
def test_empty_texts_are_refused(texts):
    with refuses(DataError):
        Words().fit(texts)


def test_a_count_that_nothing_reaches_is_refused():
    with refuses(DataError):
        Words(minimum=9).fit(TEXTS)


def test_a_limit_must_leave_room_for_words():
    with refuses(ValidationError):
        Words(limit=4)


def test_a_vocabulary_is_computed_once(own_cache):
    asked = []

    def texts():
        asked.append(1)
        return TEXTS

    first = fitted(Words(), "these", texts)
    assert fitted(Words(), "these", texts) == first and len(asked) == 1
    fitted(Words(), "others", texts)
    fitted(Words(minimum=2), "these", texts)
    assert len(asked) == 3


def test_a_file_keeps_a_vocabulary(tmp_path):
    path = tmp_path / "words.json"
    found = Words(start=True).fit(TEXTS)
    found.write(path)
    assert read_vocabulary(path) == found and File(path=path).fit(()) == found
    assert json.loads(path.read_text())["model"]["type"] == "WordLevel"


def test_byte_pairs_learnt_elsewhere_can_be_read(tmp_path):
    from tokenizers import Tokenizer as Library
    from tokenizers import models, pre_tokenizers, trainers

    library = Library(models.BPE(unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=30, special_tokens=["[PAD]", "[UNK]"], show_progress=False)
    library.train_from_iterator(TEXTS, trainer)
    library.save(str(tmp_path / "bpe.json"))
    found = read_vocabulary(tmp_path / "bpe.json")
    assert found.encode("the cat") == library.encode("the cat").ids and found.pad == 0


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model": {"type": "Nothing"}}', "\0"])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "words.json"
    path.write_text(text)
    with refuses(DataError):
        read_vocabulary(path)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with refuses(DataError):
        read_vocabulary(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with refuses(DataError):
        read_vocabulary(tmp_path / "bytes.json")


def test_the_kinds_are_found_by_name():
    assert Tokenizer.names() == ("characters", "file", "words")
    assert Vocabulary(Words().fit(TEXTS).json) == Words().fit(TEXTS)
