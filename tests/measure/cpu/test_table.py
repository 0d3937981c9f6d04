import torch

from layerscope.measure import Tally
from layerscope.measure.cpu.table import ROW, SPARSE_FROM
from layerscope.measure.row_options import RowOptions
from tests.measure.reference import held
from tests.measure.resident import knows_its_memory, resident


@knows_its_memory
def test_of_many_rows_only_what_is_touched_takes_memory():
    rows = SPARSE_FROM // (ROW * 8) + 4
    draw = torch.Generator().manual_seed(0)
    of_a_layer = [torch.randn(4096, generator=draw) * scale for scale in (1.0, 1e-4, 1e-6, 0.1)]
    before = resident()
    tally = Tally(RowOptions(rows))
    for row in range(rows):
        tally.add(row, of_a_layer[row % 4])
    grown = resident() - before
    assert grown < 300_000 * rows / 4
    # And they count as those of a small table do.
    few = Tally(RowOptions(4))
    for row, tensor in enumerate(of_a_layer):
        few.add(row, tensor)
    one, other = held(tally, 3), held(few, 3)
    assert (one.bins.tolist(), one.counts.tolist()) == (other.bins.tolist(), other.counts.tolist())
    assert one.moments == other.moments
