"""An event file as columns: for each value of a summary, where it lies in all events like it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerscope.events.framing import CorruptRecordError, Records
from layerscope.events.layout import Span, cut, layout_of
from layerscope.events.wire import BYTES, VARINT, fields, key, read_varint

SESSION_START = b"\x08\x01"
"""A SessionLog message that says START: what earlier events say of its step and later is void."""


@dataclass(frozen=True)
class Column:
    """One value in n summaries that differ in nothing but their numbers.

    steps and starts are int64 [n]: the event's step, and where in `data`, the file's bytes, its
    summary starts. base is the number of bytes in the run's files before this one.
    """

    span: Span
    steps: NDArray[np.int64]
    starts: NDArray[np.int64]
    data: NDArray[np.uint8]
    base: int

    @property
    def order(self) -> NDArray[np.int64]:
        """Where each value lies in the run's files, joined: they sort by it as written."""
        return self.starts + (self.base + self.span.start)

    def without_abandoned(self, restarts: Sequence[tuple[int, int]]) -> Column:
        """The values but those that a restart has made void.

        Args:
            restarts: (where it lies in the run's files, the step at which the run goes on).
        """
        kept = np.ones(len(self.steps), np.bool_)
        for place, step in restarts:
            kept &= (self.order > place) | (self.steps < step)
        if kept.all():
            return self
        return replace(self, steps=self.steps[kept], starts=self.starts[kept])

    def numbers(self) -> NDArray[np.float32] | NDArray[np.float64]:
        """Copy the numbers out of the file, [n, *span.shape]."""
        return self._bytes().view(self.span.dtype).reshape(len(self.starts), *self.span.shape)

    def messages(self) -> list[bytes]:
        """Copy the n messages out of the file."""
        return [row.tobytes() for row in self._bytes()]

    def _bytes(self) -> NDArray[np.uint8]:
        return cut(self.data, self.starts + self.span.start, self.span.stop - self.span.start)


def read_columns(data: bytes, base: int) -> tuple[list[Column], list[tuple[int, int]], Records]:
    """Read an event file: its columns; where it says that the run goes on, and at which step; and
    its records, which tell what of it is torn or damaged, and was passed over.

    Raises:
        CorruptRecordError: no record is whole but some are damaged, or a whole one holds no event.
    """
    array = np.frombuffer(data, dtype=np.uint8)
    alike: dict[tuple[int, bytes], list[tuple[int, int]]] = defaultdict(list)
    at = 0
    records = Records(data)
    columns: list[Column] = []
    restarts: list[tuple[int, int]] = []
    try:
        for at, stop in records:
            step, start, size, restarted = _step_and_summary(data, at, stop)
            if restarted:
                restarts.append((base + at, step))
            if size:
                alike[size, _first_tag(data, start)].append((step, start))
        for (size, _), events in alike.items():
            at = events[0][1]
            columns += _split(array, base, np.array(events, dtype=np.uint64).view(np.int64), size)
    except CorruptRecordError:
        raise
    except (ValueError, IndexError) as error:
        raise CorruptRecordError(at, f"a record holds no event ({error})") from error
    if at == 0 and records.first_damage is not None:
        raise records.first_damage
    return columns, restarts, records


def _split(
    data: NDArray[np.uint8], base: int, events: NDArray[np.int64], size: int
) -> Iterator[Column]:
    """Split events, [n, (step, start)] of summaries of one size, by their layouts."""
    while len(events):
        start = events[0, 1]
        layout = layout_of(data[start : start + size])
        fits = layout.fits(data, events[:, 1])
        for span in layout.spans:
            yield Column(span, steps=events[fits, 0], starts=events[fits, 1], data=data, base=base)
        events = events[~fits]


def _step_and_summary(data: bytes, start: int, stop: int) -> tuple[int, int, int, bool]:
    """Find in an Event message its step, modulo 2**64, its summary's start and size, or 0, and
    whether it says that a session starts.
    """
    step = begin = size = 0
    restarted = False
    for k, at, until in fields(data, start, stop):
        if k == key(2, VARINT):
            step = read_varint(data, at)[0]
        elif k == key(5, BYTES):
            begin, size = at, until - at
        elif k == key(7, BYTES):
            restarted = data[at:until] == SESSION_START
    return step, begin, size, restarted


def _first_tag(data: bytes, start: int) -> bytes:
    """Return what a summary's first value starts with, usually its tag.

    Files with one scalar an event have many summaries of equal size: their tags tell them apart
    before their layouts do.
    """
    value = read_varint(data, start + 1)[1]
    size, tag = read_varint(data, value + 1)
    return data[tag : tag + size]
