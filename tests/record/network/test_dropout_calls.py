"""Dropout that code of a network calls."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.record.functions.test_functions import Watched


class Calls(nn.Module):
    def __init__(self, *calls):
        super().__init__()
        self.layer, self.own = nn.Linear(4, 4), nn.Dropout(0.6)
        self.calls = calls

    def forward(self, x):
        x = self.own(self.layer(x))
        for call in self.calls:
            x = call(x)
        return x


def attend(x, *dropout):
    told = (None, *dropout) if dropout else ()
    named = {} if dropout else {"dropout_p": 0.4}
    return F.scaled_dot_product_attention(x[None], x[None], x[None], *told, **named)[0]


@pytest.mark.parametrize(
    ("calls", "largest"),
    [
        ([lambda x: F.dropout(x, 0.3), lambda x: F.dropout(x, p=0.9)], 0.9),
        ([lambda x: F.dropout(x, 0.9, training=False), F.dropout], 0.5),
        ([lambda x: torch.dropout(x, 0.7, True), lambda x: F.alpha_dropout(x, 0.2)], 0.7),
        ([lambda x: F.dropout1d(x[None], 0.8)[0], attend], 0.8),
        ([attend], 0.4),
        ([lambda x: attend(x, 0.3)], 0.3),
        (
            [
                lambda x: torch.dropout(x, 0.9, False),
                lambda x: F.dropout2d(x[None, None], 0.2)[0, 0],
            ],
            0.2,
        ),
        ([lambda x: F.dropout3d(x[None, None], 0.2)[0, 0], lambda x: F.alpha_dropout(x, 0.1)], 0.2),
        ([], 0.0),
    ],
)
def test_the_largest_probability_counts_of_what_is_called_in_training(calls, largest):
    with Watched(Calls(*calls)) as watched:
        watched.step(torch.randn(8, 4))
        assert watched.dropouts.largest == pytest.approx(largest)
        assert watched.dropouts.caller is (watched.network if calls else None)
        watched.step(torch.randn(8, 4))  # not searched: it is known still
        assert watched.dropouts.largest == pytest.approx(largest)
        watched.network.calls = ()
        watched.step(torch.randn(8, 4), search=True)
        assert watched.dropouts.largest == 0
