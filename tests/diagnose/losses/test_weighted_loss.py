"""Weights of classes and focal losses are told by the slopes on the output."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.diagnose.losses.loss_view import view_loss
from layerscope.diagnose.losses.weighted_loss import class_weights, weighted_binary
from layerscope.figures.class_weights import ignored_figures, weight_figures

BITS = (torch.arange(64)[:, None] % 4 == 0).float()


def seen(loss_of, activate=None):
    torch.manual_seed(0)
    output = torch.randn(64, 1)
    output = (activate(output) if activate else output).requires_grad_()
    (slope,) = torch.autograd.grad(loss_of(output), output)
    output = output.detach().double().numpy()
    return weighted_binary(output, slope.double().numpy()), output


def focal(z, power, weight=0.25):
    own = torch.sigmoid(torch.where(BITS == 1, z, -z))
    return (torch.where(BITS == 1, weight, 1 - weight) * (1 - own) ** power * -own.log()).mean()


def test_a_weight_of_the_positives_is_told_with_the_labels():
    view, output = seen(
        lambda z: F.binary_cross_entropy_with_logits(z, BITS, pos_weight=torch.tensor(30.0))
    )
    assert view.kind is Loss.BINARY_LOGITS
    assert view.targets.tolist() == BITS.tolist()
    figures = weight_figures(view, output, {0: 48, 1: 16})
    assert figures["weighted_share"] == pytest.approx(10 / 11, rel=1e-3)  # 16 * 30 / (480 + 48)
    assert figures["weighted_samples"] == 0.25
    assert figures["weighted_times"] == pytest.approx(30, rel=1e-3)
    negatives = output[BITS.numpy() == 0]
    assert figures["weighted_called"] == pytest.approx((negatives > 0).mean())


def test_a_weight_of_probabilities_is_told():
    view, _ = seen(
        lambda p: F.binary_cross_entropy(p, BITS, weight=torch.where(BITS == 1, 5.0, 1.0)),
        torch.sigmoid,
    )
    assert view.kind is Loss.BINARY


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 5.0])
def test_a_focal_loss_is_one_that_takes_logits(power):
    assert seen(lambda z: focal(z, power))[0].kind is Loss.BINARY_LOGITS
    assert seen(lambda z: focal(z, power), torch.sigmoid)[0].kind is Loss.BINARY_LOGITS


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda z: F.binary_cross_entropy_with_logits(z, BITS),
        lambda z: F.mse_loss(z, 2 * BITS - 1),
        lambda z: F.soft_margin_loss(z, 2 * BITS - 1) + z.square().mean(),
        lambda z: -(z * (2 * BITS - 1)).mean(),
        lambda z: (F.softplus(-z) * BITS).sum() / BITS.sum(),
    ],
    ids=["unweighted", "error", "a penalty beside it", "a critic's mean", "the rest left out"],
)
def test_other_losses_are_no_weighted_ones(loss_of):
    assert seen(loss_of)[0] is None


def test_outputs_that_are_all_the_same_tell_of_no_power():
    output = np.linspace(0.1, 0.11, 64)[:, None]
    slope = np.where(BITS.numpy() == 1, -3.0, 1.0)
    assert weighted_binary(output, slope) is None


@pytest.mark.parametrize("outputs", [1, 8])
def test_an_error_of_outputs_that_hardly_differ_is_no_weighted_loss(outputs):
    bits = (np.random.default_rng(0).random((64, outputs)) < 0.5).astype(float)
    output = 0.52 + 1e-4 * np.random.default_rng(1).random((64, outputs))
    assert weighted_binary(output, 2 * (output - bits) / bits.size) is None


def test_weights_that_differ_within_a_class_are_those_of_samples():
    labels = np.array([0, 0, 1, 1])
    assert class_weights(labels, np.array([1.0, 1.0, 4.0, 4.0])) == {0: 1.0, 1: 4.0}
    assert class_weights(labels, np.array([1.0, 2.0, 4.0, 4.0])) == {}
    assert class_weights(labels, np.ones(4)) == {}


def test_of_several_outputs_the_one_that_leaves_its_other_class_least_is_told():
    torch.manual_seed(1)
    bits = (torch.rand(256, 3) < torch.tensor([0.5, 0.1, 0.1])).float()
    output = (torch.randn(256, 3) + torch.tensor([0.0, 4.0, 0.0])).requires_grad_()
    weights = torch.tensor([1.0, 500.0, 9.0])
    loss = F.binary_cross_entropy_with_logits(output, bits, pos_weight=weights)
    (slope,) = torch.autograd.grad(loss, output)
    values = output.detach().double().numpy()
    view = weighted_binary(values, slope.double().numpy())
    figures = weight_figures(view, values, {})
    share = bits[:, 1].mean().item()
    assert figures["weighted_samples"] == pytest.approx(share)
    assert figures["weighted_times"] == pytest.approx(500, rel=1e-2)
    assert figures["weighted_called"] > 0.95


def ignored(ignore_index=-100, masked=0, seen=None):
    """The figures of 60 samples of classes 0 to 5, of which some have a target of `masked`."""
    torch.manual_seed(0)
    output, labels = torch.randn(60, 6, requires_grad=True), torch.arange(60) % 6
    labels[:masked] = -1
    labels[labels == ignore_index] = -1
    (slope,) = torch.autograd.grad(F.cross_entropy(output, labels, ignore_index=-1), output)
    output, slope = output.detach().double().numpy(), slope.double().numpy()
    view = view_loss(output, slope, 60, 1.8, float((slope**2).sum()))
    return ignored_figures(view, output, seen or dict.fromkeys(set(range(6)) - {ignore_index}, 60))


def test_a_class_that_the_loss_leaves_out_is_named_once_labels_enough_were_seen():
    assert ignored(ignore_index=4) == {"ignored_share": pytest.approx(1 / 6), "ignored_class": 4}
    few = dict.fromkeys((0, 1, 2, 3, 5), 59)
    assert ignored(ignore_index=4, seen=few) == {"ignored_share": pytest.approx(1 / 6)}
    assert ignored(ignore_index=4, seen={0: 200, 1: 200}) == {"ignored_share": pytest.approx(1 / 6)}


def test_samples_without_a_label_leave_no_class_out():
    assert ignored() == {"ignored_share": 0}
    assert ignored(masked=20) == {"ignored_share": pytest.approx(1 / 3)}


TWO, WEIGHTS = np.array([[0.0], [1.0]]), np.array([9.0, 1.0])


def test_weights_of_classes_are_shared_out_by_the_labels_of_a_cross_entropy():
    view, seen = LossView(Loss.CROSS_ENTROPY, targets=TWO, weights=WEIGHTS), {0: 1, 1: 9}
    of = weight_figures(view, np.eye(2), seen)
    assert (of["weighted_share"], of["weighted_samples"], of["weighted_called"]) == (0.5, 0.1, 0)
    assert weight_figures(view, np.eye(3)[:, :2], seen) == {}  # of a step with other samples


@pytest.mark.parametrize("told", [{"targets": TWO}, {"weights": WEIGHTS}])
def test_what_is_not_known_of_a_loss_shares_nothing_out(told):
    assert weight_figures(LossView(Loss.CROSS_ENTROPY, **told), np.eye(2), {}) == {}


@pytest.mark.parametrize(
    "view", [LossView(Loss.CROSS_ENTROPY), LossView(Loss.LOG_LIKELIHOOD, targets=TWO)]
)
def test_only_a_cross_entropy_whose_labels_are_known_leaves_samples_out(view):
    assert ignored_figures(view, np.eye(2), {0: 400}) == {}
