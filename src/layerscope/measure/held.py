"""The small tensors of a step, held where they lie until one call measures them all.

Measuring a tensor by itself, between a network's own operations, takes some ten microseconds, most
of them for finding code and tables in memory again. What is small is therefore only noted, and
measured when the step ends. What is large waits where torch has several threads, until there are
some megabytes for these to measure side by side; with one thread it is measured at once, where it
still lies in the cache.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from torch import Tensor

from layerscope.measure.changed_in_place import (
    COPIED,
    REFERRED,
    WIDTH,
    Entry,
    Given,
    Unusual,
    are_unchanged,
    entries_of,
    one_behind_the_other,
    rows_changed,
)
from layerscope.measure.cpu.kinds import KINDS
from layerscope.measure.measurable import LARGE, SMALL
from layerscope.measure.tally import Tally
from layerscope.measure.units import UnitTally

MOST_HELD = 1 << 24
"""Bytes that small ones have at most, and large ones with what their layers were given; of small
ones what comes beyond is measured at once."""

_NOTHING = Unusual()


class HeldTensors:
    """Tensors that are measured together: at most MOST_HELD bytes, until `release`.

    A held tensor is the network's own, without its graph. Its version tells whether somebody has
    changed it in place before it was measured. (A change through `tensor.data` is not seen: torch
    counts no version of it.) The first time, every tensor is copied, so that no value is wrong or
    lost; a row whose tensors were changed is copied from then on. Where that comes later, the row
    is lost for the step.

    Args:
        tally: whose rows they go into.
        units: and of which their units are watched.

    Attributes:
        largest: bytes that a tensor may have.
        looks_for_causes: whether it tells of tensors that are not finite, with what their layers
            were given.
    """

    __slots__ = (
        "_bytes", "_how", "_large", "_large_bytes", "_measured", "_tally", "_units", "_unusual",
        "_waiting", "largest",
    )  # fmt: skip

    looks_for_causes = True

    def __init__(self, tally: Tally, units: UnitTally) -> None:
        self._tally = tally
        self._units = units
        self._how = bytearray(tally.rows)
        # Entries, one behind the other: a tuple for each, of a hundred layers, would have Python's
        # garbage collector come at every step.
        self._waiting: list[Any] = []
        self._measured = 0  # of the entries, from the first
        self._bytes = 0
        self._large: list[Any] = []  # entries
        self._large_bytes = 0
        self._unusual = _NOTHING  # among the large ones, since `measure` told of it
        self.largest = LARGE if tally.side_by_side > 1 else SMALL

    def hold(
        self,
        row: int,
        tensor: Tensor,
        unit_row: int = -1,
        axis: int = -1,
        given: Given | None = None,
    ) -> bool:
        """Note a tensor: 1 us. Large ones are measured now if too much of them would be held.

        Args:
            tensor: one that `is_measurable`.
            unit_row: of the unit tally; -1 watches no units.
            axis: of the units, see `UnitTally.add`.
            given: what its layer was given, where that is to be looked at if it is not finite.

        Returns:
            False where it is too large, too much is held already, or torch counts no version of it:
            then it is to be measured at once.
        """
        size, how = tensor.nbytes, self._how[row]
        is_large = size > SMALL
        if size > self.largest or not tensor.is_cpu:
            return False
        if is_large:
            if how == COPIED:  # to copy it takes longer than waiting saves
                return False
            size += sum([each.nbytes for each, _ in given or ()])
            if self._large_bytes + size > MOST_HELD:
                self._measure_large()
        elif self._bytes + size > MOST_HELD:
            return False
        try:
            version = tensor._version
        except RuntimeError:  # of inference mode
            return False
        measured = own = tensor.detach() if tensor.requires_grad else tensor
        if how != REFERRED:
            measured = own.clone()
            if how == COPIED:
                own, version = measured, 0
        entry = (row, measured, own, version, own.data_ptr(), unit_row, axis, given)
        if is_large:
            self._large_bytes += size
            self._large += entry
        else:
            self._bytes += size
            self._waiting += entry
        return True

    @property
    def is_measured(self) -> bool:
        """Whether all that is held has been measured."""
        return not self._large and self._measured * WIDTH == len(self._waiting)

    def measure(self, whole: bool, also: Sequence[tuple[int, Tensor]] = ()) -> Unusual:
        """Measure what has been held since the last time; it stays held.

        Where something has come to a row that was measured before, all of the row is measured anew.

        Args:
            whole: see `Tally.add_all`.
            also: (row, tensor) of further tensors, such as the gradients of weights, that the same
                call measures; large ones are measured by themselves.

        Returns:
            What was unusual among those that were held.
        """
        if self._large:
            self._measure_large()
        large, self._unusual = self._unusual, _NOTHING
        new = self._waiting[self._measured * WIDTH :]
        if not new and not also:
            return large
        if self._measured and new:
            new = self._again(set(new[::WIDTH])) + new
        self._measured = len(self._waiting) // WIDTH
        small = self._measure(new, whole, also)
        return small if large is _NOTHING else large + small

    def put_into_bins(self) -> None:
        """Measure anew, so that it can be merged, what was measured as a whole before."""
        self._measure(self._again(set(self._waiting[::WIDTH])), False, ())

    def release(self) -> None:
        """Let go of all; what was not measured will not be."""
        self._waiting.clear()
        self._large.clear()
        self._measured = self._bytes = self._large_bytes = 0
        self._unusual = _NOTHING
        self.largest = LARGE if self._tally.side_by_side > 1 else SMALL

    def _measure_large(self) -> None:
        """Measure the large ones, and let them go."""
        entries, self._large, self._large_bytes = self._large, [], 0
        entries, lost = self._without_changed(entries)
        kept: list[Tensor] = []
        jobs = self._jobs_of(entries, kept)
        is_finite = not self._tally.measure_side_by_side(jobs, self._units.address)
        for row in lost:
            self._tally.lose(row)
        if lost or not is_finite:
            found = () if is_finite else self._not_finite(entries_of(entries))
            self._unusual += Unusual(lost, found)

    def _again(self, rows: set[int]) -> list[Any]:
        """What was measured before of some rows, as if it had not been; its units were watched."""
        filled = {row for row in rows if self._tally.reopen(row)}
        before = self._waiting[: self._measured * WIDTH]
        return one_behind_the_other(
            (row, measured, own, version, address, -1, axis, None)
            for row, measured, own, version, address, _, axis, _ in entries_of(before)
            if row in filled
        )

    def _measure(
        self, waiting: list[Any], whole: bool, also: Sequence[tuple[int, Tensor]]
    ) -> Unusual:
        waiting, lost = self._without_changed(waiting)
        kept: list[Tensor] = []
        jobs = self._jobs_of(waiting, kept)
        jobs += self._tally.jobs_of(also, kept)
        in_bins = self._tally.measure(jobs, self._units.address, whole)
        for row in lost:
            self._tally.lose(row)
        if not in_bins and not lost:
            return _NOTHING
        return Unusual(lost, self._not_finite(entries_of(waiting)) if in_bins else ())

    def _without_changed(self, waiting: list[Any]) -> tuple[list[Any], list[int]]:
        """Entries by row, without those of rows that are lost, and these rows."""
        lost: list[int] = []
        if not are_unchanged(waiting):
            lost = rows_changed(entries_of(waiting), self._how)
        if lost:
            left = (entry for entry in entries_of(waiting) if entry[0] not in lost)
            waiting = one_behind_the_other(left)
        rows = waiting[::WIDTH]
        if len(set(rows)) < len(rows):
            waiting = one_behind_the_other(sorted(entries_of(waiting), key=itemgetter(0)))
        return waiting, lost

    def _jobs_of(self, waiting: list[Any], kept: list[Tensor]) -> list[int]:
        jobs: list[int] = []
        for row, tensor, own, _, address, unit_row, axis, _ in entries_of(waiting):
            units, inner = 0, 0
            if unit_row >= 0:
                prepared, units, inner = self._units.prepare(unit_row, tensor, axis)
            else:
                prepared = tensor if tensor.is_contiguous() else tensor.contiguous()
            if prepared is not own:
                kept.append(prepared)
                address = prepared.data_ptr()
            if size := prepared.numel():
                jobs += (KINDS[prepared.dtype], address, size, row, unit_row, units, inner)
        return jobs

    def _not_finite(self, entries: Iterable[Entry]) -> list[tuple[int, Given]]:
        """The first tensor of each row that is not finite."""
        found: dict[int, Given] = {}
        for row, tensor, _, _, _, _, _, given in entries:
            if (
                given is not None
                and row not in found
                and self._tally.has_nonfinite(row)
                and not tensor.isfinite().all()
            ):
                found[row] = given
        return list(found.items())
