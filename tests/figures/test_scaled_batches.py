"""Is it told of batches that they have been scaled by their own numbers?"""

import pytest
import torch

from layerscope.figures.scaled_batches import Scaled, ScaledBatches
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data


def ends(x):
    return (x - x.amin(0)) / (x.amax(0) - x.amin(0))


def standard(x, correction=1):
    return (x - x.mean(0)) / x.std(0, correction=correction)


def judged(batches, **about):
    scaled = ScaledBatches()
    of = ({"rows": len(each)} | about for each in batches)
    data = (Data(Pending.at_hand(each), False, **it) for each, it in zip(batches, of, strict=True))
    return [scaled.see([each]) for each in data]


def drawn(count=3, samples=12, columns=4):
    generator = torch.Generator().manual_seed(0)
    shape = (count, samples, columns)
    return list(torch.randn(shape, generator=generator, dtype=torch.float64))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (ends, Scaled.BY_ITS_ENDS),
        (lambda x: 2 * ends(x) - 1, Scaled.BY_ITS_ENDS),
        (standard, Scaled.BY_ITS_MEAN),
        (lambda x: standard(x, 0), Scaled.BY_ITS_MEAN),
        (lambda x: x, Scaled.BY_NOTHING),
        (lambda x: 3 * standard(x), Scaled.BY_NOTHING),
    ],
)
def test_three_batches_tell_what_was_done_to_each(how, told):
    assert judged([how(each) for each in drawn()]) == [0, 0, told]
    assert judged([*map(ends, drawn()), *drawn()])[2:] == [Scaled.BY_ITS_ENDS, 0, 0, 0]


def test_the_same_samples_in_another_order_are_one_batch():
    (one,) = drawn(count=1)
    for how in (ends, standard):
        assert set(judged([how(one)[torch.randperm(12)] for _ in range(4)])) == {0}


def test_bounds_of_the_data_themselves_few_samples_and_sequences_are_let_be():
    assert set(judged([each.clamp(-0.5, 0.5) for each in drawn()])) == {0}
    edges = torch.tensor([[0.0] * 4, [1.0] * 4], dtype=torch.float64)  # two samples at all ends
    assert set(judged([torch.cat([edges, each.sigmoid()]) for each in drawn()])) == {0}
    assert set(judged([ends(each[:3]) for each in drawn()])) == {0}
    assert set(judged([ends(each[:, :1]) for each in drawn()])) == {0}
    assert set(judged(list(map(ends, drawn())), rows=6)) == {0}
    assert set(judged(list(map(ends, drawn())), is_part=True)) == {0}


def test_batches_that_are_nearly_all_of_few_samples_have_their_ends_and_no_scale():
    (pool,) = drawn(count=1)
    at_an_end = {*pool.argmin(0).tolist(), *pool.argmax(0).tolist()}
    left = [row for row in range(12) if row not in at_an_end][:3]
    batches = [pool[[row for row in range(12) if row != each]] for each in left]
    assert set(judged(batches)) == {0}
    assert judged([ends(each) for each in batches])[2] == Scaled.BY_ITS_ENDS
