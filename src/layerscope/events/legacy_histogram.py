"""The histogram that `torch.utils.tensorboard` and TensorFlow 1 write, as buckets."""

import struct

import numpy as np
from numpy.typing import NDArray

from layerscope.events.wire import BYTES, FIXED64, fields, key


def buckets_of(message: bytes) -> NDArray[np.float32]:
    """Read a HistogramProto as float32 [k, 3] of (left edge, right edge, count) per bucket.

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
