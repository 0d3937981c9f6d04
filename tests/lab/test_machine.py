"""Whether a network fits into this machine."""

import pytest

from layerscope.lab.machine import require_memory


def test_a_network_that_fits_is_let_through():
    require_memory(1_000_000, "width")


def test_one_that_does_not_is_refused_with_what_it_needs():
    with pytest.raises(
        ValueError, match=r"^width must make a network that fits into the .* GB of "
    ):
        require_memory(10**15, "width")
