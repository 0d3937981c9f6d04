"""Whether a task is solved is judged by what guessing costs in the loss's own units."""

import numpy as np
import pytest

from layerscope.diagnose import Figures
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.solved import is_solved, times_its_mean
from tests.diagnose.test_rules import at_looks, network


def judged(function, loss, **told):
    figures = Figures.empty(network(), range(60))
    figures["loss"][:] = loss
    at_looks(figures, **{"samples": 32, "outputs": 10, "passes": 1} | told)
    return function(figures, Memory(Roles(figures.layers)))[-1]


@pytest.mark.parametrize(
    ("loss", "told", "so"),
    [
        (0.2, {"label_entropy": 2.3}, True),
        (0.2, {"label_entropy": 2.3, "loss_reduction": 1.0}, True),
        (2.3 / 32, {"label_entropy": 2.3, "loss_reduction": 1 / 32}, False),
        (0.2 / 32, {"label_entropy": 2.3, "loss_reduction": 1 / 32}, True),
        (0.2 * 32, {"label_entropy": 2.3, "loss_reduction": 32.0}, True),
        (0.5 * 32, {"label_entropy": 2.3, "loss_reduction": 32.0}, False),
        (2.3 / 32, {"target_std": 1.5, "loss_reduction": 1 / 32}, False),
    ],
)
def test_a_task_is_solved_at_a_tenth_of_what_guessing_costs(loss, told, so):
    assert judged(is_solved, loss, **told) == so


@pytest.mark.parametrize(
    ("told", "times"),
    [
        ({"loss_reduction": 0.1}, 0.1),
        ({"loss_reduction": 320.0}, 320.0),
        ({"loss_reduction": 65536.0}, 1.0),  # a gradient scaler's
        ({"loss_reduction": 0.25, "passes": 4}, 1.0),
        ({"loss_reduction": np.nan}, 1.0),
    ],
)
def test_a_factor_counts_where_it_is_the_losss_own(told, times):
    assert judged(times_its_mean, 1.0, **told) == pytest.approx(times)
