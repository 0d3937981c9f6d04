"""Which share of its input does a convolution never read?"""

import pytest
from torch import nn

from layerscope.record.network.unread_places import unread_share


@pytest.mark.parametrize(
    ("module", "share"),
    [
        (nn.Conv2d(1, 1, 2, stride=6), 8 / 9),
        (nn.Conv2d(1, 1, (2, 3), stride=(4, 3)), 1 / 2),
        (nn.Conv1d(1, 1, 1, stride=2), 1 / 2),
        (nn.Conv1d(1, 1, 3, stride=4, dilation=2), 1 / 2),  # 0, 2, and 4 again
        (nn.Conv1d(1, 1, 3, stride=3, dilation=2), 0),
        (nn.Conv3d(1, 1, 3), 0),
        (nn.ConvTranspose2d(1, 1, 2, stride=6), 0),
        (nn.Linear(2, 2), 0),
    ],
)
def test_the_share_of_places_that_no_kernel_comes_to(module, share):
    assert unread_share(module) == pytest.approx(share)
