"""What is told of an output beside which another thing is known."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.figures.output_figures import OutputFigures
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Ends, Output
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
    ends = Ends((), output, (), (), False, (), form, None, False, None, None, (), {})
    return OutputFigures().of(ends, output, float(loss.detach()), 1.0)["loss_kind"]


@pytest.mark.parametrize(
    "loss",
    [F.cross_entropy, lambda v, y: F.binary_cross_entropy_with_logits(v, F.one_hot(y, 4).float())],
)
def test_shares_of_alignments_are_taken_neither_for_labels_nor_for_an_error(loss):
    assert kind_of(loss) != Loss.UNKNOWN
    assert kind_of(loss, LossForm(of_alignment=True)) == Loss.UNKNOWN
    assert kind_of(loss, LossForm(of_alignment=True), alone=False) != Loss.UNKNOWN
