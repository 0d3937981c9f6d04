"""A view that moves samples to where another axis was is told by shapes."""

import pytest
import torch
from torch import nn

from layerscope.record.graph.axes_of_step import MixedViews
from layerscope.record.graph_nodes import behind

X = torch.randn(6, 5, 3)


def is_told(forward, layer=None, given=X):
    """Of a network whose output is forward(layer, given)."""
    layer = layer or nn.GRU(3, 4, num_layers=2, batch_first=True)
    views = MixedViews()
    views.begin((given,))
    layer.register_forward_hook(views.note)
    for node in behind(forward(layer, given).grad_fn, (), most=10_000):
        views.see(node)
    return views.are_any


@pytest.mark.parametrize(
    ("forward", "told"),
    [
        (lambda layer, x: layer(x)[1].view(6, -1), True),
        (lambda layer, x: layer(x)[1].reshape(6, 8), True),
        (lambda layer, x: layer(x)[1].reshape(6, 2, 4), True),
        (lambda layer, x: layer(x)[1].transpose(0, 1).reshape(6, -1), False),
        (lambda layer, x: layer(x)[1][-1], False),
        (lambda layer, x: layer(x)[1].repeat(2, 1, 1)[1:].reshape(6, -1), True),  # three of four
        (lambda layer, x: layer(x)[1][-1:].reshape(6, -1), False),
        (lambda layer, x: layer(x)[0].transpose(0, 1).reshape(6, -1), True),
        (lambda layer, x: layer(x)[0].reshape(5, 6, 4), True),
        (lambda layer, x: layer(x)[0].reshape(6, 4, 5), False),  # within a sample
        (lambda layer, x: layer(x)[0].transpose(0, 1).reshape(5, 6, 4), False),
        (lambda layer, x: layer(x)[0].reshape(-1, 4), False),
        (lambda layer, x: layer(x)[0].reshape(6, -1), False),
        (lambda layer, x: layer(x.view(5, 6, 3))[0], True),
        (lambda layer, x: layer(x.view(6, 5, 3))[0], False),
        (lambda layer, x: layer(x.transpose(0, 1))[0], False),
        (lambda layer, x: layer(x.transpose(0, 1).contiguous())[0], False),
    ],
)
def test_a_view_that_mixes_samples_is_told_from_others(forward, told):
    assert is_told(forward) == told


PICTURES = torch.randn(4, 8, 6, 3)


@pytest.mark.parametrize(
    ("forward", "told"),
    [
        (lambda layer, x: layer(x.view(4, 3, 8, 6)), True),
        (lambda layer, x: layer(x.reshape(-1, 3, 8, 6)), True),
        (lambda layer, x: layer(x.permute(0, 3, 1, 2)), False),
        (lambda layer, x: layer(x.permute(0, 3, 1, 2).contiguous()), False),
        (lambda layer, x: layer(x.view(4, 3, 6, 8)), False),  # cut anew
        (lambda layer, x: layer(x.clone().view(4, 3, 8, 6)), False),  # made by the network
    ],
)
def test_channels_that_a_view_puts_before_the_places_are_told(forward, told):
    views, layer = MixedViews(), nn.Conv2d(3, 5, 3)
    views.begin((PICTURES,))
    layer.register_forward_hook(views.note)
    forward(layer, PICTURES)
    assert (views.of_channels, views.are_any) == (told, False)


def test_they_are_told_where_the_loop_has_viewed_them_and_not_of_one_channel_or_place():
    for layer, shape, view, told in (
        (nn.Conv2d(3, 5, 3), (4, 8, 6, 3), (4, 3, 8, 6), True),
        (nn.Conv1d(3, 5, 3), (4, 8, 3), (4, 3, 8), True),
        (nn.Conv1d(3, 5, 3), (4, 3, 8), (4, 3, 8), False),
        (nn.Conv2d(1, 5, 3), (4, 8, 6, 1), (4, 1, 8, 6), False),
        (nn.Conv1d(3, 5, 1), (4, 1, 3), (4, 3, 1), False),
        (nn.Linear(8, 5), (4, 8, 3), (4, 3, 8), False),  # it may well be cut anew
    ):
        given, views = torch.randn(shape).view(view), MixedViews()
        views.begin((given,))
        layer.register_forward_hook(views.note)
        layer(given)
        assert views.of_channels == told


def test_states_of_one_layer_and_of_as_many_layers_as_samples_are_not():
    flat = lambda layer, x: layer(x)[1].reshape(len(x), -1)  # noqa: E731
    assert not is_told(flat, nn.GRU(3, 4, batch_first=True))
    assert not is_told(flat, given=X[:2])
    assert is_told(flat, nn.GRU(3, 4, batch_first=True, bidirectional=True))
