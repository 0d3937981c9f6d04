"""A last layer that is new behind others that were trained before is told from others."""

import pytest
import torch
from torch import nn

from layerscope.record.parameters.new_head import is_new_head, is_trained_head, were_trained


def norm(moved):
    layer = nn.LayerNorm(48)
    with torch.no_grad():
        layer.weight[3] += 0.02 * moved
    return list(layer.named_parameters())


def linear(draw=None, outputs=5, inputs=48):
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        (draw or (lambda weight: None))(layer.weight)
    return layer


def trained(weight):
    """Drawn as torch does it, and moved by half of its size."""
    weight += 0.5 * weight.std() * torch.randn_like(weight)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (linear(), True),
        (linear(lambda weight: weight.normal_(0, 0.02)), True),
        (linear(lambda weight: weight.normal_(0, 0.1)), False),
        (linear(lambda weight: weight.zero_()), False),
        (linear(trained), False),
        (linear(outputs=1), False),  # too few to tell
        (linear().requires_grad_(False), False),
    ],
    ids=["torch's", "transformers'", "larger", "zeros", "trained", "few", "frozen"],
)
def test_a_head_as_it_was_drawn_is_new_behind_a_norm_that_has_moved(head, told):
    own = list(head.named_parameters())
    assert is_new_head(own, [*own, *norm(moved=True)]) == told
    assert not is_new_head(own, [*own, *norm(moved=False)])
    assert not is_new_head(own, own)


def test_a_head_that_was_trained_is_not_as_drawn_from_anything():
    drawn = (linear(), linear(lambda weight: weight.normal_()))
    assert not any(is_trained_head(layer.named_parameters()) for layer in drawn)
    assert not is_trained_head(nn.LayerNorm(64).named_parameters())
    assert is_trained_head(linear(lambda weight: weight.pow_(5), 20).named_parameters())
    assert were_trained(norm(moved=True))
    assert not were_trained([*norm(moved=False), *linear().named_parameters()])
