"""What is compared from look to look follows the run into its checkpoints, and stays small."""

import io
from collections import Counter, deque

import numpy as np
import pytest
import torch

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.figures.same_noise import SameNoise
from layerscope.figures.token_ids import RoundedIds


class Kept(KeptBetweenLooks):
    def __init__(self):
        self.nothing, self.last, self.rows = None, None, []
        self.counts, self.values, self.left = Counter(), deque(maxlen=2), {1, 2}
        self.number, self.share, self.is_over, self.of = 0, -np.inf, False, {}


def through_a_checkpoint(state):
    file = io.BytesIO()
    torch.save(state, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def test_all_that_was_kept_comes_back_as_it_was():
    first, later = Kept(), Kept()
    first.last, first.rows = np.arange(3.0), [np.ones((2, 2)), b"digest"]
    first.counts.update([4, 4, np.int64(5)])
    first.values.extend([1.0, 2.0, 3.0])
    first.left -= {1}
    first.number, first.is_over, first.of = np.int64(7), True, {0: {256: [300, 302]}}
    later.load_state(through_a_checkpoint(first.state()))
    assert later.last.tolist() == [0, 1, 2]
    assert later.last.dtype == np.float64
    assert later.rows[0].tolist() == [[1, 1], [1, 1]]
    assert later.rows[1] == b"digest"
    assert (later.counts, later.left) == (Counter({4: 2, 5: 1}), {2})
    later.values.append(4.0)
    assert later.values == deque([3.0, 4.0])
    assert (later.number, later.share, later.is_over) == (7, -np.inf, True)
    assert (later.of, later.nothing) == ({0: {256: [300, 302]}}, None)


def test_a_state_without_one_of_its_attributes_changes_nothing():
    first, later = Kept(), Kept()
    first.number = 3
    with pytest.raises(KeyError, match="of"):
        later.load_state({name: each for name, each in first.state().items() if name != "of"})
    assert later.number == 0


def bytes_of(kept):
    file = io.BytesIO()
    torch.save(kept.state(), file)
    return len(file.getvalue())


def test_what_is_kept_of_many_numbers_and_of_large_pictures_is_small():
    ids, noise = RoundedIds(), SameNoise()
    for _ in range(3):
        ids.see([(0, torch.randint(100_000, (8192,)).to(torch.bfloat16).long())])
        pictures = np.random.default_rng(0).normal(size=(8, 8000))
        noise.see(LossView(Loss.SQUARED_ERROR, 1.0, pictures), pictures, [pictures + 1])
    assert bytes_of(ids) < 4_000
    assert bytes_of(noise) < 110_000
