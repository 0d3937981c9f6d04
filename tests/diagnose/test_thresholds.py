import math

import pytest

from layerscope.diagnose import Thresholds


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"saturated_bad": 1.5}, "saturated_bad must be between 0 and 1, got 1.5"),
        ({"saturated_healthy": math.nan}, "saturated_healthy must be a number, got nan"),
        ({"saturated_healthy": 0.5}, "saturated_bad must be at least saturated_healthy, 0.5, got"),
        ({"update_slow": "fast"}, "update_slow must be a number, got 'fast'"),
        ({"lasting": 2.5}, "lasting must be a whole number, got 2.5"),
        ({"idle_std": -1}, "idle_std must be at least 0, got -1"),
    ],
)
def test_bad_thresholds_are_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Thresholds(**arguments)
