"""Places that are counted along another axis than attention runs along are told of."""

import pytest
import torch
from torch import nn

from layerscope.record.graph.axes_of_step import PlacesAxis

SAMPLES, PLACES, WIDTH = 6, 4, 8


class Waves(nn.Module):
    """What tutorials add: [longest, 1, width], along one axis of their input."""

    def __init__(self, axis, dropout=0.0):
        super().__init__()
        self.axis, self.drop = axis, nn.Dropout(dropout)
        self.register_buffer("waves", torch.rand(10, 1, WIDTH))

    def forward(self, x):
        waves = self.waves[: x.shape[self.axis]]
        return self.drop(x + (waves if self.axis == 0 else waves.transpose(0, 1)))


class Scaled(nn.Module):
    def forward(self, x):
        return 2 * x


def differ(add, batch_first, time_first=False, samples=SAMPLES):
    """Whether places and attention differ, of [samples, places, width] or time first."""
    torch.manual_seed(0)
    axis, shape = PlacesAxis(), (PLACES, samples) if time_first else (samples, PLACES)
    attention = nn.MultiheadAttention(WIDTH, 2, batch_first=batch_first)
    embedding, waiting, seen = nn.Embedding(10, WIDTH), [], set()
    for module in (embedding, attention, add):
        if isinstance(module, nn.Module):
            module.register_forward_hook(axis.note)
    x = embedding(torch.randint(10, shape))
    h = add(x) if isinstance(add, nn.Module) else add(x, embedding)
    waiting.append(attention(h, h, h)[0].grad_fn)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            axis.see(node)
            waiting += [before for before, _ in node.next_functions]
    return axis.differ


CODES = nn.Parameter(torch.rand(PLACES, WIDTH))
ALONG_PLACES = (
    lambda x, _: x + CODES,
    lambda x, _: x + CODES[None],
    lambda x, embedding: x + embedding(torch.arange(PLACES)),
    lambda x, embedding: x + embedding(torch.arange(PLACES)[None]),
    Waves(1),
    Waves(1, dropout=0.3),
)
OTHERS = (
    lambda x, _: x,
    lambda x, _: x + nn.Parameter(torch.rand(WIDTH)),
    lambda x, embedding: x + embedding(torch.randint(10, (len(x),)))[:, None],
    lambda x, embedding: x + embedding(torch.tensor([3, 1, 1, 7])),
    lambda x, _: x + nn.Parameter(torch.rand(SAMPLES, PLACES, WIDTH)),
    Scaled(),
)


@pytest.mark.parametrize("add", ALONG_PLACES)
def test_places_along_the_second_axis_ask_for_attention_along_it(add):
    assert differ(add, batch_first=False)
    assert not differ(add, batch_first=True)


@pytest.mark.parametrize("add", OTHERS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_what_counts_no_places_tells_nothing(add, batch_first):
    assert not differ(add, batch_first)


def test_a_tutorial_s_waves_are_for_time_first():
    assert differ(Waves(0, dropout=0.1), batch_first=True)
    assert not differ(Waves(0, dropout=0.1), batch_first=False, time_first=True)


@pytest.mark.parametrize("add", ALONG_PLACES)
@pytest.mark.parametrize("batch_first", [True, False])
def test_as_many_samples_as_places_tell_nothing(add, batch_first):
    assert not differ(add, batch_first, samples=PLACES)
