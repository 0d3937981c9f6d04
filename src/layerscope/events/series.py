"""A tag's columns, joined into one series of steps and values."""

import struct
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from layerscope.events.columns import Column
from layerscope.events.wire import BYTES, FIXED64, fields, key


class ScalarSeries(NamedTuple):
    """A scalar tag: steps, int64 [n], and values, float64 [n]."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


class HistogramSeries(NamedTuple):
    """A histogram tag: steps, int64 [n], and buckets of (left edge, right edge, count).

    buckets is float32 [n, k, 3], or a list of n arrays [k, 3] where k varies.
    """

    steps: NDArray[np.int64]
    buckets: NDArray[np.float32] | list[NDArray[np.float32]]


class TextSeries(NamedTuple):
    """A text tag: steps, int64 [n], and n texts; the strings of one event are joined by lines."""

    steps: NDArray[np.int64]
    texts: list[str]


class TensorSeries(NamedTuple):
    """A tag of tensors of one shape: steps, int64 [n], and values, float [n, *shape]."""

    steps: NDArray[np.int64]
    values: NDArray[np.float32] | NDArray[np.float64]


def tensor_series(columns: Sequence[Column]) -> TensorSeries | None:
    """Join the columns that hold numbers; None where none does, or where their shapes differ."""
    columns = [c for c in columns if c.span.kind == "numbers"]
    if not columns or len({c.span.shape for c in columns}) > 1:
        return None
    order, steps = _order_and_steps(columns)
    return TensorSeries(steps, np.concatenate([c.numbers() for c in columns])[order])


def scalar_series(columns: Sequence[Column]) -> ScalarSeries | None:
    """Join the columns that hold one number an event; None where none does."""
    columns = [c for c in columns if c.span.kind == "numbers" and prod(c.span.shape) == 1]
    if not columns:
        return None
    order, steps = _order_and_steps(columns)
    values = np.concatenate([c.numbers().reshape(-1).astype(np.float64) for c in columns])
    return ScalarSeries(steps, values[order])


def histogram_series(columns: Sequence[Column]) -> HistogramSeries | None:
    """Join the columns that hold buckets or a HistogramProto; None where none does."""
    columns = [c for c in columns if c.span.kind == "histo" or _holds_buckets(c)]
    if not columns:
        return None
    order, steps = _order_and_steps(columns)
    parts = [part for column in columns for part in _buckets(column)]
    if len({part.shape[1:] for part in parts}) == 1:
        return HistogramSeries(steps, np.concatenate(parts)[order])
    each = [buckets for part in parts for buckets in part]
    return HistogramSeries(steps, [each[i] for i in order])


def text_series(columns: Sequence[Column]) -> TextSeries | None:
    """Join the columns that hold strings; None where none does."""
    columns = [c for c in columns if c.span.kind == "strings"]
    if not columns:
        return None
    order, steps = _order_and_steps(columns)
    each = [_joined_strings(message) for c in columns for message in c.messages()]
    return TextSeries(steps, [each[i] for i in order])


def _order_and_steps(columns: Sequence[Column]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    order = np.argsort(np.concatenate([c.order for c in columns]))
    return order, np.concatenate([c.steps for c in columns])[order]


def _holds_buckets(column: Column) -> bool:
    shape = column.span.shape
    return column.span.kind == "numbers" and len(shape) == 2 and shape[1] == 3


def _buckets(column: Column) -> list[NDArray[np.float32]]:
    """Read a column as parts [m, k, 3], each of one k."""
    if column.span.kind == "histo":
        return [_legacy_buckets(message)[np.newaxis] for message in column.messages()]
    return [column.numbers().astype(np.float32, copy=False)]


def _joined_strings(tensor: bytes) -> str:
    walk = fields(tensor, 0, len(tensor))
    return "\n".join(tensor[a:b].decode(errors="replace") for k, a, b in walk if k == key(8, BYTES))


def _legacy_buckets(message: bytes) -> NDArray[np.float32]:
    """Read a HistogramProto, which TensorFlow 1 and torch's SummaryWriter write: float32 [k, 3] of
    (left edge, right edge, count) per bucket.

    Empty buckets at both ends are dropped, and the outermost edges are the smallest and the
    largest value, as in tensorboard/data_compat.py: a file's own are at -1e308 and 1e308. k is 0
    where nothing was counted.
    """
    extremes = {key(1, FIXED64): 0.0, key(2, FIXED64): 0.0}
    packed = {key(6, BYTES): b"", key(7, BYTES): b""}
    for k, begin, end in fields(message, 0, len(message)):
        if k in extremes:
            extremes[k] = struct.unpack_from("<d", message, begin)[0]
        elif k in packed:
            packed[k] = message[begin:end]
    smallest, largest = extremes.values()
    limits, counts = (np.frombuffer(each, dtype="<f8") for each in packed.values())
    filled = np.flatnonzero(counts > 0)
    if not len(filled):
        return np.zeros((0, 3), dtype=np.float32)
    first, last = filled[0], filled[-1]
    edges = np.concatenate(([smallest], limits[first:last], [largest]))
    buckets = np.stack([edges[:-1], edges[1:], counts[first : last + 1]], axis=1)
    with np.errstate(over="ignore"):
        return buckets.astype(np.float32)
