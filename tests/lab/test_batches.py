from itertools import chain

import pytest
import torch

from layerscope.lab.data.batches import Batches, Order


def batches_of(order: Order, epoch: int) -> list[list[int]]:
    """The batches of one epoch as example numbers, with x and y checked to belong together."""
    numbers = torch.arange(order.count)
    batches = Batches(numbers.unsqueeze(1), numbers, order, epoch=lambda: epoch)
    listed = list(batches)
    assert len(listed) == len(batches)
    assert all(torch.equal(x.squeeze(1), y) for x, y in listed)
    return [y.tolist() for _, y in listed]


def test_every_epoch_has_every_example_once_in_another_order():
    order = Order(count=103, batch_size=10, seed=7)
    first, second = (list(chain(*batches_of(order, epoch))) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(103))
    assert first != second


def test_the_last_batch_is_kept_and_may_be_short():
    sizes = [len(batch) for batch in batches_of(Order(count=103, batch_size=10, seed=7), epoch=0)]
    assert sizes == [10] * 10 + [3]


def test_a_batch_larger_than_the_data_is_all_of_the_data():
    assert batches_of(Order(count=3, batch_size=10, seed=None), epoch=0) == [[0, 1, 2]]


def test_the_order_follows_from_the_seed_and_the_epoch():
    order = Order(count=50, batch_size=50, seed=7)
    assert torch.equal(order.indices(4), Order(count=50, batch_size=5, seed=7).indices(4))
    assert not torch.equal(order.indices(4), Order(count=50, batch_size=50, seed=8).indices(4))


def test_the_next_seed_does_not_repeat_the_orders_one_epoch_later():
    one, two = (Order(count=50, batch_size=50, seed=seed) for seed in (7, 8))
    assert not torch.equal(one.indices(1), two.indices(0))


def test_without_a_seed_the_order_is_that_of_the_examples():
    order = Order(count=25, batch_size=10, seed=None)
    assert list(chain(*batches_of(order, epoch=3))) == list(range(25))


def test_the_epoch_is_the_one_when_the_first_batch_is_asked_for():
    epoch = 0
    numbers = torch.arange(20)
    batches = Batches(numbers, numbers, Order(20, 20, seed=7), epoch=lambda: epoch)
    iterator = iter(batches)
    epoch = 1
    assert torch.equal(next(iterator)[1], Order(20, 20, seed=7).indices(1))


@pytest.mark.parametrize("world_size", [2, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 4, 10])
@pytest.mark.parametrize("count", [1, 7, 40, 41, 47, 120])
def test_ranks_share_an_epoch_in_equally_many_batches(count, batch_size, world_size):
    ranks = [
        batches_of(Order(count, batch_size, seed=7, rank=rank, world_size=world_size), epoch=2)
        for rank in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    assert all(batch for batches in ranks for batch in batches)
    seen = list(chain(*chain(*ranks)))
    assert set(seen) == set(range(count))
    in_last_step = count % (batch_size * world_size)
    repeated = world_size - in_last_step if 0 < in_last_step < world_size else 0
    assert len(seen) == count + repeated


def test_an_epoch_draws_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    batches_of(Order(count=103, batch_size=10, seed=7), epoch=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_are_views_of_one_gather():
    numbers = torch.arange(20)
    batches = [y for _, y in Batches(numbers, numbers, Order(20, 10, seed=7), epoch=lambda: 0)]
    storages = {batch.untyped_storage().data_ptr() for batch in batches}
    assert len(batches) == 2
    assert len(storages) == 1
