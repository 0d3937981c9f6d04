import math

import numpy as np
import pytest

from layerscope.comparison.estimate import Difference, difference, estimate


def test_the_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert estimate([4.0, 1.0, 3.0, 2.0]).median == 2.5


def test_a_single_number_has_no_interval_and_none_has_no_median():
    one, none = estimate([2.0]), estimate([math.nan])
    assert (one.median, one.count) == (2.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(none.median)
    assert none.count == 0


def test_infinite_numbers_take_part():
    found = estimate([10.0, math.inf, math.inf])
    assert found.median == math.inf
    assert found.low == 10.0


def test_the_interval_holds_the_median_as_often_as_it_says():
    draw = np.random.default_rng(0)
    for seeds in (3, 9):
        held = 0
        for _ in range(300):
            found = estimate(draw.normal(size=seeds).tolist())
            held += found.low <= 0 <= found.high
        assert held / 300 == pytest.approx(found.coverage, abs=0.06)


def test_the_coverage_of_few_seeds_is_that_of_their_range():
    assert estimate([1.0, 2.0, 3.0]).coverage == 0.75
    assert estimate([1.0, 2.0, 3.0, 4.0, 5.0]).coverage == 0.9375
    assert estimate(range(6)).coverage == 0.95


def losses(*values):
    return {str(seed): value for seed, value in enumerate(values)}


def test_seeds_are_paired():
    """Seeds that differ by far more than the groups do: only pairs can tell."""
    better = losses(2.0, 2.5, 3.0, 3.5)
    worse = {seed: loss * 1.01 for seed, loss in better.items()}
    worse["1"] *= 1.001
    found = difference(worse, better)
    assert found.pairs == 4
    assert found.certain
    unpaired = difference({f"x{seed}": loss for seed, loss in worse.items()}, better)
    assert unpaired.pairs == 0
    assert not unpaired.certain


def test_the_interval_is_students_of_the_logarithms():
    """By hand: ratios e^0.1, e^0.2, e^0.3, so 0.2 +- 4.303 * 0.1 / sqrt(3) of ln."""
    better = losses(2.0, 2.0, 2.0)
    worse = losses(*(2 * math.exp(part) for part in (0.1, 0.2, 0.3)))
    found = difference(worse, better)
    reach = 4.302653 * 0.1 / math.sqrt(3)
    assert found.mean == pytest.approx(2 * math.expm1(0.2))
    assert found.low == pytest.approx(2 * math.expm1(0.2 - reach), rel=1e-5)
    assert found.high == pytest.approx(2 * math.expm1(0.2 + reach), rel=1e-5)
    assert found.bootstrap_low >= 2 * math.expm1(0.1) - 1e-9
    assert not found.certain  # all three are above, and yet


def test_losses_below_zero_are_compared_as_they_are():
    found = difference(losses(-1.0, -1.1, -0.9), losses(-2.0, -2.1, -1.9))
    assert found.mean == pytest.approx(1.0)
    assert found.certain


def test_welchs_interval_is_scipys():
    from scipy import stats

    a, b = [3.0, 3.2, 3.1, 3.3], [2.0, 2.4, 2.2]
    found = difference(dict(zip("abcd", a, strict=True)), dict(zip("xyz", b, strict=True)))
    expected = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    level = math.exp(np.log(b).mean())
    assert found.low == pytest.approx(level * math.expm1(expected.low), rel=1e-6)
    assert found.high == pytest.approx(level * math.expm1(expected.high), rel=1e-6)


def test_a_loss_that_blew_up_is_worse_for_certain():
    assert difference(losses(1864.0, 2344.0), losses(2.20, 2.21)).certain


@pytest.mark.parametrize(
    "few", [losses(2.0), losses(2.0, math.inf), losses(math.nan, math.nan), {}]
)
def test_one_seed_tells_nothing(few):
    assert difference(few, losses(1.0, 1.0)) is None


def test_equal_losses_are_not_certain_of_anything():
    found = difference(losses(2.0, 2.0), losses(2.0, 2.0))
    assert found == Difference(0.0, 0.0, 0.0, 0.0, 0.0, 2)
    assert not found.certain
