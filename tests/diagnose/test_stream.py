"""The rules of the residual stream, on figures that one can check by eye."""

import numpy as np
import pytest

from layerscope.diagnose import LayerFacts
from tests.diagnose.test_rules import found, healthy, network

PLACES = [
    LayerFacts(f"blocks.{i}/add", f"blocks.{i}", "Block", stream="blocks", stream_depth=i)
    for i in range(8)
]
ALL = ("stream_grows_by_depth", "stream_grows", "silent_branch")
STEPS = np.arange(0, 600, 10)


def told(stream=1.0, branch=0.3, rates=1e-3):
    """Severity, layer and step by rule, of looks [60, 8] at every tenth step."""
    figures = healthy((*network(), *PLACES), 600)
    figures["stream_rms"][::10, -8:] = stream
    figures["branch_to_stream"][::10, -8:] = branch
    figures["learning_rate"][:] = rates
    figures["loss"][:] = np.linspace(3, 1.6, 600)
    return {rule: finding[:3] for rule, finding in found(figures).items() if rule in ALL}


def over_steps(sizes, place=5):
    """[60, 8]: the sizes of 60 looks at one place, and 1 at the others."""
    stream = np.ones((60, 8))
    stream[:, place] = sizes
    return stream


@pytest.mark.parametrize(
    ("factor", "severity"), [(1.1, None), (1.5, "note"), (2.0, "warning")], ids=str
)
def test_a_stream_that_each_branch_multiplies_is_told_of(factor, severity):
    expected = {"stream_grows_by_depth": (severity, PLACES[-1].name, 0)} if severity else {}
    assert told(stream=factor ** np.arange(8)) == expected


def test_branches_of_equal_size_are_no_growth_over_depth():
    assert told(stream=np.arange(1.0, 9)) == {}  # all point the same way: twice as large


def test_a_stream_that_doubles_every_fifty_steps_is_told_of():
    """23 is 2^4.5: 225 steps, which are half to two thirds of 420."""
    expected = {"stream_grows": ("warning", PLACES[5].name, 420)}
    assert told(stream=over_steps(2 ** (STEPS / 50))) == expected


@pytest.mark.parametrize("way", ["steady", "in a warm-up"])
def test_a_stream_that_grows_with_the_cube_of_the_way_is_no_exponential(way):
    rates = 1e-3 * (np.ones(600) if way == "steady" else np.arange(600) / 600)
    gone = np.cumsum(rates)[::10]
    assert told(stream=over_steps(1 + (100 * gone) ** 3), rates=rates) == {}


def test_a_stream_below_one_is_free_to_grow():
    assert told(stream=over_steps(1e-6 * 2 ** (STEPS / 50))) == {}


def test_a_branch_that_stays_silent_among_others_is_told_of():
    branch = np.full(8, 0.3)
    branch[2] = 1e-4
    assert told(branch=branch) == {"silent_branch": ("warning", PLACES[2].name, 80)}
    assert told(branch=np.full(8, 1e-4)) == {}  # all of them: another rule's matter


def test_a_branch_that_wakes_is_left_alone():
    assert told(branch=0.3 * over_steps(1e-6 * (1 + STEPS))) == {}


def test_a_branch_that_is_dropped_now_and_then_is_not_silent():
    branch = np.full((60, 8), 0.3)
    branch[8:40, 2] = 0
    assert told(branch=branch) == {}
