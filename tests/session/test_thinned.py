import numpy as np
import pytest

from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.session.run_verdict import Thinned

LAYERS = (LayerFacts("00_tanh", "0", "Tanh"), LayerFacts("01_head", "1", "Linear"))


def block(start, stop, layers=LAYERS):
    figures = Figures.empty(layers, range(start, stop))
    figures.of_steps[:] = figures.steps[:, np.newaxis]
    return figures


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_what_is_kept_is_evenly_spaced_bounded_and_the_same_however_it_is_cut(size):
    thinned = Thinned(most=50)
    for start in range(0, 1000, size):
        thinned.add(block(start, min(start + size, 1000)))
    kept = thinned.figures()
    assert kept.steps.tolist() == [*range(0, 1000, 32), 999]
    assert (kept.of_steps[:, 0] == kept.steps).all()


def test_steps_with_updates_are_kept_too_and_evenly_spaced():
    thinned = Thinned(most=50)
    for start in range(0, 1000, 100):
        figures = block(start, start + 100)
        figures["update_to_weight"][5::10] = 1.0
        thinned.add(figures)
    kept = thinned.figures()
    with_updates = kept.steps[np.isfinite(kept["update_to_weight"]).any(1)]
    assert with_updates.tolist() == list(range(5, 1000, 20))
    assert len(np.unique(kept.steps)) == len(kept.steps)


def test_a_short_run_is_kept_whole():
    thinned = Thinned(most=50)
    thinned.add(block(0, 50))
    assert thinned.figures().steps.tolist() == list(range(50))


def test_other_layers_begin_anew():
    thinned = Thinned(most=50)
    thinned.add(block(0, 3))
    thinned.add(block(3, 5, LAYERS[:1]))
    assert thinned.figures().steps.tolist() == [3, 4]
    assert thinned.figures().layers == LAYERS[:1]


def test_without_steps_there_are_no_figures():
    assert len(Thinned().figures().steps) == 0


def test_fewer_than_two_steps_are_refused():
    with pytest.raises(ValueError, match="most must be at least 2, got 1"):
        Thinned(most=1)
