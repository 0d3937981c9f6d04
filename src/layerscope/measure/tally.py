"""Many tensors measured side by side, step after step, without allocating anything."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from layerscope.measure.cpu.kernel import add_to_row
from layerscope.measure.cpu.kinds import KINDS
from layerscope.measure.cpu.merge import merge_row
from layerscope.measure.cpu.parallel import add_in_parts
from layerscope.measure.cpu.read import read_rows
from layerscope.measure.cpu.reading_memory import ReadingMemory, ReadingToFill, first_rows
from layerscope.measure.cpu.side_by_side import measure_side_by_side
from layerscope.measure.cpu.table import Table
from layerscope.measure.cpu.team import PART, threads_of_team
from layerscope.measure.cpu.whole_rows import FILLED, IN_TABLE, JOB, LOST, ROW, measure_whole_rows
from layerscope.measure.measurable import LARGE, PLAIN, SMALL, is_measurable
from layerscope.measure.pending import Pending
from layerscope.measure.reading import CARRIED, Reading
from layerscope.measure.row_layout import Sums, Tallies
from layerscope.measure.row_options import EXACT, RowOptions
from layerscope.measure.row_state import put_back, state_of


class Tally:
    """Counts and sums of many tensors, one row each; a row adds up until it is read.

    Args:
        options: how many rows there are, and what each is asked for.
    """

    def __init__(self, options: RowOptions) -> None:
        self.rows = options.rows
        self._table = Table(options.rows)
        self._table.sums[:, Sums.LOW : Sums.HIGH + 1] = options.intervals
        self._most = options.max_elements
        self._address = self._table.address
        self._memory = ReadingMemory(options)
        self._states = self._memory.states
        self._next: ReadingToFill | None = None  # what rows of it are filled already
        self._carried = [0.0] * CARRIED

    def add(self, row: int, tensor: Tensor) -> int | None:
        """Measure a tensor where it lies, into a row.

        Returns:
            How many NaN and infinities the row holds now; None, and nothing is counted, for a
            tensor that is not of floating point, or has no elements of its own.
        """
        if type(tensor) not in PLAIN and not is_measurable(tensor):
            return None
        kind = KINDS.get(tensor.dtype)
        if kind is None:
            return None
        if self._states[row] != IN_TABLE:
            self.lose(row)
        if not tensor.is_cpu:
            tensor = tensor.detach().cpu()  # device to host: waits for the device
        if not tensor.is_contiguous():
            tensor = tensor.detach().contiguous()
        size = tensor.numel()
        if size >= 2 * PART and (threads := torch.get_num_threads()) > 1:
            return add_in_parts(
                kind, tensor.data_ptr(), size, row, self._table, self._most, threads
            )
        return int(add_to_row(kind, tensor.data_ptr(), size, row, self._address, self._most))

    def add_all(self, tensors: Iterable[tuple[int, Tensor]], whole: bool = False) -> None:
        """Measure many tensors, each into its row; small ones by one call.

        Args:
            tensors: (row, tensor); those of a row are neighbours.
            whole: whether nothing else comes to these rows before they are read, nor are they
                merged with others: then small ones take less time, and their buckets are exact. A
                row to which something comes all the same is lost.
        """
        kept: list[Tensor] = []
        self.measure(self.jobs_of(tensors, kept), 0, whole)

    def jobs_of(self, tensors: Iterable[tuple[int, Tensor]], kept: list[Tensor]) -> list[int]:
        """Jobs for `measure`, of the small ones of some tensors; the large ones are measured now.

        Args:
            tensors: (row, tensor); those of a row are neighbours.
            kept: what must live until the jobs are done is added here.
        """
        small: list[int] = []
        large: list[int] = []
        for row, tensor in tensors:
            if (
                not is_measurable(tensor)
                or not tensor.is_cpu
                or (tensor.nbytes > SMALL and (tensor.nbytes > LARGE or self.side_by_side == 1))
            ):
                self.add(row, tensor)
            elif size := tensor.numel():
                if not tensor.is_contiguous():
                    tensor = tensor.detach().contiguous()
                kept.append(tensor)
                jobs = small if tensor.nbytes <= SMALL else large
                jobs += (KINDS[tensor.dtype], tensor.data_ptr(), size, row, -1, 0, 0)
        if large:
            self.measure_side_by_side(large, 0)
        return small

    @property
    def side_by_side(self) -> int:
        """How many large tensors, each of another row, are measured at a time."""
        return 1 if self._most < EXACT else threads_of_team()

    def measure(self, jobs: Sequence[int], unit_table: int, whole: bool) -> int:
        """Measure what lies at addresses, as `cpu.whole_rows` tells; whoever calls keeps it alive.

        Args:
            jobs: JOB numbers for each tensor; those of a row are neighbours.
            unit_table: `UnitTable.address`; 0 where no job has units.
            whole: see `add_all`.

        Returns:
            How many rows went into the bins: those with a NaN or an infinity are among them.
        """
        if not jobs:
            return 0
        memory = array("q", jobs)
        into = self._next = self._next or self._memory.take()
        return measure_whole_rows(
            memory.buffer_info()[0],
            len(jobs) // JOB,
            whole,
            self._address,
            unit_table,
            self._most,
            self.rows,
            self._memory.options,
            *into.addresses,
        )

    def measure_side_by_side(self, jobs: Sequence[int], unit_table: int) -> bool:
        """The same of large tensors; whether one of their rows holds a NaN or an infinity now."""
        if not jobs:
            return False
        rows = list(set(jobs[ROW::JOB]))
        for row in rows:
            if self._states[row] != IN_TABLE:
                self.lose(row)
        measure_side_by_side(jobs, self._address, unit_table, self._most, self.side_by_side)
        return bool(self._table.tallies[rows, Tallies.NAN : Tallies.NEGATIVE_INF + 1].any())

    def reopen(self, row: int) -> bool:
        """Forget what was measured of a row as a whole; False if nothing was."""
        if self._states[row] != FILLED:
            return False
        self._states[row] = IN_TABLE
        return True

    def has_nonfinite(self, row: int) -> bool:
        """Whether the bins of a row have counted a NaN or an infinity since they were read."""
        return bool(self._table.tallies[row, Tallies.NAN : Tallies.NEGATIVE_INF + 1].any())

    def lose(self, row: int) -> None:
        """Make the next reading hold nothing of a row, whatever else comes to it."""
        self._states[row] = LOST

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as the loss, to a slot of what the next reading brings along."""
        self._carried[slot] += scalar.item()  # device to host, where there is a device

    def merge_row(self, row: int, other: Tally, other_row: int) -> None:
        """Merge what a row of another tally holds into a row of this one; the other keeps it.

        What was measured as a whole comes to a row that holds nothing, or that is then lost.
        """
        if other._states[other_row] == FILLED and other._next is not None:
            if self._states[row] != IN_TABLE or self._table.tallies[row, Tallies.COUNT]:
                self.lose(row)
                return
            into = self._next = self._next or self._memory.take()
            for mine, its in zip(into.arrays, other._next.arrays, strict=True):
                mine[row] = its[other_row]
            self._states[row] = FILLED
            return
        merge_row(other._address, other_row, self._address, row)

    def merge_carried(self, other: Tally) -> None:
        """Add what another tally carries to what this one does."""
        self._carried = [a + b for a, b in zip(self._carried, other._carried, strict=True)]

    @property
    def bins(self) -> Tensor:
        """See `Mergeable`."""
        return torch.from_numpy(self._table.counts)

    def state(self, rows: int) -> Tensor:
        """See `Mergeable`."""
        into = self._memory.take()
        self._read(rows, into, reset=False)
        tallies = torch.from_numpy(self._table.tallies)
        return state_of(torch.from_numpy(into.arrays[0][:rows]), tallies)

    def load_state(self, state: Tensor) -> None:
        """See `Mergeable`."""
        sums, tallies = (torch.from_numpy(of) for of in (self._table.sums, self._table.tallies))
        put_back(state, sums, tallies)

    def merge_carried_of_ranks(self, add_up: Callable[[Tensor], None]) -> None:
        """Replace what is carried by its sum over the ranks of a distributed training."""
        carried = torch.tensor(self._carried, dtype=torch.float64)
        add_up(carried)
        self._carried = carried.tolist()

    def read(self, rows: int) -> Pending[Reading]:
        """Empty the first rows; what they held is made a `Reading` when somebody looks at it."""
        into, self._next = self._next or self._memory.take(), None
        self._read(rows, into, reset=True)
        if self._states.find(FILLED, rows) >= 0:  # what is not read now stays
            self._next = self._memory.take()
            for new, old in zip(self._next.arrays, into.arrays, strict=True):
                new[rows:] = old[rows:]
        carried, self._carried = tuple(self._carried), [0.0] * CARRIED
        return Pending(first_rows, into, rows, carried)

    def _read(self, rows: int, into: ReadingToFill, reset: bool) -> None:
        if reset and self._states.count(FILLED, 0, rows) == rows:
            self._states[:rows] = bytes(rows)  # IN_TABLE
            return
        read_rows(self._address, rows, self.rows, self._memory.options, *into.addresses, reset)
