"""A view that cuts a convolution's maps into a sequence along the wrong axis is told by sizes."""

import pytest
import torch
from torch import nn

from layerscope.record.graph.view_to_sequence import ViewToSequence

MAPS = torch.randn(3, 1, 12, 6)


def is_told(cut, channels=8, layer=None, body=None, given=MAPS):
    """Of a convolution, what is behind it, and a layer that gets cut(maps) [3, steps, width]."""
    convolution = nn.Conv2d if given.ndim == 4 else nn.Conv1d
    maps = (body or nn.ReLU())(convolution(1, channels, 3, padding=1)(given))
    steps = cut(maps)
    layer = layer or nn.GRU(steps.shape[2], 4, batch_first=True)
    views = ViewToSequence()
    layer.register_forward_hook(lambda module, inputs, _: views.note(module, inputs))
    layer(*[steps] * (3 if isinstance(layer, nn.MultiheadAttention) else 1))
    return views.is_any


@pytest.mark.parametrize(
    ("cut", "told"),
    [
        (lambda maps: maps.view(3, 12, -1), True),
        (lambda maps: maps.reshape(3, 6, -1), True),  # time is last
        (lambda maps: maps.permute(0, 2, 1, 3).reshape(3, 12, -1), False),
        (lambda maps: maps.permute(0, 3, 1, 2).flatten(2), False),
        (lambda maps: maps.flatten(2), False),  # channels as steps
        (lambda maps: maps.flatten(1, 2), False),
        (lambda maps: maps.flatten(2).transpose(1, 2), False),  # each place a step
        (lambda maps: maps.view(3, 24, -1), False),  # cut as nobody knows
        (lambda maps: maps.view(3, 4, 2, 12, 6).transpose(1, 2).reshape(3, 12, -1), False),
        (lambda maps: maps.mean(3).view(3, 12, 8), True),
        (lambda maps: maps.mean(3).transpose(1, 2), False),
    ],
)
def test_a_view_of_maps_in_the_place_of_a_permute_is_told_from_others(cut, told):
    assert is_told(cut) == told


@pytest.mark.parametrize(("channels", "told"), [(8, True), (12, False), (1, False)])
def test_of_as_many_channels_as_steps_and_of_one_nothing_is_told(channels, told):
    assert is_told(lambda maps: maps.view(3, 12, -1), channels) == told


def test_what_merges_neighbours_by_chance_of_sizes_is_not():
    wide = torch.randn(3, 1, 4, 8)
    assert not is_told(lambda maps: maps.flatten(1, 2), 2, given=wide)


def test_a_layer_must_run_along_the_steps():
    assert not is_told(lambda maps: maps.view(3, 12, -1), layer=nn.Linear(48, 4))
    turned = lambda maps: maps.view(3, 12, -1).transpose(0, 1)  # noqa: E731
    assert is_told(turned, layer=nn.LSTM(48, 4))
    assert is_told(
        lambda maps: maps.view(3, 12, -1), layer=nn.MultiheadAttention(48, 2, batch_first=True)
    )


def test_functions_in_between_leave_axes_as_they_are():
    body = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.AvgPool2d((1, 2)))
    assert is_told(lambda maps: maps.view(3, 12, -1), body=body)
    series = torch.randn(3, 1, 24)
    assert is_told(lambda maps: maps.view(3, 12, 8), body=nn.MaxPool1d(2), given=series)
    assert not is_told(lambda maps: maps.transpose(1, 2), body=nn.MaxPool1d(2), given=series)


def test_two_steps_of_turned_maps_may_be_made_one():
    """As Chan et al. 2016 do, Listen, Attend and Spell."""
    pairs = lambda maps: maps.transpose(1, 2).reshape(3, 6, 12)  # noqa: E731
    assert not is_told(pairs, channels=6, given=torch.randn(3, 1, 12))


def test_steps_of_a_recurrent_layer_may_be_cut_anew():
    first = nn.GRU(4, 4, batch_first=True)
    views, layer = ViewToSequence(), nn.GRU(8, 4, batch_first=True)
    layer.register_forward_hook(lambda module, inputs, _: views.note(module, inputs))
    layer(first(torch.randn(3, 8, 4))[0].reshape(3, 4, 8))
    assert not views.is_any
