"""`Sink`: a place that a run's steps go to beside TensorBoard's files, one's own among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.measured.figures import Figures


class Histogram(NamedTuple):
    """How many values lie in each of the 30 buckets of a chart in TensorBoard.

    The order is that of `np.histogram`, and of what trackers take as `np_histogram`.

    Attributes:
        counts: int64 [30].
        edges: float32 [31], rising.
    """

    counts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float32]


@dataclass(frozen=True)
class StepRecord:
    """What a sink gets of a step.

    Attributes:
        step: of the optimizer, from 0.
        wall_time: when it ended, in seconds since 1970.
        scalars: by TensorBoard's tag, such as `activation_std/01_tanh`; what is not known of this
            step is left out.
        buckets: by TensorBoard's tag, such as `activation/01_tanh`: float32 [30, 3], left edge,
            right edge and count.
        figures: all numbers that the rules judge, of this step alone: `figures["zeros"]` is
            [1, layers], `figures["loss"]` is [1], NaN where unknown; `figures.layers` names them.
    """

    step: int
    wall_time: float
    scalars: Mapping[str, float]
    buckets: Mapping[str, npt.NDArray[np.float32]]
    figures: Figures

    @property
    def loss(self) -> float:
        """The training loss, NaN where it is unknown."""
        return float(self.figures["loss"][0])

    @cached_property
    def histograms(self) -> Mapping[str, Histogram]:
        """The buckets as counts and edges; 3 us each, when they are first asked for."""
        return {
            tag: Histogram(buckets[:, 2].astype(np.int64), np.append(buckets[:, 0], buckets[-1, 1]))
            for tag, buckets in self.buckets.items()
        }


class Sink:
    """A place that the steps of a run go to, and what was found in them.

    For one of your own, override what you need; `write` is enough. Its methods are called on rank 0
    alone, in the order of the steps, one at a time; not always in the thread that trains. What one
    of them raises ends this sink, is told in one sentence, and never stops the training.

    Attributes:
        every_n_steps: every n-th step is written, counted from 0, or the first that is measured
            after it; 0: none, findings alone.
        keyframes: whether the keyframes (0, 1, 2, 3, 4, 6, 8, 11, 16, ...) are written besides.
        at_once: whether a step is written before the next one begins. Otherwise steps wait for one
            another, up to 128 of them or `flush_seconds`, which costs less.
    """

    every_n_steps: int = 1
    keyframes: bool = True
    at_once: bool = False

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """A run begins.

        Args:
            folder: the run's, which is there.
            resumed_at: the step at which it goes on with what it wrote before: what that says of
                this step and of later ones was abandoned. None: it is new.
        """

    def write(self, record: StepRecord) -> None:
        """Write a step."""

    def write_finding(self, finding: Finding) -> None:
        """Write a finding, when it is made, and once more when it becomes more severe."""

    def flush(self) -> None:
        """See that what was written can be read by others: a checkpoint is being saved, or some
        seconds have passed.
        """

    def close(self) -> None:
        """The run is over, or has been stopped."""
