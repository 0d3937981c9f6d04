"""What a run is found to have at its end: its pictures."""

import numpy as np
import pytest

from layerscope.diagnose import Figures, LayerFacts
from layerscope.session.door import Door
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import Settings

LAYERS = tuple(
    LayerFacts(f"{i:02d}_tanh", f"{i}", "Tanh", order=i, nonlinearity="tanh", bounds=(-1.0, 1.0))
    for i in range(3)
)


def verdict_after(steps, images):
    verdict = RunVerdict(Settings(images=images), (), None, Door("watch", ""))
    figures = Figures.empty(LAYERS, range(steps))
    figures.of_layers[:] = np.random.default_rng(0).uniform(0.1, 0.2, figures.of_layers.shape)
    verdict.look(figures)
    return verdict


@pytest.mark.parametrize(
    ("images", "steps", "seconds", "is_drawn"),
    [
        (None, 60, 59.0, False),
        (None, 60, 61.0, True),
        (None, 49, 61.0, False),
        (True, 60, 0.0, True),
        (True, 49, 61.0, False),
        (False, 60, 61.0, False),
    ],
)
def test_a_run_is_drawn_if_it_is_asked_for_or_took_a_minute(images, steps, seconds, is_drawn):
    drawn = verdict_after(steps, images).pictures(seconds)
    assert ("layers/heatmaps" in drawn) is is_drawn
