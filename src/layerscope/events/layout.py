"""Where a summary's numbers lie: found once, then read from thousands of summaries at a time.

A program writes the same summary at every step, but for its numbers. So the wire format is walked
for one summary of a kind, and for the others it is enough that all bytes outside the numbers are
the same, which NumPy checks for all of them at once.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from layerscope.events.wire import BYTES, FIXED32, FIXED64, VARINT, fields, key, read_varint

FloatType = np.dtype[np.float32] | np.dtype[np.float64]
_FLOAT32: FloatType = np.dtype(np.float32)
_FLOAT64: FloatType = np.dtype(np.float64)
_DTYPES = {1: _FLOAT32, 2: _FLOAT64}  # DataType
_DT_STRING = 7
_NUMBER_KEYS = {  # tensor_content, float_val and double_val, packed or not
    key(4, BYTES),
    key(5, BYTES),
    key(5, FIXED32),
    key(6, BYTES),
    key(6, FIXED64),
}


@dataclass(frozen=True)
class Span:
    """Bytes [start, stop) of a summary that hold the data of one value.

    kind says what they are: "numbers" of `dtype` in `shape`, a TensorProto of "strings", a
    HistogramProto ("histo"), or "other", which nothing here reads. `plugin` and `description` are
    what this one summary says of the tag; a tag's later events usually say nothing.
    """

    kind: Literal["numbers", "strings", "histo", "other"]
    start: int
    stop: int
    dtype: FloatType = _FLOAT32
    shape: tuple[int, ...] = ()
    tag: str = ""
    plugin: str = ""
    description: str = ""


@dataclass(frozen=True)
class Layout:
    """One summary's spans in order, and the bytes around them, which all of its kind share."""

    summary: NDArray[np.uint8]
    spans: tuple[Span, ...]

    def fits(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for each summary at starts, [n], whether it differs inside the spans only."""
        fits = np.ones(len(starts), dtype=np.bool_)
        at = 0
        for start, stop in [(span.start, span.stop) for span in self.spans] + [(None, 0)]:
            around = self.summary[at:start]
            fits &= (cut(data, starts + at, len(around)) == around).all(axis=1)
            at = stop
        return fits


def cut(data: NDArray[np.uint8], starts: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Copy `size` bytes from each of starts, [n], into one array, [n, size]."""
    return sliding_window_view(data, size)[starts]


def layout_of(summary: NDArray[np.uint8]) -> Layout:
    """Walk one Summary message, uint8 [bytes].

    Raises:
        ValueError, IndexError: it is not a Summary message.
    """
    data = summary.tobytes()
    walk = fields(data, 0, len(data))
    spans = tuple(_value(data, start, stop) for k, start, stop in walk if k == key(1, BYTES))
    return Layout(summary, spans)


def _value(data: bytes, start: int, stop: int) -> Span:
    tag, plugin, description = "", "", ""
    content = Span("other", stop, stop)
    for k, begin, end in fields(data, start, stop):
        if k == key(1, BYTES):
            tag = data[begin:end].decode()
        elif k == key(9, BYTES):
            plugin, description = _metadata(data, begin, end)
        elif k == key(2, FIXED32):
            content = Span("numbers", begin, end, plugin="scalars")
        elif k == key(5, BYTES):
            content = Span("histo", begin, end, plugin="histograms")
        elif k == key(8, BYTES):
            content = _tensor(data, begin, end)
        elif k in (key(4, BYTES), key(6, BYTES)):
            content = Span("other", begin, end)  # an old-style image or audio clip
    # An old-style value is its own plugin's, whatever its metadata says.
    return replace(content, tag=tag, plugin=content.plugin or plugin, description=description)


def _metadata(data: bytes, start: int, stop: int) -> tuple[str, str]:
    plugin, description = "", ""
    for k, begin, end in fields(data, start, stop):
        if k == key(1, BYTES):
            for inner, at, until in fields(data, begin, end):
                if inner == key(1, BYTES):
                    plugin = data[at:until].decode()
        elif k == key(3, BYTES):
            description = data[begin:end].decode()
    return plugin, description


def _tensor(data: bytes, start: int, stop: int) -> Span:
    data_type = 0
    shape: tuple[int, ...] = ()
    content = []
    for k, begin, end in fields(data, start, stop):
        if k == key(1, VARINT):
            data_type = read_varint(data, begin)[0]
        elif k == key(2, BYTES):
            shape = _shape(data, begin, end)
        elif k in _NUMBER_KEYS:
            content.append((begin, end))
    if data_type == _DT_STRING:
        return Span("strings", start, stop)
    if data_type in _DTYPES and len(content) <= 1:  # more: numbers in fields of their own
        dtype = _DTYPES[data_type]
        begin, end = content[0] if content else (stop, stop)
        if end - begin == dtype.itemsize * prod(shape):
            return Span("numbers", begin, end, dtype, shape)
    return Span("other", start, stop)


def _shape(data: bytes, start: int, stop: int) -> tuple[int, ...]:
    sizes = []
    for k, begin, end in fields(data, start, stop):
        if k == key(2, BYTES):
            dim = {inner: at for inner, at, _ in fields(data, begin, end)}
            at = dim.get(key(1, VARINT))
            sizes.append(0 if at is None else read_varint(data, at)[0])
    return tuple(sizes)
