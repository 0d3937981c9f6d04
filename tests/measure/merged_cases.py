"""What merging ranks must come to, for every kind of table."""

import numpy as np
import torch

from layerscope.measure import Tally
from layerscope.measure.row_options import RowOptions
from layerscope.measure.row_state import merge_ranks
from tests.measure.ranks import Ranks

OPTIONS = {
    "intervals": [(-0.97, 0.97)] * 4,
    "axes": [(-1.0, 1.0), None, None, None],
    "logarithmic": [False, True, True, True],
}


def parts():
    """[rank][row]: what each rank measures into each row; one row is left out by a rank."""
    draw = torch.Generator().manual_seed(5)
    normal = torch.randn(3000, generator=draw)
    spoilt = torch.randn(300, generator=draw)
    spoilt[[3, 70]] = torch.tensor([float("nan"), float("inf")])
    far = 1e4 + torch.randn(501, generator=draw)
    none = torch.empty(0)
    return [
        [normal[:1000].tanh(), spoilt[:100] * 1e-8, far[:1], none],
        [normal[1000:].tanh(), spoilt[100:], none, none],
        [none, torch.zeros(7), far[1:], none],
    ]


def assert_ranks_merge_to_the_whole(make, read):
    """make() -> a table with OPTIONS; read(table) -> its Reading, reset."""
    ranks = Ranks(3)
    tables = [make() for _ in range(3)]

    def work(rank, add_up):
        for row, part in enumerate(parts()[rank]):
            tables[rank].add(row, part)
        merge_ranks(tables[rank], 4, rank, 3, add_up)

    ranks.run(work)
    whole = Tally(RowOptions(4, **OPTIONS))
    for rows in parts():
        for row, part in enumerate(rows):
            whole.add(row, part)
    expected = whole.read(4).get()
    for table in tables:
        reading = read(table)
        np.testing.assert_allclose(reading.moments, expected.moments, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(reading.linear[..., 2], expected.linear[..., 2])
        np.testing.assert_allclose(reading.linear, expected.linear, rtol=1e-6)
        np.testing.assert_array_equal(reading.logarithmic[1:, :, 2], expected.logarithmic[1:, :, 2])
    # The rows are empty after it, and as good as new.
    again, fresh = tables[0], Tally(RowOptions(4, **OPTIONS))
    for row, part in enumerate(parts()[1]):
        again.add(row, part)
        fresh.add(row, part)
    expected = fresh.read(4).get().moments
    np.testing.assert_allclose(read(again).moments, expected, rtol=1e-9, atol=1e-12)
