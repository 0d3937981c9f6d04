import math

import pytest

from layerscope.diagnose import Thresholds


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
