"""Whether each step got the first batch of a loader."""

import math

import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from layerscope.figures.repeated_batch import RepeatedBatch
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data

BATCH = torch.randn(6, 3, dtype=torch.float64)


def seen(batches, *, kept=False):
    """What is said of each look, in which these data came."""
    followed = RepeatedBatch()
    looks = [
        Data(Pending.at_hand(batch), False, rows=6, is_kept=kept and look > 0)
        for look, batch in enumerate(batches)
    ]
    return [followed.see((look,), (), is_kept=False) for look in looks]


def test_tokens_are_data_too(loader):
    tokens = torch.arange(30).reshape(6, 5)
    followed, other = RepeatedBatch(), RepeatedBatch()
    said = [followed.see((), (tokens.clone(),), is_kept=False) for _ in range(9)]
    assert said[-1] == 20.0
    assert math.isnan([other.see((), (tokens,), is_kept=True) for _ in range(9)][-1])


def test_where_nothing_comes_or_other_inputs_too_nothing_is_said(loader):
    tokens = torch.arange(30).reshape(6, 5)
    for looks in ([()] * 11, [(tokens.clone(),) * (1 + (look == 3)) for look in range(11)]):
        followed = RepeatedBatch()
        assert all(math.isnan(followed.see((), given, is_kept=False)) for given in looks)


@pytest.fixture
def loader():
    return DataLoader(TensorDataset(torch.arange(20)), batch_size=6)


def test_a_batch_that_was_made_anew_at_nine_looks_is_told_with_what_its_loader_has(loader):
    said = seen([BATCH.clone() for _ in range(11)])
    assert all(map(math.isnan, said[:8]))
    assert said[8:] == [20.0] * 3


def test_one_tensor_that_comes_again_may_be_all_data(loader):
    assert all(map(math.isnan, seen([BATCH] * 11, kept=True)))


def test_other_data_at_one_look_are_enough_to_be_silent_for_good(loader):
    batches = [BATCH.clone() for _ in range(20)]
    batches[4] = BATCH + 1
    assert all(map(math.isnan, seen(batches)))


@pytest.mark.parametrize(
    "others",
    [
        lambda data: None,
        lambda data: DataLoader(data, batch_size=7),
        lambda data: DataLoader(data, batch_size=6, sampler=RandomSampler(data)),
        lambda data: DataLoader(TensorDataset(torch.arange(6)), batch_size=6),
    ],
    ids=["no loader", "another size", "shuffled", "all data in one batch"],
)
def test_without_a_loader_that_would_give_more_nothing_is_said(others):
    kept = others(TensorDataset(torch.arange(20)))
    assert all(map(math.isnan, seen([BATCH.clone() for _ in range(11)])))
    del kept


def test_a_data_set_that_fails_to_tell_its_length_is_passed_over():
    class Endless(TensorDataset):
        def __len__(self):
            raise RuntimeError

    data = Endless(torch.arange(20))
    kept = DataLoader(data, batch_size=6, sampler=torch.utils.data.SequentialSampler(data))
    assert all(map(math.isnan, seen([BATCH.clone() for _ in range(11)])))
    del kept
