"""The small tensors of a step, held where they lie until one call measures them all.

Measuring a tensor by itself, between a network's own operations, takes some ten microseconds, most
of them for finding code and tables in memory again. What is small is therefore only noted, and
measured when the step ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from torch import Tensor

from layerscope.measure.changed_in_place import (
    COPIED,
    REFERRED,
    Entry,
    Given,
    Unusual,
    rows_changed,
)
from layerscope.measure.cpu.kinds import KINDS
from layerscope.measure.tally import SMALL, Tally
from layerscope.measure.units import UnitTally

MOST_HELD = 1 << 24
"""Bytes that are held at most; what comes beyond is measured at once."""

_NOTHING = Unusual()

_WIDTH = 8  # of an `Entry`


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

    __slots__ = ("_bytes", "_how", "_measured", "_tally", "_units", "_waiting")

    largest = SMALL
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

    def hold(
        self,
        row: int,
        tensor: Tensor,
        unit_row: int = -1,
        axis: int = -1,
        given: Given | None = None,
    ) -> bool:
        """Note a tensor: 1 us.

        Args:
            tensor: one that `is_measurable`.
            unit_row: of the unit tally; -1 watches no units.
            axis: of the units, see `UnitTally.add`.
            given: what its layer was given, where that is to be looked at if it is not finite.

        Returns:
            False where it is too large, too much is held already, or torch counts no version of it:
            then it is to be measured at once.
        """
        size = tensor.nbytes
        if size > SMALL or self._bytes + size > MOST_HELD or not tensor.is_cpu:
            return False
        try:
            version = tensor._version
        except RuntimeError:  # of inference mode
            return False
        measured = own = tensor.detach() if tensor.requires_grad else tensor
        how = self._how[row]
        if how != REFERRED:
            measured = own.clone()
            if how == COPIED:
                own, version = measured, 0
        self._bytes += size
        self._waiting += (row, measured, own, version, own.data_ptr(), unit_row, axis, given)
        return True

    @property
    def is_measured(self) -> bool:
        """Whether all that is held has been measured."""
        return self._measured * _WIDTH == len(self._waiting)

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
        new = self._waiting[self._measured * _WIDTH :]
        if not new and not also:
            return _NOTHING
        if self._measured and new:
            new = self._again(set(new[::_WIDTH])) + new
        self._measured = len(self._waiting) // _WIDTH
        return self._measure(new, whole, also)

    def put_into_bins(self) -> None:
        """Measure anew, so that it can be merged, what was measured as a whole before."""
        self._measure(self._again(set(self._waiting[::_WIDTH])), False, ())

    def release(self) -> None:
        """Let go of all; what was not measured will not be."""
        self._waiting.clear()
        self._measured = self._bytes = 0

    def _again(self, rows: set[int]) -> list[Any]:
        """What was measured before of some rows, as if it had not been; its units were watched."""
        filled = {row for row in rows if self._tally.reopen(row)}
        before = self._waiting[: self._measured * _WIDTH]
        return _one_behind_the_other(
            (row, measured, own, version, address, -1, axis, None)
            for row, measured, own, version, address, _, axis, _ in _entries(before)
            if row in filled
        )

    def _measure(
        self, waiting: list[Any], whole: bool, also: Sequence[tuple[int, Tensor]]
    ) -> Unusual:
        lost = rows_changed(_entries(waiting), self._how)
        if lost:
            left = (entry for entry in _entries(waiting) if entry[0] not in lost)
            waiting = _one_behind_the_other(left)
        rows = waiting[::_WIDTH]
        if len(set(rows)) < len(rows):
            waiting = _one_behind_the_other(sorted(_entries(waiting), key=itemgetter(0)))
        kept: list[Tensor] = []
        jobs: list[int] = []
        for row, tensor, own, _, address, unit_row, axis, _ in _entries(waiting):
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
        jobs += self._tally.jobs_of(also, kept)
        in_bins = self._tally.measure(jobs, self._units.address, whole)
        for row in lost:
            self._tally.lose(row)
        if not in_bins and not lost:
            return _NOTHING
        return Unusual(lost, self._not_finite(_entries(waiting)) if in_bins else ())

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


def _entries(waiting: list[Any]) -> Iterator[Entry]:
    numbers = iter(waiting)
    return zip(*[numbers] * _WIDTH, strict=True)


def _one_behind_the_other(entries: Iterable[Entry]) -> list[Any]:
    return [each for entry in entries for each in entry]
