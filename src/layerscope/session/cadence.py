"""Which steps are due for what: the only place that decides it."""

import logging
import math
import sys

from layerscope.quantity import Quantity
from layerscope.record.schedule import (
    Schedule,
    every_n_steps,
    is_keyframe,
    keyframes_before,
    thinned_to,
)
from layerscope.record.search import Search
from layerscope.session.door import Door
from layerscope.session.settings import Settings

_log = logging.getLogger("layerscope")


_LOOK_OFTEN, _LOOK_SELDOM, _LOOK_SELDOM_FROM = 10, 100, 200
"""Steps from one look at the surroundings to the next: a fault there shows from the start, and
a look takes as long as half a step of a small network."""

_SEARCH_SELDOM_FROM = 8


class Cadence:
    """Says of a step whether it is measured, and how much of it.

    The keyframes are measured in any case; of the others those that `every_n_steps` or `schedule`
    names, without those that `max_megabytes` leaves out, and of these every `interval`-th.

    Args:
        bytes_per_step: what the record of a measured step takes on the disk.
        steps: how many the run will have, infinity if unknown.

    Attributes:
        interval: of the steps otherwise due every `interval`-th is measured, to keep to `budget`.
        note: a sentence on steps that `max_megabytes` leaves out; empty if it leaves out none.
    """

    def __init__(
        self, settings: Settings, door: Door, bytes_per_step: int, steps: float = math.inf
    ) -> None:
        self._settings = settings
        self._door = door
        self._wanted = settings.wanted
        self.interval = 1
        self.note = ""
        self._told = False
        every = settings.every_n_steps if settings.schedule is None else 1
        first, thinned = _fitting(settings.max_megabytes * 1e6 / bytes_per_step, every, steps)
        until = first * every
        if until < steps:
            wanted = settings.wanted
            self.note = (
                f"From step {until} on, more and more steps are left out to keep to "
                f"max_megabytes={settings.max_megabytes:g}."
            )
            if steps < math.inf:
                self._tell_of_steps_left_out()

            def wanted_and_fits(step: int) -> bool:
                if not wanted(step):
                    return False
                fits = step < until or thinned(step // every)
                if not fits and not self._told:  # of a run that may have ended before
                    self._tell_of_steps_left_out()
                return fits

            self._wanted = wanted_and_fits

    def _tell_of_steps_left_out(self) -> None:
        self._told = True
        _log.warning("%s: %s", self._door.name, f"{self.note[0].lower()}{self.note[1:-1]}")

    def is_due(self, step: int) -> bool:
        """Whether a step is measured; raises what the user's `schedule` raises."""
        return is_keyframe(step) or (step % self.interval == 0 and bool(self._wanted(step)))

    def update_is_due(self, step: int) -> bool:
        """Whether a measured step's update is measured, from a copy of the weights."""
        every = self._settings.updates_every_n_steps
        return every > 0 and (step % every == 0 or is_keyframe(step))

    def look_is_due(self, step: int) -> bool:
        """Whether data, output, loss, optimizers and attention are looked at in a measured step."""
        every = _LOOK_OFTEN if step < _LOOK_SELDOM_FROM else _LOOK_SELDOM
        return step % every == 0 or is_keyframe(step)

    def search(self, step: int) -> Search:
        """Where a step looks for what modules call; where it does, all rows of an attention are
        looked at, in other steps with a look a sample of the rows of those that are known.

        A network calls the same from step to step, so that all modules have hooks in the first
        keyframes, and then at the powers of four.
        """
        if not is_keyframe(step):
            return Search.NONE
        return Search.ALL if step < _SEARCH_SELDOM_FROM or _is_power_of_4(step) else Search.CALLED

    def weights_are_due(self, step: int) -> bool:
        """Whether a measured step's weights are measured."""
        quantities = self._settings.quantities
        return (
            is_keyframe(step)
            or Quantity.WEIGHT in quantities
            or (Quantity.UPDATE in quantities and self.update_is_due(step))
        )

    def scalars_are_due(self, step: int) -> bool:
        """Whether a measured step's scalars are written too."""
        return step % self._settings.scalars_every_n_steps == 0

    def keep_to(self, interval: int, step: int) -> None:
        """Measure only every `interval`-th step from the next one on; says so if it is much rarer.

        Args:
            interval: what `budget` takes, at least 1.
        """
        if interval >= 2 * self.interval:
            _log.warning(
                "%s: to keep to budget=%g, one step in %d is measured from step %d on",
                self._door.name,
                self._settings.budget,
                interval,
                step + 1,
            )
        self.interval = interval


def _is_power_of_4(step: int) -> bool:
    """Whether a step is 1, 4, 16, 64, ..."""
    return step > 0 and step & (step - 1) == 0 and step.bit_length() % 2 == 1


def _fitting(records: float, every: int, steps: float) -> tuple[int, Schedule]:
    """As `thinned_to`, of every `every`-th step, for so many records in the files: a keyframe takes
    one in its sibling run, as the last step does, and one more where it is not otherwise due.
    """
    keyframes = keyframes_before(steps)
    first, thinned = 0, every_n_steps(1)
    for _ in range(2):  # the more steps come first, the fewer keyframes come on top of them
        alone = sum(step >= first * every or step % every > 0 for step in keyframes)
        most = max(records - len(keyframes) - 1 - alone, 1)
        first, thinned = thinned_to(int(min(most, sys.maxsize)), steps / every)
    return first, thinned
