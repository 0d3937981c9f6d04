"""A median with its interval, and a difference with its: what some seeds can tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

_RESAMPLES = 10_000
_TAIL = 0.025  # of 95 %
_LARGEST = 700.0  # whose exponential a float holds


@dataclass(frozen=True, slots=True)
class Estimate:
    """The median of a measure over seeds; of infinite ones too, which a first finding may be.

    Attributes:
        median: NaN without any number.
        low, high: the 95 % percentile bootstrap interval; NaN for fewer than two.
        count: how many numbers it rests on.
    """

    median: float
    low: float
    high: float
    count: int

    @property
    def coverage(self) -> float:
        """How often an interval of so few numbers can at most hold the true median.

        It cannot reach beyond the smallest and the largest, and all of n lie on one side of the
        median with a chance of 2 / 2^n: 75 % for 3, 94 % for 5; 95 % takes 6.
        """
        return min(0.95, 1 - 2.0 ** (1 - self.count)) if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much one group's loss is above another's.

    Attributes:
        low, high: 95 % interval of the mean by Student's t, which is honest about few seeds if
            the seeds' effects are about normal.
        bootstrap_low, bootstrap_high: 95 % percentile bootstrap interval of the mean.
        pairs: seeds that both have, whose differences these are; 0 if the groups were compared
            as wholes, for want of two common seeds.
    """

    mean: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    pairs: int

    @property
    def certain(self) -> bool:
        """Whether both intervals leave out 0: more than the luck of the seeds."""
        ends = (self.low, self.high, self.bootstrap_low, self.bootstrap_high)
        return all(end > 0 for end in ends) or all(end < 0 for end in ends)


def estimate(values: Sequence[float]) -> Estimate:
    """The median of the values that are not NaN, with its interval.

    >>> estimate([3.0, 1.0, 2.0])
    Estimate(median=2.0, low=1.0, high=3.0, count=3)
    """
    known = np.sort([value for value in values if not math.isnan(value)])
    if known.size < 2:
        return Estimate(float(known[0]) if known.size else math.nan, math.nan, math.nan, known.size)
    drawn = _median(np.sort(known[_draws(known.size)], axis=1))
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL], method="nearest")
    return Estimate(float(_median(known[np.newaxis])[0]), float(low), float(high), known.size)


def difference(worse: Mapping[str, float], better: Mapping[str, float]) -> Difference | None:
    """Compare losses by seed; None where neither pairs nor groups of two finite ones are left.

    In logarithms, where all are positive, and then told in nats above the better group's mean: a
    loss that blew up is worse for certain, however far its seeds lie apart.
    """
    worse, better = (
        {seed: loss for seed, loss in each.items() if math.isfinite(loss)}
        for each in (worse, better)
    )
    common = [seed for seed in worse if seed in better]
    if len(common) >= 2:
        worse, better = ({seed: each[seed] for seed in common} for each in (worse, better))
    if min(len(worse), len(better)) < 2:
        return None
    a, b = np.array(list(worse.values())), np.array(list(better.values()))
    logs = min(a.min(), b.min()) > 0
    if logs:
        a, b = np.log(a), np.log(b)
    if len(common) >= 2:
        mean, reach = float((a - b).mean()), _reach(stats.sem(a - b), len(common) - 1)
        drawn = (a - b)[_draws(len(common))].mean(axis=1)
    else:
        # Welch's t: the groups need not be equally spread.
        errors = stats.sem(a) ** 2, stats.sem(b) ** 2
        parts = errors[0] ** 2 / (len(a) - 1) + errors[1] ** 2 / (len(b) - 1)
        freedom = sum(errors) ** 2 / parts if parts > 0 else len(a) + len(b) - 2
        mean, reach = float(a.mean() - b.mean()), _reach(math.sqrt(sum(errors)), freedom)
        drawn = a[_draws(len(a))].mean(axis=1) - b[_draws(len(b), seed=1)].mean(axis=1)
    ends = [mean, mean - reach, mean + reach, *np.quantile(drawn, [_TAIL, 1 - _TAIL]).tolist()]
    if logs:
        level = math.exp(float(b.mean()))
        ends = [level * math.expm1(min(end, _LARGEST)) for end in ends]
    pairs = len(common) if len(common) >= 2 else 0
    return Difference(ends[0], ends[1], ends[2], ends[3], ends[4], pairs)


def _reach(error: float, freedom: float) -> float:
    """Half of the 95 % interval of a mean, by Student's t."""
    return float(stats.t.ppf(1 - _TAIL, freedom)) * float(error)


def _draws(size: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Which values each resample takes; always the same, so that a report comes out the same."""
    return np.random.default_rng(seed).integers(size, size=(_RESAMPLES, size))


def _median(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Medians of sorted rows; of two infinite middles that infinity, where NumPy would say NaN."""
    size = rows.shape[1]
    low, high = rows[:, (size - 1) // 2], rows[:, size // 2]
    return np.where(low == high, low, (low + high) / 2)
