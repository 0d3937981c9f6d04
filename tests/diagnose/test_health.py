import math

import pytest

from layerscope.diagnose import Outputs, Thresholds, judge

HEALTHY = {
    "mean": 0.01,
    "std": 0.6,
    "saturated": 0.01,
    "nonfinite": 0,
    "is_activation_function": True,
    "odd": True,
}


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({}, "healthy", "saturated 1.0% < 5%"),
        ({"saturated": 0.10}, "watch", "saturated 10.0% > 5%"),
        ({"saturated": 0.21}, "bad", "saturated 21.0% > 20%"),
        ({"std": 0.001}, "bad", "spread 0.001 < 0.01: passes nothing on"),
        ({"mean": -0.5}, "watch", "|mean| 0.5 > 0.5 std"),
        ({"mean": 0.5, "odd": False}, "healthy", "saturated 1.0% < 5%"),
        ({"saturated": None, "odd": False}, "healthy", "spread 0.6 >= 0.01"),
        ({"nonfinite": 3}, "bad", "3 outputs not finite (limit 0)"),
        ({"is_activation_function": False, "std": 0.0}, "not judged", "any scale is right here"),
        ({"is_activation_function": False, "nonfinite": 1}, "bad", "1 outputs not finite (limit 0)")
    ],
)  # fmt: skip
def test_the_worst_that_applies_is_the_verdict(change, state, reason):
    verdict = judge(Outputs(**HEALTHY | change), Thresholds())
    assert (verdict.state, verdict.reason) == (state, reason)


def test_thresholds_move_the_verdict():
    assert judge(Outputs(**HEALTHY), Thresholds(saturated_healthy=0.005)).state == "watch"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"saturated_bad": 1.5}, "saturated_bad must be between 0 and 1, got 1.5"),
        ({"saturated_healthy": math.nan}, "saturated_healthy must be between 0 and 1, got nan"),
        ({"saturated_healthy": 0.5}, "saturated_bad must be at least saturated_healthy, 0.5, got"),
        ({"idle_std": -1}, "idle_std must be at least 0, got -1"),
    ],
)
def test_bad_thresholds_are_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Thresholds(**arguments)
