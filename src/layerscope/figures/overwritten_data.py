"""Is what a data set keeps changed by what is made of it for a batch?"""

import math
from collections.abc import Iterator
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from layerscope.live_objects import live_objects

_EMPTIER, _LOUDER = 0.1, 1.25
"""How far the inputs' share of zeros, and their size, must be from what they were at the first
look, before anybody looks for their data set."""

_SEARCHES = 3
_ELEMENTS, _PARTS = 4096, 64
"""Of what a data set keeps; of a list, in so many of its tensors."""

_FEWEST, _NEARLY_ALL, _ALIKE = 16, 0.9, 0.5
"""Elements that have changed; the share of them that are 0 now; and their cosine with what they
were: rows that have been replaced, as in an agent's buffer, have about 0."""

Values = npt.NDArray[np.float64]


class OverwrittenData:
    """Where inputs get emptier, larger or smaller than they were at the first look, it looks for
    the data sets of loaders, and compares what they keep from then on. Of a loader with workers of
    its own these have copies, which nobody sees.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._searches = 0
        self._kept: list[_Kept] = []

    def see(self, size: float, zeros: float) -> float:
        """1 if elements that a data set keeps have become 0 meanwhile, and its batches emptier; 2
        if they have changed as its batches did, and are like what they were; else 0. NaN where no
        inputs are seen.

        Args:
            size: root mean square of the inputs, zeros left out.
            zeros: their share of zeros.
        """
        if not (size > 0 and math.isfinite(size)):
            return math.nan
        if self._first is None:
            self._first = size, zeros
        emptier = zeros - self._first[1] > _EMPTIER
        times = size / self._first[0]
        changed = not 1 / _LOUDER < times < _LOUDER
        if not (emptier or changed):
            return 0.0
        if not self._kept and self._searches < _SEARCHES:
            self._searches += 1
            self._kept = list(_kept_by_data_sets())
            return 0.0
        if emptier and any(each.is_emptied() for each in self._kept):
            return 1.0
        return 2.0 if changed and any(each.is_scaled(times) for each in self._kept) else 0.0


class _Kept:
    """What an attribute of a data set was."""

    def __init__(self, data: Any, name: str, before: Values) -> None:
        self._data, self._name, self._before = ref(data), name, before

    def _changed(self) -> tuple[Values, Values]:
        """Elements that were no 0 and are others now: before, and now."""
        now = _sample(vars(data).get(self._name)) if (data := self._data()) is not None else None
        if now is None or now.shape != self._before.shape:
            return np.zeros(0), np.zeros(0)
        at = (now != self._before) & (self._before != 0)
        return self._before[at], now[at]

    def is_emptied(self) -> bool:
        _, now = self._changed()
        return len(now) >= _FEWEST and bool((now == 0).mean() >= _NEARLY_ALL)

    def is_scaled(self, times: float) -> bool:
        before, now = self._changed()
        if len(now) < _FEWEST or not (np.isfinite(now).all() and np.isfinite(before).all()):
            return False
        one, other = np.linalg.norm(before), np.linalg.norm(now)
        alike = other > 0 and before @ now >= _ALIKE * one * other
        return bool(alike and (other > one) == (times > 1))


def _kept_by_data_sets() -> Iterator[_Kept]:
    """All numbers that the data sets of loaders keep."""
    (loaders,) = live_objects(DataLoader)
    waiting = [each.dataset for each in loaders]
    seen: set[int] = set()
    while waiting:
        data = waiting.pop()
        if id(data) in seen or not isinstance(data, Dataset):
            continue
        seen.add(id(data))
        for name, value in vars(data).items():
            within = value if isinstance(value, list | tuple) else [value]
            waiting += [each for each in within if isinstance(each, Dataset)]
            if (sample := _sample(value)) is not None:
                yield _Kept(data, name, sample)


def _sample(value: Any) -> Values | None:
    """Some elements, evenly spaced, of a tensor or array of floats, or a list of such."""
    several = list(value[:_PARTS]) if isinstance(value, list | tuple) else [value]
    arrays = [array for each in several if (array := _array(each)) is not None]
    if not arrays:
        return None
    most = _ELEMENTS // len(arrays)
    parts = (each[:: -(-len(each) // most)] for each in arrays)
    return np.concatenate([each.astype(np.float64) for each in parts])


def _array(value: Any) -> npt.NDArray[np.floating] | None:
    """Where it lies in this machine's memory, [n]; None of anything else, or of no elements."""
    if type(value) is Tensor and value.device.type == "cpu" and value.is_contiguous():
        value = value.detach().view(-1)
        value = value.numpy() if str(value.dtype) in ("torch.float32", "torch.float64") else None
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return None
    return value.reshape(-1) if value.flags.c_contiguous else None
