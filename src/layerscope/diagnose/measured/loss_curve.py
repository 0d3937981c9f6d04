"""The loss curve of a run as the rules see it: where it began, where it is, how noisy it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series, Steps
from layerscope.diagnose.measured.last_known import last_known
from layerscope.diagnose.measured.loss_peak import LossPeak
from layerscope.diagnose.measured.new_classes import NewClasses
from layerscope.diagnose.measured.rate_search import RateSearch
from layerscope.diagnose.measured.steady_rate import SteadyRate
from layerscope.diagnose.measured.target_growth import TargetGrowth

FIRST = 5
"""Losses that the start is the mean of: Adam's first steps already move it."""

WINDOW = 20
"""Losses that the present level is the mean of."""

TENTH = 0.1
"""Of the way to the lowest loss: a network that has no more left has solved its task."""

_THROWN, _ABOUT, _QUARTER, _THREE = 1.5, 1.05, 0.75, 3.0
_RISEN = 0.05
"""Of the start: levels of a loss that stays differ by less."""

SURE = 3.0
"""Standard errors by which a loss has fallen, or has not."""

HALF = 0.5
"""Of the way to the lowest loss: a network that is beyond has learned something."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveOfBlock:
    """Of each step of a block, as of that step; NaN where it is not known yet.

    Attributes:
        loss: the loss; NaN if it is unknown or not finite.
        finite: whether it is known and finite, or not known: False for NaN and infinity.
        start: mean of the first FIRST losses.
        level: mean of the last WINDOW.
        noise: standard error of `start - level`, from the scatter within the last WINDOW.
        lowest: the lowest level so far.
        floor: the lowest that the loss can get: above 0 where labels are smoothed.
        known: losses so far.
        judged: whether a loss that does not fall says anything: one optimizer, and no learning
            rate that has risen within the last WINDOW steps.
        alone: whether there has been one optimizer only.
        searched: whether a search for the rate was over as the step began.
    """

    loss: Series
    finite: Flags
    start: Series
    level: Series
    noise: Series
    lowest: Series
    floor: Series
    known: Steps
    judged: Flags
    alone: Flags
    searched: Flags


class LossCurve:
    """Follows a run's loss, block by block; all rules of a run share one.

    Attributes:
        new_classes: when its targets had some.
        rate_search: when its rate rose to find the best.
    """

    def __init__(self) -> None:
        self._first: list[float] = []
        self._recent = np.full(WINDOW, np.nan)
        self._known = 0
        self._lowest, self._peak = np.inf, -np.inf  # levels
        self._thrown = LossPeak()
        self._floor = np.zeros(1)
        self._steady = SteadyRate(WINDOW)
        self._targets = TargetGrowth()
        self.new_classes, self.rate_search = NewClasses(), RateSearch()
        self._kinds = [0, 0]  # looks that have shown no known kind, and a known one
        self._block: Figures | None = None
        self._curve: CurveOfBlock | None = None

    def of(self, figures: Figures) -> CurveOfBlock:
        """The curve over a block of steps; a second call with the same block costs nothing."""
        if figures is not self._block or self._curve is None:
            self._block, self._curve = figures, self._follow(figures)
        return self._curve

    def _follow(self, figures: Figures) -> CurveOfBlock:
        self._targets.follow(figures["target_rms"])
        self.new_classes.follow(figures.steps, figures["labels_new"])
        searched = self.rate_search.follow(figures.steps, figures["learning_rate"])
        kinds = figures["loss_kind"]
        self._kinds[0] += int((kinds == 0).sum())
        self._kinds[1] += int((kinds > 0).sum())
        loss = figures["loss"].astype(np.float64)
        finite = ~np.isinf(loss)
        loss[~finite] = np.nan
        is_known = ~np.isnan(loss)
        steps = len(loss)
        values = loss[is_known]
        if len(self._first) < FIRST:
            self._first += values[: FIRST - len(self._first)].tolist()
        known = self._known + np.cumsum(is_known)
        begun = known >= FIRST
        whole = len(self._first) == FIRST
        start = np.where(begun, np.mean(self._first) if whole else np.nan, np.nan)

        level, scatter = np.full(steps, np.nan), np.full(steps, np.nan)
        if len(values):
            joined = np.concatenate([self._recent, values])
            windows = np.lib.stride_tricks.sliding_window_view(joined, WINDOW)[1:]
            level[is_known] = windows.mean(1)  # NaN until WINDOW losses are known
            scatter[is_known] = windows.std(1)
            self._recent = joined[-WINDOW:].copy()
            self._thrown.follow(values, figures["samples"])
        self._peak = float(np.fmax.reduce(np.append(self._peak, level)))
        lowest = np.fmin.accumulate(np.append(self._lowest, level))
        self._lowest = float(lowest[-1])
        self._known = int(known[-1])
        noise = scatter * np.sqrt(1 / FIRST + 1 / WINDOW)
        steady, alone = self._steady.has_not_risen(figures), self._steady.is_alone(figures)
        floor = last_known(figures["loss_floor"].astype(np.float64), self._floor)
        return CurveOfBlock(
            *(loss, finite, start, level, noise, lowest[1:], floor, known),
            *(steady & alone, alone, searched),
        )

    @property
    def tells_nothing(self) -> bool:
        """Whether no loss has been told so far, or one of no known kind that has been below 0, as
        of a critic (Arjovsky et al. 2017, Wasserstein GAN): how low it may get nobody knows.
        """
        return self._known == 0 or (self.is_of_no_known_kind and self._lowest < 0)

    @property
    def has_learned(self) -> bool:
        """Whether the present level has half of the way from the start to the lowest behind it."""
        return self.is_down_to(HALF)

    @property
    def is_solved(self) -> bool:
        """Whether the present level has nine tenths of the way from the start behind it, and no
        loss was thrown up.
        """
        return self.is_down_to(TENTH) and not self.was_thrown

    @property
    def is_solved_in_spite(self) -> bool:
        """Whether it is down to a tenth though a loss was thrown up, to less than three times the
        first.
        """
        return not self._thrown.is_beyond(_THREE) and self.is_down_to(TENTH)

    @property
    def falls_on(self) -> bool:
        """Whether the present level has a quarter of the way behind it, is about the lowest so far,
        and no loss was thrown up.
        """
        is_lowest = float(self._recent.mean()) <= _ABOUT * self._lowest
        return is_lowest and self.is_down_to(_QUARTER) and not self.was_thrown

    def is_down_to(self, share: float) -> bool:
        """Whether less than a share of the way from the start to the lowest is left."""
        if len(self._first) < FIRST:
            return False
        floor = float(self._floor[0])
        return float(self._recent.mean()) - floor < share * (float(np.mean(self._first)) - floor)

    @property
    def is_below_start(self) -> bool:
        """Whether the present level is below the start by more than noise."""
        if len(self._first) < FIRST:
            return False
        noise = float(self._recent.std()) * np.sqrt(1 / FIRST + 1 / WINDOW)
        return float(np.mean(self._first)) - float(self._recent.mean()) > SURE * float(noise)

    @property
    def was_thrown(self) -> bool:
        """Whether a loss was half as large again as the very first."""
        return self._thrown.is_beyond(_THROWN)

    def fell_below(self, share: float) -> bool:
        """Whether the last of the first losses was below this share of the very first."""
        return len(self._first) == FIRST and self._first[-1] < share * self._first[0]

    def is_below(self, share: float) -> bool:
        """Whether the present level is below this share of the very first loss."""
        return len(self._first) == FIRST and bool(self._recent.mean() < share * self._first[0])

    @property
    def is_of_no_known_kind(self) -> bool:
        """Whether most looks at the gradient on the output have shown no known loss."""
        return self._kinds[0] > self._kinds[1]

    @property
    def came_down(self) -> bool:
        """Whether the level rose and has half of its rise behind it again, by more than noise."""
        if len(self._first) < FIRST:
            return False
        level, start = float(self._recent.mean()), float(np.mean(self._first))
        noise = SURE * float(self._recent.std()) * np.sqrt(2 / WINDOW)
        risen = self._peak - start
        return self._peak - level > max(HALF * risen, float(noise)) and risen > _RISEN * abs(start)

    @property
    def targets_have_grown(self) -> bool:
        """Whether the targets have, as those of a value that is learned from itself."""
        return self._targets.has_been

    def state(self) -> dict[str, Any]:
        """All of it, as plain types."""
        return {
            "targets": self._targets.state(),
            "new_classes": self.new_classes.state(),
            "rate_search": self.rate_search.state(),
            "kinds": list(self._kinds),
            "first": list(self._first),
            "recent": self._recent.tolist(),
            "known": self._known,
            "lowest": self._lowest,
            "thrown": self._thrown.state(),
            "peak": self._peak,
            "floor": self._floor.tolist(),
            "steady": self._steady.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Be as `state` was."""
        self._first = list(state["first"])
        self._recent = np.array(state["recent"], np.float64)
        self._known = int(state["known"])
        self._thrown.load_state(state["thrown"])
        self._lowest, self._peak = float(state["lowest"]), float(state["peak"])
        self._floor = np.array(state["floor"], np.float64)
        self._steady.load_state(state["steady"])
        self._targets.load_state(state["targets"])
        self.new_classes.load_state(state["new_classes"])
        self.rate_search.load_state(state["rate_search"])
        self._kinds = list(state["kinds"])
        self._block = self._curve = None
