"""What is told of an output beside which another thing is known."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.figures.output_figures import OutputFigures
from layerscope.figures.returns import returns_are_zero
from layerscope.figures.targets_beside import targets_beside
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Ends, Output
from layerscope.record.ends.further_outputs import FurtherOutputs
from layerscope.record.graph.loss_form import LossForm
from layerscope.record.graph.output_function import OutputFunction


def kind_of(slope_of, form=None, alone=True):
    """The loss that is told by the slope of one of an output."""
    torch.manual_seed(0)
    values, targets = torch.randn(32, 4, requires_grad=True), torch.randint(4, (32,))
    loss = slope_of(values, targets)
    (slope,) = torch.autograd.grad(loss, values)
    output = Output(
        Pending.at_hand(values.detach()), Pending.at_hand(slope), 32, OutputFunction(), alone=alone
    )
    ends = Ends(output=output, form=form)
    return OutputFigures().of(ends, output, float(loss.detach()), 1.0)["loss_kind"]


@pytest.mark.parametrize(
    "loss",
    [F.cross_entropy, lambda v, y: F.binary_cross_entropy_with_logits(v, F.one_hot(y, 4).float())],
)
def test_shares_of_alignments_are_taken_neither_for_labels_nor_for_an_error(loss):
    assert kind_of(loss) != Loss.UNKNOWN
    assert kind_of(loss, LossForm(of_alignment=True)) == Loss.UNKNOWN
    assert kind_of(loss, LossForm(of_alignment=True), alone=False) != Loss.UNKNOWN


@pytest.mark.parametrize(
    ("along", "classes", "beside"), [(1, 1, 0), (2, 2, 0), (1, 2, 1), (2, 1, 1)]
)
def test_a_softmax_along_another_axis_than_the_classes_is_told(along, classes, beside):
    torch.manual_seed(0)
    logits = torch.randn(8, 4, 5, requires_grad=True)
    values = logits.log_softmax(along).movedim(classes, -1).reshape(-1, logits.shape[classes])
    (slope,) = torch.autograd.grad(F.nll_loss(values, torch.arange(len(values)) % 4), values)
    output = Output(
        Pending.at_hand(values.detach()),
        Pending.at_hand(slope),
        len(values),
        OutputFunction("log_softmax", axis=along),
        axis=classes,
    )
    ends = Ends(output=output)
    assert OutputFigures().of(ends, output, 1.0, 1.0)["softmax_beside_classes"] == beside


def beside(loss_of, size=300.0, form=None):
    """What is told of the second of two outputs, by loss_of(first, second, classes, targets)."""
    torch.manual_seed(0)
    first, second = (torch.randn(32, width, requires_grad=True) for width in (4, 1))
    targets = size + torch.randn(32, 1)
    further = FurtherOutputs()
    further.watch([second])
    loss = loss_of(first, second, torch.randint(4, (32,)), targets)
    loss.backward()
    ends = Ends(form=form, further=further.take())
    assert further.take() == ()
    return targets_beside(ends, float(loss.detach()), 1.0), float(targets.square().mean() ** 0.5)


def both(first, second, classes, targets):
    return F.cross_entropy(first, classes) + F.mse_loss(second, targets)


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_large_targets_of_another_output_are_told_where_they_make_the_loss(weight):
    told, size = beside(
        lambda one, other, *about: (
            F.cross_entropy(one, about[0]) + weight * F.mse_loss(other, about[1])
        )
    )
    assert told == {"target_rms_beside": pytest.approx(size, rel=1e-3)}


def test_nothing_is_told_of_small_ones_of_another_error_or_beside_a_policy():
    assert beside(both, size=1.0)[0] == {}  # the cross-entropy is a part of the loss
    assert beside(lambda *a: F.cross_entropy(a[0], a[2]) + F.smooth_l1_loss(a[1], a[3]))[0] == {}
    assert beside(both, form=LossForm(of_rewards=True))[0] == {}


@pytest.mark.parametrize(("centre", "broadcast"), [(0.0, 1), (2.0, 2), (-2.0, 2)])
def test_outputs_that_are_all_drawn_one_way_to_targets_of_all_samples_are_told(centre, broadcast):
    torch.manual_seed(0)
    targets, own = torch.randn(32), torch.rand(32, 1) + centre - 0.5
    own.requires_grad_()
    loss = F.huber_loss(*torch.broadcast_tensors(own, targets))
    (slope,) = torch.autograd.grad(loss, own)
    output = Output(Pending.at_hand(own.detach()), Pending.at_hand(slope), 32, OutputFunction())
    ends = Ends(output=output)
    figures = OutputFigures().of(ends, output, float(loss.detach()), 1.0)
    assert figures["targets_broadcast"] == broadcast


def of_states(loss_of, values=None, rewards=True):
    """What is told of a policy's values of states, by the slopes of loss_of(values)."""
    torch.manual_seed(0)
    values = torch.randn(24, 1) if values is None else values
    values = values.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(loss_of(values), values)
    output = Output(Pending.at_hand(values.detach()), Pending.at_hand(slopes), 24, OutputFunction())
    form = LossForm(of_rewards=rewards)
    ends = Ends(output=output, form=form)
    return returns_are_zero(ends)


RETURNS = torch.linspace(-1, 1, 24)[:, None]


@pytest.mark.parametrize(
    ("loss_of", "told"),
    [
        (lambda v: v.square().mean(), 1.0),
        (lambda v: 0.5 * v.square().sum(), 1.0),
        (lambda v: F.mse_loss(v, RETURNS), 0.0),
        (lambda v: F.mse_loss(v, torch.full_like(v, 1e-3)), 0.0),  # small, and not 0
        (lambda v: -v.square().mean(), 0.0),  # away from 0
        (lambda v: v.abs().mean(), 0.0),
    ],
)
def test_values_of_states_that_are_drawn_to_zero_have_returns_of_zero(loss_of, told):
    assert of_states(loss_of) == {"returns_zero": told}


def test_a_table_of_few_states_and_what_is_no_policys_tell_nothing_of_returns():
    def to_zero(v):
        return v.square().mean()

    three = (torch.arange(24) % 3).float()[:, None]
    assert of_states(to_zero, three) == {"returns_zero": 0.0}
    assert of_states(to_zero, (torch.arange(24) % 4).float()[:, None]) == {"returns_zero": 1.0}
    assert of_states(to_zero, rewards=False) == {}
    assert of_states(to_zero, torch.randn(24, 2)) == {}


def test_values_beside_the_actions_are_looked_at_too():
    torch.manual_seed(0)
    further, values = FurtherOutputs(), torch.randn(24, 1, requires_grad=True)
    further.watch([values])
    values.square().mean().backward()
    actions = Pending.at_hand(torch.randn(24, 3))
    output, form = Output(actions, actions, 24, OutputFunction()), LossForm(of_rewards=True)
    ends = Ends(output=output, form=form, further=further.take())
    assert returns_are_zero(ends) == {"returns_zero": 1.0}
    assert returns_are_zero(Ends(output=output, form=form)) == {}
