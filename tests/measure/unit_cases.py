"""The slow, obvious unit tally, which every other is compared with, and what it is fed."""

import math

import numpy as np
import torch

from layerscope.measure.unit_reading import QUIET_SAMPLES, UnitColumn

TANH, RELU, LINEAR = (-0.97, 0.97), (0.0, math.inf), (-math.inf, math.inf)
SIGMOID = (0.03, 0.97)  # not about zero: a unit's extremes may lie on both sides of it
INNER = (-0.7, 0.7)  # in float32 these edges lie nearer to zero


class Simulated:
    """One row: keeps all values of a step, and each unit's story as a list."""

    def __init__(self, active, window):
        self.active, self.window = active, window
        self.columns, self.silence = [], None

    def add(self, tensor, axis):
        if not tensor.is_floating_point() or tensor.ndim < 2:
            return False
        if tensor.numel():
            units = tensor.shape[axis]
            if self.silence is None or units != len(self.silence):
                self.columns, self.silence, self.since = [], [0] * units, [None] * units
            narrow = tensor.dtype != torch.float64
            rows = tensor.double().movedim(axis, -1).reshape(-1, units).numpy()
            self.columns.append((rows, narrow))
        return True

    def _is_active(self, unit):
        if self.active == LINEAR:
            return True
        for rows, narrow in self.columns:
            low, high = np.float32(self.active) if narrow else self.active
            for value in rows[:, unit]:
                if np.isfinite(value) and low < value < high:
                    return True
        return False

    def read(self, step):
        if not self.columns:
            return [0] + [math.nan] * 5
        values = np.concatenate([rows for rows, _ in self.columns])
        units, samples = values.shape[1], values.shape[0]
        silent = 0
        for unit in range(units):
            if self._is_active(unit):
                self.silence[unit] = 0
            else:
                silent += 1
                if self.silence[unit] == 0:
                    self.since[unit] = step
                self.silence[unit] += samples
        dead = [unit for unit in range(units) if self.silence[unit] >= self.window]
        since = min((self.since[unit] for unit in dead), default=math.nan)
        quiet = sum(silence >= QUIET_SAMPLES for silence in self.silence)
        self.columns = []
        return [units, silent, len(dead), since, quiet, self._spread(values)]

    @staticmethod
    def _spread(values):
        finite = [column[np.isfinite(column)] for column in values.T]
        finite = [column for column in finite if column.size]
        if len(values) < 2 or not finite:
            return math.nan
        largest = max(np.abs(column).max() for column in finite)
        return max(np.ptp(column) for column in finite) / largest if largest else 0.0


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_dead(tensor, axis, *units):
    tensor = tensor.clone()
    tensor.index_fill_(axis, torch.tensor(units), -5.0)
    return tensor


_GAPS = normal(40, 6)
_GAPS[::3, 0] = math.nan
_GAPS[:, 1] = math.inf
_GAPS[5, 2], _GAPS[6, 2] = -math.inf, math.inf
_GAPS[:, 3] = -math.nan
_GAPS[7, 4] = -math.nan

CASES = {
    "features": (normal(32, 100), -1),
    "features, one dead": (with_dead(normal(32, 27), -1, 5), -1),
    "tokens": (with_dead(normal(4, 9, 33), -1, 0, 32), -1),
    "more units than a tile": (with_dead(normal(11, 1100), -1, 511, 512, 1099), -1),
    "one sample": (normal(1, 9), -1),
    "one unit": (normal(3000, 1), -1),
    "few units": (normal(130, 2), 1),
    "pixels": (with_dead(normal(4, 6, 5, 7), 1, 3), 1),
    "many pixels": (with_dead(normal(2, 3, 70, 70), 1, 1), 1),
    "a signal": (normal(3, 5, 11), 1),
    "one channel": (normal(3, 1, 11), 1),
    "one pixel": (normal(3, 5, 1, 1), 1),
    "channels last": (normal(4, 6, 5, 7).to(memory_format=torch.channels_last), 1),
    "transposed": (normal(30, 40).T, -1),
    "strided": (normal(30, 40)[::3, 1::2], -1),
    "expanded": (normal(1, 40).expand(30, 40), -1),
    "all zero": (torch.zeros(8, 5), -1),
    "negative zero": (-torch.zeros(8, 5), -1),
    "negative": (-normal(8, 5).abs() - 1, -1),
    "negative pixels": (-normal(8, 5, 4).abs() - 1, 1),
    "saturated": (torch.tanh(normal(32, 20) * 50), -1),
    "at the edges": (torch.tensor([[0.97, -0.97, 0.0, 0.7], [0.97, 0.98, -0.0, -0.7]]), -1),
    "not all finite": (_GAPS, -1),
    "not all finite pixels": (_GAPS.reshape(8, 5, 6).permute(0, 2, 1).contiguous(), 1),
    "nothing finite": (torch.full((5, 3), math.nan), -1),
    "subnormal": (normal(9, 4) * 1e-40, -1),
    "the ends of float32": (torch.tensor([[3.4028235e38, -1e-45], [-3.4028235e38, 1e-45]]), -1),
    "empty": (torch.empty(0, 5), -1),
    "no units": (torch.empty(5, 0), -1),
}  # fmt: skip
# Of each column, what lies below, within and beyond the interval of a sigmoid.
_SIDES = torch.tensor([[0.01, 0.01, 0.99, 0.01, 0.5, 0.99], [0.99, 0.5, 0.99, 0.02, 0.5, 0.5],
                       [0.98, 0.99, 0.99, 0.01, 0.6, 0.98]])  # fmt: skip
SIDES = {
    "features on both sides": (_SIDES.repeat(9, 1), -1),
    "pixels on both sides": (_SIDES.T.repeat(4, 1, 1), 1),
}
KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def assert_as_simulated(make, tensors, active, window=20):
    """A tally of two rows, of which the second is fed, tells the simulated story step by step."""
    tally, simulated = make(2, [LINEAR, active], window), Simulated(active, window)
    for step, (tensor, axis) in enumerate(tensors, 10):
        before = tensor.clone()
        assert tally.add(1, tensor, axis) == simulated.add(tensor.cpu(), axis)
        assert torch.equal(tensor.nan_to_num(7), before.nan_to_num(7))
        values, expected = tally.read(step).get(), simulated.read(step)
        assert values[0, 0] == 0
        assert np.isnan(values[0, 1:]).all()
        assert_same(values[1], expected)


def assert_same(values, expected):
    spread = UnitColumn.SPREAD
    assert np.array_equal(values[:spread], expected[:spread], equal_nan=True), (values, expected)
    assert np.isclose(values[spread], expected[spread], rtol=1e-15, equal_nan=True)
