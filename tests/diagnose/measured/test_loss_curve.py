"""The loss curve as of each step, however it is cut."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.loss_curve import FIRST, WINDOW, LossCurve

LAYER = (LayerFacts("00", "0", "Linear"),)


def figures(losses, rates=None, start=0):
    made = Figures.empty(LAYER, range(start, start + len(losses)))
    made["loss"][:] = losses
    made["learning_rate"][:] = 0.1 if rates is None else rates
    made["optimizer"][:] = 0
    return made


LOSSES = np.random.default_rng(0).uniform(1, 2, 60).astype(np.float32)


def test_start_and_level_are_means_of_the_first_and_the_last_losses():
    curve = LossCurve().of(figures(LOSSES))
    assert np.isnan(curve.start[: FIRST - 1]).all()
    assert np.allclose(curve.start[FIRST - 1 :], LOSSES[:FIRST].mean())
    assert np.isnan(curve.level[: WINDOW - 1]).all()
    assert curve.level[40] == np.float64(LOSSES[21:41].astype(np.float64).mean())


def test_unknown_losses_are_passed_over_and_infinite_ones_are_not_finite():
    losses = LOSSES.copy()
    losses[10:30] = np.nan
    losses[31] = np.inf
    curve = LossCurve().of(figures(losses))
    assert curve.known[35] == 15
    assert curve.finite.tolist() == [step != 31 for step in range(60)]


def test_parts_and_a_checkpoint_give_the_same_curve():
    whole = LossCurve().of(figures(LOSSES))
    first = LossCurve()
    first.of(figures(LOSSES[:23]))
    second = LossCurve()
    second.load_state(first.state())
    rest = second.of(figures(LOSSES[23:], start=23))
    for name in ("start", "level", "noise", "lowest", "known", "judged"):
        assert np.array_equal(getattr(rest, name), getattr(whole, name)[23:], equal_nan=True), name


def test_a_warm_up_and_a_second_optimizer_are_not_judged():
    curve = LossCurve().of(figures(LOSSES, rates=np.minimum(np.arange(60), 20) / 20))
    assert not curve.judged[1:39].any()
    assert curve.judged[45:].all()
    two = figures(LOSSES)
    two["optimizer"][30] = 1
    assert LossCurve().of(two).judged.tolist() == [step < 30 for step in range(60)]
