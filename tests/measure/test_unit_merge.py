import io
import threading

import numpy as np
import pytest
import torch

from layerscope.measure.device_units import DeviceUnitTally
from layerscope.measure.unit_merge import join, load_state, merge_ranks, state_of
from layerscope.measure.unit_reading import UnitColumn
from layerscope.measure.units import UnitTally
from tests.measure.unit_cases import RELU, TANH, Simulated, assert_same, normal


def on_a_device(rows, active, window):
    return DeviceUnitTally(torch.device("cpu"), rows, active, window)


both = pytest.mark.parametrize("make", [UnitTally, on_a_device])


class Ranks:
    """Tallies that call all_reduce from threads, as ranks do from processes."""

    def __init__(self, *tallies):
        self.tallies, self.calls = tallies, [[] for _ in tallies]
        self._given = [None] * len(tallies)
        self._barrier = threading.Barrier(len(tallies), timeout=30)

    def merge(self, merge=lambda tally, all_reduce: merge_ranks(tally.blocks, all_reduce)):
        failed = []

        def run(rank):
            try:
                merge(self.tallies[rank], lambda *given: self._all_reduce(rank, *given))
            except Exception as error:
                failed.append(error)
                self._barrier.abort()

        threads = [threading.Thread(target=run, args=(k,)) for k in range(len(self.tallies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert not failed

    def _all_reduce(self, rank, tensor, operation):
        assert tensor.is_contiguous()
        self.calls[rank].append((operation, tensor.dtype, tuple(tensor.shape)))
        self._given[rank] = tensor.clone()
        self._barrier.wait()
        reduce = {"sum": torch.sum, "min": torch.amin, "max": torch.amax}[operation]
        tensor.copy_(reduce(torch.stack(self._given), 0))
        self._barrier.wait()


@both
def test_ranks_read_what_one_that_had_seen_it_all_would(make):
    active, window = [TANH, RELU, TANH], 30
    ranks = Ranks(*(make(3, active, window) for _ in range(3)))
    simulated = [Simulated(interval, window) for interval in active]
    seen = [  # by row, which rank sees it in which step
        lambda rank, step: True,
        lambda rank, step: rank == step % 4,  # in step 3 nobody
        lambda rank, step: step > 1 and rank == 2,  # late, and on one rank alone
    ]
    for step in range(8):
        for rank, tally in enumerate(ranks.tallies):
            for row, units in enumerate((4, 7, 5)):
                if seen[row](rank, step):
                    x = torch.tanh(normal(rank + 1, units, seed=step * 9 + rank) * 4)
                    x[:, 1], x[:, 2] = -1.0, -1.0 if step < 5 or rank else 0.5
                    tally.add(row, x, -1)
                    simulated[row].add(x, -1)
        ranks.merge()
        readings = [tally.read(step).get() for tally in ranks.tallies]
        for row in range(3):
            expected = simulated[row].read(step)
            for figures in readings:
                assert_same(figures[row], expected)


@both
def test_every_rank_makes_the_same_three_calls_whatever_it_has_seen(make):
    ranks = Ranks(*(make(2, [TANH, RELU], 5) for _ in range(2)))
    ranks.tallies[0].add(1, normal(3, 6), -1)
    for units in (6, 10):
        ranks.merge()
        expected = [
            ("max", torch.int64, (2,)),
            ("sum", torch.int64, (2,)),
            ("min", torch.float64, (3, units)),
        ]
        assert [calls[-3:] for calls in ranks.calls] == [expected] * 2
        ranks.tallies[1].add(0, normal(3, 4), -1)
    assert [len(calls) for calls in ranks.calls] == [6, 6]


@both
def test_before_any_rank_has_seen_anything_there_is_nothing_to_merge(make):
    ranks = Ranks(*(make(1, [TANH], 5) for _ in range(2)))
    ranks.merge()
    assert ranks.calls[0][-1] == ("min", torch.float64, (3, 0))
    assert ranks.tallies[0].read(0).get()[0, 0] == 0


@both
def test_where_ranks_differ_in_the_number_of_units_the_most_holds(make):
    ranks = Ranks(*(make(2, [RELU, RELU], 5) for _ in range(2)))
    for rank, units in enumerate((3, 4)):
        ranks.tallies[rank].add(0, torch.zeros(6, units), -1)
        ranks.tallies[rank].add(1, torch.zeros(5, 2), -1)
    ranks.merge()
    for tally in ranks.tallies:
        assert tally.read(0).get()[:, :4].tolist() == [[4, 4, 4, 0], [2, 2, 2, 0]]


@both
@pytest.mark.parametrize("after", [UnitTally, on_a_device])
def test_windows_go_on_from_a_checkpoint(make, after):
    def make_and_train(steps, tally):
        for step in steps:
            for row, units in enumerate((4, 9)):
                x = normal(3, units, seed=step)
                x[:, 1 + step // 5 % 3] = -9.0
                tally.add(row, x, -1)
            readings.append(tally.read(step).get())

    readings = []
    active, window = [TANH, RELU, RELU], 10
    make_and_train(range(12), make(3, active, window))
    through, readings = readings, []
    first = make(3, active, window)
    make_and_train(range(7), first)
    state = state_of(first.blocks)
    make_and_train([50], first)  # which the state must not notice
    readings.pop()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    second = after(3, active, window)
    load_state(second.blocks, torch.load(file, weights_only=True))
    make_and_train(range(7, 12), second)
    assert np.array_equal(readings, through, equal_nan=True)
    dead = np.array(through)[:, 1, UnitColumn.DEAD]
    assert (np.diff(dead) > 0).any()  # some died
    assert (np.diff(dead) < 0).any()  # and were active again


@both
def test_a_state_of_other_rows_is_refused(make):
    with pytest.raises(ValueError, match="state must have one entry per row, 2, got 1"):
        load_state(make(2, [RELU, RELU], 1).blocks, state_of(make(1, [RELU], 1).blocks))


def joined(tallies, all_reduce):
    whole, parts, which = tallies
    join(whole.blocks, parts.blocks, which, all_reduce)


@both
def test_ranks_that_have_parts_of_the_units_read_what_one_with_all_would(make):
    active, window = [RELU, TANH], 30
    one = make(2, active, window)
    # Two groups of ranks with data of their own; in each, the first has 3 units and the other 2.
    which = [[(rank % 2, 2), (0, 1)] for rank in range(4)]
    ranks = Ranks(*((make(2, active, window), make(2, active, window), of) for of in which))
    for step in range(6):
        for group in range(2):
            x, y = (normal(4 + group, units, seed=step * 7 + group) for units in (5, 4))
            x[:, 1] = -1.0
            x[:, 4] = -1.0 if step < 4 else 1.0
            one.add(0, x, -1)
            one.add(1, y, -1)
            (_, first, _), (_, second, _) = ranks.tallies[2 * group : 2 * group + 2]
            first.add(0, x[:, :3], -1)
            second.add(0, x[:, 3:], -1)
            first.add(1, y, -1)  # of what both have, one counts
        ranks.merge(joined)
        expected = one.read(step).get()
        for whole, _, _ in ranks.tallies:
            for found, row in zip(whole.read(step).get(), expected, strict=True):
                assert_same(found, row)
