import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerscope.lab.data.vocabulary import BOUNDARY, Vocabulary

texts = st.lists(st.text(min_size=1), min_size=1)


def test_the_boundary_is_index_0_and_characters_follow_in_sorted_order():
    vocabulary = Vocabulary(["cab", "b"])
    assert BOUNDARY == 0
    assert len(vocabulary) == 4
    assert vocabulary.encode("abc") == [1, 2, 3]
    assert vocabulary.decode([0, 1, 2, 3]) == ".abc"


def test_a_dot_in_an_item_is_not_the_boundary():
    vocabulary = Vocabulary(["a.b"])
    assert len(vocabulary) == 4
    assert BOUNDARY not in vocabulary.encode("a.b")


@given(texts)
def test_decoding_what_was_encoded_gives_the_item_in_any_alphabet(items):
    vocabulary = Vocabulary(items)
    for item in items:
        indices = vocabulary.encode(item)
        assert vocabulary.decode(indices) == item
        assert BOUNDARY not in indices


@given(texts)
def test_encoding_all_items_at_once_equals_encoding_each(items):
    vocabulary = Vocabulary(items)
    expected = [index for item in items for index in vocabulary.encode(item)]
    assert vocabulary.encode_all(items).tolist() == expected


def test_a_character_that_is_not_in_the_vocabulary_is_named():
    with pytest.raises(ValueError, match=r"^'x' in 'axe' is not in the vocabulary$"):
        Vocabulary(["ape"]).encode("axe")
