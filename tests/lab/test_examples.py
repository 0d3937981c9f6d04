import torch
from hypothesis import given
from hypothesis import strategies as st

from layerscope.lab.data.character_data import contexts_and_targets
from layerscope.lab.data.vocabulary import Vocabulary


def one_by_one(items, vocabulary, context_length):
    """The loop of the course's MLP lecture."""
    x, y = [], []
    for item in items:
        context = [0] * context_length
        for index in [*vocabulary.encode(item), 0]:
            x.append(context)
            y.append(index)
            context = [*context[1:], index]
    return x, y


@given(st.lists(st.text(min_size=1), min_size=1), st.integers(1, 9))
def test_examples_are_those_of_a_loop_over_the_characters(items, context_length):
    vocabulary = Vocabulary(items)
    x, y = contexts_and_targets(items, vocabulary, context_length)
    expected_x, expected_y = one_by_one(items, vocabulary, context_length)
    assert x.tolist() == expected_x
    assert y.tolist() == expected_y


def test_contexts_and_targets_are_int64_and_own_their_memory():
    x, y = contexts_and_targets(["emma", "ava"], Vocabulary(["emma", "ava"]), context_length=3)
    assert (x.dtype, y.dtype) == (torch.int64, torch.int64)
    assert (x.shape, y.shape) == ((9, 3), (9,))
    assert x.is_contiguous()
    before = x.clone()
    x[0] += 1
    assert torch.equal(x[1:], before[1:])
