"""What a training loop puts an output through before its loss is read off the loss's graph."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.function_in_loss import AppliedFunction, applied_function
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.softmax_in_loss import activation_before
from layerscope.record.graph_nodes import behind, inputs_of

Y, T = torch.tensor([0, 1, 2, 1, 0, 2, 1, 2]), torch.linspace(-1, 1, 24).reshape(8, 3)


def seen(loss_of, function=lambda z: z):
    output = function(2 * torch.randn(8, 3, requires_grad=True))
    outputs = MarkedOutputs()
    outputs.note(output)
    loss = loss_of(output).grad_fn
    return loss, behind(loss, outputs), outputs


@pytest.mark.parametrize(
    ("loss_of", "told"),
    [
        (lambda z: F.mse_loss(z.sigmoid(), T), ("sigmoid", True, False)),
        (lambda z: (T - z.tanh()).pow(2).mean(), ("tanh", True, False)),
        (lambda z: 3 * F.mse_loss(F.relu(z).flatten(), T.flatten()), ("relu", True, True)),
        (lambda z: (z.sigmoid() - T).square().sum() + 1, ("sigmoid", False, False)),
        (lambda z: F.l1_loss(z.tanh(), T), ("tanh", False, False)),
    ],
)
def test_a_function_between_an_output_and_its_loss_is_told(loss_of, told):
    name, in_mean_square, has_factor = told
    expected = AppliedFunction(name, 24, in_mean_square, has_factor)
    assert applied_function(*seen(loss_of)) == expected


@pytest.mark.parametrize(
    ("loss_of", "function"),
    [
        (lambda z: F.mse_loss(z, T), lambda z: z),
        (lambda z: F.mse_loss(z, T), torch.sigmoid),  # the network's own
        (lambda z: F.mse_loss(z.sigmoid(), T) + z.square().mean(), lambda z: z),
        (lambda z: F.mse_loss((z / 3).tanh(), T), lambda z: z),
        (lambda z: F.mse_loss(z.tanh() * z.sigmoid(), T), lambda z: z),
        (lambda z: F.mse_loss(F.softplus(z), T), lambda z: z),
    ],
)
def test_of_any_other_way_to_the_loss_none_is(loss_of, function):
    assert applied_function(*seen(loss_of, function)) is None


@pytest.mark.parametrize(
    ("loss_of", "code"),
    [
        (lambda z: F.cross_entropy(z, Y), 0),
        (lambda z: F.cross_entropy(z.relu(), Y), 2),
        (lambda z: F.cross_entropy(z.tanh()[:4], Y[:4]), 3),
        (lambda z: F.binary_cross_entropy_with_logits(z.sigmoid(), T), 4),
        (lambda z: F.cross_entropy(z.softmax(1), Y), 4),
        (lambda z: F.cross_entropy(20 * (z / 20).tanh(), Y), 0),
        (lambda z: (z.relu().softmax(1) * T).sum(), 0),  # weights of something else
        (lambda z: F.cross_entropy(-z, Y), 5),
        (lambda z: F.cross_entropy((1 - z).T[:, :3] / 0.1, Y[:3]), 5),
        (lambda z: F.cross_entropy(-(1 - z), Y), 0),
        (lambda z: F.cross_entropy(-(z @ z.T) / 0.1, torch.arange(8)), 6),
        (lambda z: F.cross_entropy(z @ z.T / 0.1, torch.arange(8)), 0),
        (lambda z: F.cross_entropy(-torch.cdist(z, z), torch.arange(8)), 0),
    ],
)
def test_what_logits_have_been_through_in_the_loop_is_told_by_a_number(loss_of, code):
    _, nodes, outputs = seen(loss_of)
    logits = [node for node in nodes if node not in outputs and inputs_of(node)]
    assert max(activation_before(each, outputs) for each in logits if _takes(each)) == code


def _takes(node):
    return type(node).__name__.startswith(("LogSoftmax", "Softmax", "BinaryCrossEntropyWith"))
