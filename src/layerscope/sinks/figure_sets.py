"""A run's figures as it wrote them, one set of layers after the other: as its judge saw them.

Where layers come in later, what they are changes what the others are: the last is the last no more.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.sinks.figures_event import joined, sets_written, tags_of

if TYPE_CHECKING:
    from layerscope.events.reader import RunEvents


def figure_sets(run: RunEvents) -> list[Figures]:
    """All figures that a run's event files hold, in order of step, cut where the layers change.

    Most runs have one set; joined they are what `figures_of` gives.

    Raises:
        ValueError: the files are of several runs, which would be taken for one.
    """
    _refuse_mixture(run)
    sets = [joined([each]) for each in sets_written(run)]
    owner = {step: n for n, figures in enumerate(sets) for step in figures.steps.tolist()}
    written = []
    # A resumed run begins with its first set again.
    for n, steps in itertools.groupby(sorted(owner), key=owner.__getitem__):
        written.append(sets[n].of_rows(np.searchsorted(sets[n].steps, list(steps))))
    return written


def _refuse_mixture(run: RunEvents) -> None:
    """A run writes its steps in order; what it takes up again says so, and is passed over before.

    Another writer in its folder, which an earlier version did not keep out, begins again.
    """
    for tag in tags_of(1)[1:]:
        if tag in run.tensors and (np.diff(run.tensors[tag].steps) <= 0).any():
            raise ValueError(
                "the event files must be of one run, got several that overlap: give each run a "
                "folder of its own"
            )
