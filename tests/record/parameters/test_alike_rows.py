"""Which weights are asked whether their units are all the same."""

import torch
from torch import nn

from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.parameters.alike_rows import AlikeRows, RowSpreads
from layerscope.record.parameters.layer_parameter import LayerParameter


def looked_at(shape):
    weight = nn.Parameter(torch.ones(shape))
    return AlikeRows([LayerParameter(weight, "00", Channel(Quantity.WEIGHT, "00"))]).look()


def test_a_scale_for_each_head_may_start_at_one_and_a_weight_may_not():
    assert looked_at((4, 1, 1)) == {}
    assert looked_at((4, 3)) == looked_at((4, 1)) == looked_at((4, 1, 3)) == {"00": 0.0}


def test_rows_are_told_as_before_the_first_step_unless_each_is_one_number():
    """An IA3 scale, [outputs, 1], starts at 1 throughout."""
    for shape, spread in (((4, 3), 0.0), ((4, 1), 1.0)):
        weight = nn.Parameter(torch.ones(shape))
        parameters = [LayerParameter(weight, "00", Channel(Quantity.WEIGHT, "00"))]
        rows = RowSpreads()
        rows.begin(parameters)
        with torch.no_grad():
            weight[0] = 0.0
        rows.begin(parameters)  # a loop's second call, behind its step
        assert rows.look(parameters) == {"00": spread}
        assert rows.look(parameters) == {}
