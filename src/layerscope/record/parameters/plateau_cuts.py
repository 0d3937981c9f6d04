"""Has a scheduler that waits for a plateau cut the rate without ever having seen it get better?"""

import math
from collections.abc import Iterable
from weakref import ref

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from layerscope.live_objects import live_objects

_HALF, _EXACT = 0.5, 1e-4
_FEWEST = 2
"""Cuts: after one a better value may still come."""

_EARLY = 0.1
"""Of its calls: the best value came that early, or with the first of them."""


class PlateauCuts:
    """Looks for torch's `ReduceLROnPlateau` once, where the rate of the first optimizer has fallen
    to half, and no other scheduler has written `initial_lr` beside it.

    Attributes:
        largest: rate so far; goes into checkpoints.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self._found: list[ref[ReduceLROnPlateau]] | None = None

    def see(self, optimizers: Iterable[Optimizer]) -> dict[str, float]:
        """Of one that no value has been better for since one of its first calls: how often it has
        cut the rate, minus that with mode="min"; and the best value. Else 0 cuts, and NaN without
        an optimizer.
        """
        first = next(iter(optimizers), None)
        groups = getattr(first, "param_groups", ())
        if not groups or not isinstance(rate := groups[0].get("lr"), int | float):
            return _told(math.nan)
        self.largest = max(self.largest, rate)
        if not 0 < rate <= _HALF * self.largest or "initial_lr" in groups[0]:
            return _told(0.0)
        if self._found is None:
            self._found = [ref(each) for each in live_objects(ReduceLROnPlateau)[0]]
        own = (each() for each in self._found)
        of_first = [each for each in own if each is not None and _is_of(each, first)]
        return _cuts(of_first[0], rate / self.largest) if len(of_first) == 1 else _told(0.0)


def _told(cuts: float, best: float = math.nan) -> dict[str, float]:
    return {"cuts_in_vain": cuts, "vain_best": best}


def _is_of(scheduler: ReduceLROnPlateau, optimizer: object) -> bool:
    of = getattr(scheduler, "optimizer", None)
    return of is not None and getattr(of, "optimizer", of) is optimizer  # or a wrapper's


def _cuts(scheduler: ReduceLROnPlateau, left: float) -> dict[str, float]:
    """What `see` gives, of a scheduler that has left this share of the rate.

    It cuts after `patience` values that are no better than the best and one more, and does not
    count for `cooldown` calls behind that; a better one begins the count anew. So calls that
    neither lead to a cut nor lie behind one are those up to the best value, and others by which a
    count was begun anew.
    """
    if not math.isfinite(scheduler.best):
        return _told(0.0)
    cuts = round(math.log(left) / math.log(scheduler.factor))
    if abs(scheduler.factor**cuts / left - 1) > _EXACT or cuts < _FEWEST:
        return _told(0.0)
    counted = cuts * (scheduler.patience + 1) + scheduler.num_bad_epochs
    resting = cuts * scheduler.cooldown - scheduler.cooldown_counter
    before = scheduler.last_epoch - counted - resting
    if not 1 <= before <= max(1.0, _EARLY * scheduler.last_epoch):
        return _told(0.0)
    return _told(float(cuts if scheduler.mode == "max" else -cuts), float(scheduler.best))
