"""The kind of a loss, its targets and its reduction are read off its gradient on the output."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.losses.loss_view import view_loss
from layerscope.diagnose.losses.percentage_error import share_of_zeros
from layerscope.diagnose.losses.regression_loss import within_range

N, CLASSES = 32, 7


def seen(loss_of, shape=(N, CLASSES), scale=2.0, activate=None, rows=None):
    torch.manual_seed(0)
    output = torch.randn(shape) * scale
    output = (activate(output) if activate else output).requires_grad_()
    loss = loss_of(output)
    (gradient,) = torch.autograd.grad(loss, output)
    keep = slice(rows)
    matrix = output.detach().reshape(len(output), -1).double().numpy()[keep]
    slope = gradient.reshape(len(output), -1).double().numpy()[keep]
    square = gradient.double().square().sum().item()
    return view_loss(matrix, slope, len(output), float(loss.detach()), square)


LABELS = torch.arange(N) % CLASSES
VALUES = torch.linspace(-3, 9, N)[:, None]
BITS = (torch.arange(N)[:, None] % 2).float()


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1.0), ("sum", float(N))])
def test_a_cross_entropy_is_told_with_its_labels_and_its_reduction(reduction, factor):
    view = seen(lambda z: F.cross_entropy(z, LABELS, reduction=reduction))
    assert view.kind is Loss.CROSS_ENTROPY
    assert view.reduction == pytest.approx(factor, rel=1e-3)
    assert view.targets[:, 0].tolist() == LABELS.tolist()


def test_log_softmax_and_likelihood_by_hand_are_a_cross_entropy_on_the_logits():
    view = seen(lambda z: -F.log_softmax(z, 1).gather(1, LABELS[:, None]).mean())
    assert view.kind is Loss.CROSS_ENTROPY


@pytest.mark.parametrize("scale", [0.1, 2.0, 8.0])  # 8: surer than the smoothed targets are
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_cross_entropy_of_smoothed_labels_is_told_with_its_labels(scale, reduction):
    view = seen(
        lambda z: F.cross_entropy(z, LABELS, reduction=reduction, label_smoothing=0.1), scale=scale
    )
    assert view.kind is Loss.CROSS_ENTROPY
    assert view.smoothing == pytest.approx(0.1, rel=1e-2)
    assert view.reduction == (1 if reduction == "mean" else N)
    assert view.targets[:, 0].tolist() == LABELS.tolist()
    assert seen(lambda z: F.cross_entropy(z, LABELS), scale=scale).smoothing == 0


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_a_cross_entropy_with_several_targets_in_a_sample_is_told(scale):
    targets = (torch.rand(N, CLASSES, generator=torch.Generator().manual_seed(3)) < 0.4).float()
    assert seen(lambda z: F.cross_entropy(z, targets), scale=scale).kind is Loss.SEVERAL_CLASSES
    one = F.one_hot(LABELS, CLASSES).float()
    assert seen(lambda z: F.cross_entropy(z, one), scale=scale).kind is Loss.CROSS_ENTROPY


def test_rows_that_are_certain_of_their_target_leave_rounding_and_do_not_hide_the_kind():
    output = torch.full((N, CLASSES), -20.0)
    output[torch.arange(N), LABELS] = 20.0
    output[:4] /= 20
    view = seen(lambda z: F.cross_entropy(z, LABELS), activate=lambda _: output)
    assert view.kind is Loss.CROSS_ENTROPY
    assert sorted(view.targets[:, 0].tolist()) == sorted(LABELS.tolist())


def test_a_cross_entropy_of_mixed_labels_is_none_of_smoothed_ones():
    mixed = 0.7 * F.one_hot(LABELS, CLASSES) + 0.3 * F.one_hot(LABELS.flip(0), CLASSES)
    assert seen(lambda z: F.cross_entropy(z, mixed)).kind is Loss.UNKNOWN


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_halves_of_two_labels_are_no_several_targets(smoothing):
    halves = (F.one_hot(LABELS, CLASSES) + F.one_hot(LABELS.flip(0), CLASSES)) / 2
    view = seen(lambda z: F.cross_entropy(z, halves, label_smoothing=smoothing))
    assert view.kind is Loss.UNKNOWN


def test_padded_samples_are_left_out():
    labels = torch.where(torch.arange(N) < 20, LABELS, -100)
    view = seen(lambda z: F.cross_entropy(z, labels))
    assert view.kind is Loss.CROSS_ENTROPY
    assert len(view.targets) == 20
    assert view.reduction == pytest.approx(1.0, rel=1e-3)


def test_a_likelihood_without_its_logarithm_is_told():
    view = seen(lambda p: F.nll_loss(p, LABELS), activate=lambda z: z.softmax(1))
    assert view.kind is Loss.LOG_LIKELIHOOD
    assert view.targets[:, 0].tolist() == LABELS.tolist()


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_a_loss_of_logits_that_gets_them_through_a_function_of_the_loop_is_told(scale):
    bits = torch.arange(N * CLASSES).reshape(N, CLASSES) % 2
    soft = torch.softmax(torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1)), 1)
    for loss_of, kind in (
        (lambda z: F.cross_entropy(z.softmax(1), LABELS), Loss.CROSS_ENTROPY),
        (lambda z: F.cross_entropy(z.sigmoid(), LABELS), Loss.CROSS_ENTROPY),
        (lambda z: F.nll_loss(z.softmax(1), LABELS), Loss.LOG_LIKELIHOOD),
        (lambda z: F.kl_div(z.softmax(1), soft, reduction="batchmean"), Loss.LOG_LIKELIHOOD),
        (
            lambda z: F.binary_cross_entropy_with_logits(z.sigmoid(), bits.float()),
            Loss.BINARY_LOGITS,
        ),
    ):
        if scale > 1 and kind is Loss.LOG_LIKELIHOOD:
            continue  # a share that is all but zero has no slope, and it takes all samples
        view = seen(loss_of, scale=scale)
        assert view.kind is kind
        assert view.activated
        if scale < 1 and kind is Loss.CROSS_ENTROPY:  # else samples that are sure are left out
            assert view.targets[:, 0].tolist() == LABELS.tolist()


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("temperature", [2.0, 4.0])
def test_a_divergence_of_tempered_probabilities_is_told(temperature, squared):
    soft = torch.softmax(torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1)), 1)

    def distilled(z, log):
        p = (z / temperature).log_softmax(1) if log else (z / temperature).softmax(1)
        loss = F.kl_div(p, soft, reduction="batchmean")
        return loss * temperature**2 if squared else loss

    view = seen(lambda z: distilled(z, log=False), scale=1.0)
    assert view.kind is Loss.LOG_LIKELIHOOD
    assert view.activated
    assert not seen(lambda z: distilled(z, log=True), scale=1.0).activated


def test_losses_as_they_should_be_and_returns_are_not_said_to_come_through_a_function():
    returns = torch.randn(N, generator=torch.Generator().manual_seed(1))
    soft = torch.softmax(torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1)), 1)
    for loss_of in (
        lambda z: F.cross_entropy(z, LABELS),
        lambda z: F.kl_div(z.log_softmax(1), soft, reduction="batchmean"),
        lambda z: -(returns * z.softmax(1)[torch.arange(N), LABELS]).mean(),
        lambda z: -(returns * z.log_softmax(1)[torch.arange(N), LABELS]).mean(),
        lambda z: F.mse_loss(z.softmax(1), soft),
        lambda z: z.sigmoid().square().mean(),
    ):
        for scale in (0.3, 2.0):
            assert not seen(loss_of, scale=scale).activated


def test_the_return_of_one_state_with_two_actions_is_no_cross_entropy():
    for returned in (0.7, -0.7):
        kind = seen(lambda z, r=returned: -r * z.log_softmax(1)[0, 1], (1, 2)).kind
        assert kind is Loss.UNKNOWN
    weights = torch.tensor([1.0, 3.0])
    view = seen(lambda z: F.cross_entropy(z, LABELS % 2, weight=weights), (N, 2))
    assert view.kind is Loss.CROSS_ENTROPY
    assert seen(lambda z: F.cross_entropy(z, LABELS[:1]), (1, 2)).kind is Loss.CROSS_ENTROPY


def test_the_logarithm_of_a_probability_is_told():
    view = seen(
        lambda p: -p.log().gather(1, LABELS[:, None]).mean(), activate=lambda z: z.softmax(1)
    )
    assert view.kind is Loss.LOG_OF_OUTPUT
    assert view.reduction == pytest.approx(1.0, rel=1e-3)


def test_a_floor_under_the_logarithm_makes_no_other_loss_of_it():
    def few_far_wrong(z):
        far = F.one_hot(LABELS, CLASSES) * -80.0 * (torch.arange(N) % 3 == 0)[:, None]
        return (z + far).softmax(1)

    def loss(p):
        return -(p + 1e-9).log().gather(1, LABELS[:, None]).sum()

    view = seen(loss, activate=few_far_wrong)
    assert view.kind is Loss.LOG_OF_OUTPUT
    assert view.reduction == pytest.approx(N, rel=1e-3)


def by_shares(z):
    return -(z / z.sum(1, keepdim=True)).log().gather(1, LABELS[:, None]).mean()


@pytest.mark.parametrize("activate", [torch.sigmoid, torch.exp, lambda z: z.softmax(1)])
def test_the_logarithm_of_an_outputs_share_of_its_sample_is_told(activate):
    view = seen(by_shares, activate=activate)
    assert view.kind is Loss.LOG_OF_SHARE
    assert view.reduction == pytest.approx(1.0, rel=1e-3)
    assert view.targets[:, 0].tolist() == LABELS.tolist()


def test_the_logarithm_of_a_logits_share_of_their_sum_is_told_by_samples_that_have_one():
    def loss(z):
        share = (z / z.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
        return -share.log().gather(1, LABELS[:, None]).mean()

    view = seen(loss, (N, CLASSES))
    assert view.kind is Loss.LOG_OF_SHARE
    assert {int(label) for label in view.targets[:, 0]} <= set(LABELS.tolist())
    assert seen(lambda z: F.cross_entropy(z, LABELS), (N, CLASSES)).kind is Loss.CROSS_ENTROPY


def test_a_squared_error_of_shares_and_targets_far_from_them_is_told():
    targets = torch.linspace(-2, 5, N)[:, None].expand(N, CLASSES)
    view = seen(lambda p: F.mse_loss(p, targets), (N, CLASSES), activate=lambda z: z.softmax(1))
    assert view.kind is Loss.SQUARED_ERROR
    assert np.abs(view.targets - targets.numpy()).max() < 1e-3


def test_a_cross_entropy_on_what_is_above_zero_is_no_logarithm_of_shares():
    view = seen(lambda z: F.cross_entropy(z, LABELS), activate=torch.relu)
    assert view.kind is Loss.CROSS_ENTROPY


def test_a_binary_loss_of_sure_outputs_shows_targets_far_beyond_them():
    labels = torch.arange(11.0, 11 + N)[:, None]
    view = seen(
        lambda p: -(labels * p.log() + (1 - labels) * (1 - p).log()).mean(),
        (N, 1),
        activate=lambda z: torch.sigmoid(4 + z.abs() / 4),
    )
    assert view.kind is Loss.BINARY
    assert view.targets.tolist() == labels.tolist()


def test_targets_of_an_absolute_error_are_within_the_range_where_they_may_be():
    for targets, within in ((BITS, True), (BITS + 1, False), (50 + BITS, False)):
        told = seen(lambda p, y=targets: F.l1_loss(p, y), (N, 1), activate=torch.sigmoid)
        output = np.asarray(outputs_of(torch.sigmoid))
        view = within_range(told, output, 0.0, 1.0)
        assert (view.targets.min() >= 0 and view.targets.max() <= 1) == within


@pytest.mark.parametrize("loss", [F.smooth_l1_loss, F.huber_loss])
def test_a_huber_loss_of_a_column_and_a_row_is_told_as_broadcast(loss):
    targets = VALUES / 4
    row = seen(lambda z: loss(*torch.broadcast_tensors(z, targets[:, 0])), (N, 1))
    assert row.broadcast
    for own in (targets, targets.flip(0), torch.zeros(N, 1), torch.full((N, 1), 1.3)):
        assert not seen(lambda z, y=own: loss(z, y), (N, 1)).broadcast
        assert not seen(lambda z, y=own: F.binary_cross_entropy_with_logits(z, y), (N, 1)).broadcast


def test_half_of_a_binary_loss_whose_labels_are_all_the_same_is_not_told_as_broadcast():
    """Of true and of made examples, say, which the network is given one after the other."""

    def half(z):
        return F.binary_cross_entropy_with_logits(z, torch.ones_like(z)) / 2 + 0.3

    assert not seen(half, (N, 1), scale=0.5).broadcast


def test_a_binary_loss_of_logits_that_are_all_sure_is_told_by_its_value():
    for offset in (30.0, -30.0):

        def far(z, offset=offset):
            return z + offset

        view = seen(lambda z: F.binary_cross_entropy_with_logits(z, BITS), (N, 1), activate=far)
        assert view.kind is Loss.BINARY_LOGITS
        assert view.targets.tolist() == BITS.tolist()
        error = seen(lambda z: F.l1_loss(z, BITS), (N, 1), activate=far)
        assert error.kind is Loss.ABSOLUTE_ERROR


def test_a_binary_loss_of_probabilities_that_are_all_sure_is_told_by_its_value():
    def ends(z):
        return torch.sigmoid(60 * z.sign() + z)  # float32 has no number between these and 0 or 1

    view = seen(lambda p: F.binary_cross_entropy(p, BITS), (N, 1), activate=ends)
    assert view.kind is Loss.BINARY
    assert view.targets.tolist() == BITS.tolist()
    error = seen(lambda p: F.mse_loss(p, BITS), (N, 1), activate=ends)
    assert error.kind is not Loss.BINARY
    cut_off = seen(
        lambda p: F.binary_cross_entropy(p.clamp(1e-3, 0.999), BITS), (N, 1), activate=ends
    )
    assert cut_off.kind is not Loss.BINARY


@pytest.mark.parametrize("scale", [0.03, 2.0])
def test_a_smoothed_cross_entropy_of_two_classes_is_told_as_one(scale):
    view = seen(lambda z: F.cross_entropy(z, LABELS % 2, label_smoothing=0.1), (N, 2), scale=scale)
    assert (view.kind, round(view.smoothing, 4)) == (Loss.CROSS_ENTROPY, 0.1)
    assert view.targets[:, 0].tolist() == (LABELS % 2).tolist()


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.2])
def test_small_outputs_that_a_density_squares_are_no_logits_of_nearly_even_labels(scale):
    """Labels that are smoothed to nearly the same for all classes leave slopes that are small, and
    any small slopes are near to those."""
    for shape in ((N, 4), (N, CLASSES)):
        view = seen(lambda z: z.square().sum(1).mean() / 2 + 3.7, shape, scale=scale)
        assert view.kind is Loss.UNKNOWN
    even = seen(lambda z: F.cross_entropy(z, LABELS, label_smoothing=0.98), scale=scale)
    assert even.kind is Loss.CROSS_ENTROPY
    assert even.smoothing == pytest.approx(0.98, abs=1e-3)


@pytest.mark.parametrize("shape", [(N, 1), (N, 3)])
def test_a_loss_at_chance_is_no_binary_cross_entropy_for_its_value(shape):
    """Each sample's slopes go by a return of its own, as a policy's do."""
    weights = torch.linspace(0.5, 4, N)[:, None] / 2.25

    def weighted(z):
        return (weights * F.softplus(z * torch.where(BITS > 0, 1.0, -1.0))).mean()

    assert seen(weighted, shape, scale=0.03).kind is Loss.UNKNOWN


@pytest.mark.parametrize("scale", [0.15, 0.3])
def test_a_ranking_by_pairs_is_no_binary_cross_entropy_for_its_value(scale):
    """Burges et al. 2005, RankNet: its value is what the slopes of targets beyond 0 and 1 would
    make of it where outputs are as far from 0 as they spread."""
    above = (VALUES > VALUES.T).float()

    def ranked(z):
        return (above * F.softplus(z.T - z)).sum() / above.sum()

    def moved(z):
        return z - z.mean() + z.std()

    assert seen(ranked, (N, 1), scale=scale, activate=moved).kind is Loss.UNKNOWN


def test_an_error_that_divides_by_targets_of_nothing_is_no_binary_cross_entropy():
    """The mean absolute percentage error of labels of 0 and 1, as Keras has it."""

    def percent(z):
        return 100 * ((BITS - z).abs() / BITS.clamp(min=1e-7)).mean()

    assert seen(percent, (N, 1), activate=torch.sigmoid).kind is Loss.PERCENTAGE_ERROR
    far = seen(lambda z: F.binary_cross_entropy(z, 0 * z.detach()), (N, 1), activate=torch.sigmoid)
    assert far.kind is Loss.BINARY


@pytest.mark.parametrize("beside", [0.0, 0.01])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_a_loss_that_the_network_computes_itself_is_no_cross_entropy_of_sure_outputs(
    factor, beside
):
    """The negative log-likelihood of each sample, as a normalising flow returns it."""

    def far(z):
        return z.abs() + 6

    view = seen(lambda z: factor * z.mean() + beside, (N, 1), activate=far)
    assert view.kind in (Loss.UNKNOWN, Loss.ABSOLUTE_ERROR)
    assert beside or view.kind is Loss.UNKNOWN


def outputs_of(activate):
    torch.manual_seed(0)
    return activate(torch.randn(N, 1) * 2.0).double().numpy()


def test_binary_losses_are_told_on_logits_and_on_probabilities():
    logits = seen(lambda z: F.binary_cross_entropy_with_logits(z, BITS), (N, 1))
    assert logits.kind is Loss.BINARY_LOGITS
    assert logits.targets.tolist() == BITS.tolist()
    share = seen(lambda p: F.binary_cross_entropy(p, BITS), (N, 1), activate=torch.sigmoid)
    assert share.kind is Loss.BINARY
    assert share.targets.tolist() == BITS.tolist()


def test_a_binary_loss_shows_targets_that_are_no_bits():
    labels = (torch.arange(N) % 3).float()[:, None]
    view = seen(lambda z: F.binary_cross_entropy_with_logits(z, labels), (N, 1))
    assert view.kind is Loss.BINARY_LOGITS
    assert view.targets.max() == 2


@pytest.mark.parametrize(
    "loss_of",
    [
        F.mse_loss,
        lambda z, y: 0.5 * (z - y).square().mean(),
        lambda z, y: (z - y).square().sum(),
        lambda z, y: (z - y).square().sum() / N,
    ],
)
@pytest.mark.parametrize("outputs", [1, 5])
def test_squared_errors_show_their_targets(loss_of, outputs):
    values = VALUES.expand(N, outputs) + torch.arange(outputs)
    view = seen(lambda z: loss_of(z, values), (N, outputs))
    assert view.kind is Loss.SQUARED_ERROR
    assert np.abs(view.targets - values.numpy()).max() < 1e-3


@pytest.mark.parametrize(("scale", "known"), [(100.0, True), (1e10, False)])
def test_targets_that_are_rounded_away_beside_huge_outputs_are_not_known(scale, known):
    view = seen(lambda z: F.mse_loss(z, VALUES.expand(N, 1)), (N, 1), scale=scale)
    assert view.kind is Loss.SQUARED_ERROR
    assert (view.targets is not None) == known


@pytest.mark.parametrize("rows", [None, 8])
@pytest.mark.parametrize("divergence", [0.0, 3.0])
def test_a_binary_loss_of_pixels_is_no_squared_error(rows, divergence):
    pixels = torch.rand(N, CLASSES, generator=torch.Generator().manual_seed(1)) ** 3

    def loss(p):
        return F.binary_cross_entropy(p, pixels, reduction="sum") + divergence * N

    for scale in (0.1, 0.3, 1.0, 2.0):
        view = seen(loss, scale=scale, activate=torch.sigmoid, rows=rows)
        assert view.kind is Loss.UNKNOWN


def test_squared_errors_of_probabilities_stay_squared_errors():
    pixels = torch.rand(N, CLASSES, generator=torch.Generator().manual_seed(1))
    for reduction in ("mean", "sum"):
        view = seen(lambda p: F.mse_loss(p, pixels, reduction=reduction), activate=torch.sigmoid)  # noqa: B023
        assert view.kind is Loss.SQUARED_ERROR
        np.testing.assert_allclose(view.targets, pixels, atol=1e-5)


def test_absolute_errors_show_how_far_the_targets_are():
    view = seen(lambda z: F.l1_loss(z, VALUES + 1000), (N, 1))
    assert view.kind is Loss.ABSOLUTE_ERROR
    assert 990 < view.targets.mean() < 1010


def test_outputs_compared_with_the_targets_of_all_samples_are_told():
    view = seen(lambda z: (z - VALUES[:, 0]).square().mean(), (N, 1))
    assert view.broadcast
    assert view.targets.mean() == pytest.approx(VALUES.mean().item())
    assert view.targets.std() == pytest.approx(VALUES.std(correction=0).item(), rel=1e-4)
    assert not seen(lambda z: (z - VALUES).square().mean(), (N, 1)).broadcast


def test_absolute_errors_against_the_targets_of_all_samples_are_told():
    view = seen(lambda z: (z - VALUES[:, 0]).abs().mean(), (N, 1))
    assert view.kind is Loss.ABSOLUTE_ERROR
    assert view.broadcast
    assert not seen(lambda z: (z - VALUES).abs().mean(), (N, 1)).broadcast


def test_outputs_that_are_all_the_same_are_not_taken_for_broadcast():
    view = seen(lambda p: F.mse_loss(p, BITS), (N, 1), activate=torch.ones_like)
    assert not view.broadcast


@pytest.mark.parametrize(
    ("kind", "shape", "loss_of"),
    [
        (Loss.CROSS_ENTROPY, (N, CLASSES), lambda z: -F.cross_entropy(z, LABELS)),
        (Loss.CROSS_ENTROPY, (N, 2), lambda z: -F.cross_entropy(z, LABELS % 2)),
        (Loss.BINARY_LOGITS, (N, 1), lambda z: -F.binary_cross_entropy_with_logits(z, BITS)),
        (Loss.SQUARED_ERROR, (N, 1), lambda z: -F.mse_loss(z, VALUES)),
    ],
)
def test_a_loss_with_its_sign_turned_is_told_by_its_kind(kind, shape, loss_of):
    view = seen(loss_of, shape)
    assert view.kind is kind
    assert view.negated
    assert not seen(lambda z: -loss_of(z), shape).negated


def test_the_log_probability_of_the_target_is_a_loss_with_its_sign_turned_and_a_density_is_none():
    def at_target(z):
        return z.gather(1, LABELS[:, None]).mean()

    view = seen(at_target, activate=lambda z: z.log_softmax(1))
    assert (view.kind, view.negated) == (Loss.LOG_LIKELIHOOD, True)
    assert not seen(lambda z: -at_target(z), activate=lambda z: z.log_softmax(1)).negated
    assert not seen(at_target, activate=lambda z: -z.square() - 1).negated
    returns = torch.linspace(0.5, 2, N)[:, None]
    drawn = seen(
        lambda z: (returns * z.gather(1, LABELS[:, None])).mean(),
        activate=lambda z: z.log_softmax(1),
    )
    assert not drawn.negated


@pytest.mark.parametrize(("times", "told"), [(2.0**16, True), (2.0**4, False), (3e4, False)])
def test_a_squared_error_is_told_through_a_gradient_scalers_factor(times, told):
    torch.manual_seed(0)
    output = torch.randn(N, 1, requires_grad=True)
    loss = F.mse_loss(output, VALUES)
    slope = torch.autograd.grad(loss, output)[0].double() * times
    square = slope.square().sum().item()
    view = view_loss(output.detach().double().numpy(), slope.numpy(), N, loss.item(), square)
    assert (view.kind is Loss.SQUARED_ERROR) == told
    if told:
        assert view.reduction == times
        assert np.allclose(view.targets, VALUES.numpy(), atol=1e-5)


def test_a_function_of_each_cross_entropy_is_none_with_its_sign_turned():
    def focal_of_the_loss_itself(z):
        each = F.cross_entropy(z, LABELS, reduction="none")
        return -((1 - each).square() * each.log()).mean()

    weights = torch.linspace(0.2, 3, CLASSES)
    weighted = seen(lambda z: -F.cross_entropy(z, LABELS, weights), (N, CLASSES))
    assert weighted.negated
    assert not seen(lambda z: focal_of_the_loss_itself(3 * z), (N, CLASSES)).negated


def test_a_negative_loss_of_wrong_targets_is_not_taken_for_a_turned_sign():
    view = seen(lambda z: F.binary_cross_entropy_with_logits(3 + z, BITS + 1) - 9, (N, 1))
    assert not view.negated


def test_a_part_of_the_samples_tells_the_same():
    view = seen(lambda z: F.cross_entropy(z, LABELS), rows=9)
    assert view.kind is Loss.CROSS_ENTROPY
    assert view.reduction == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_a_part_of_the_samples_tells_a_squared_error_as_surely_as_all(factor):
    view = seen(lambda z: factor * (z - VALUES).square().mean(), (N, 1), rows=9)
    assert view.kind is (Loss.SQUARED_ERROR if factor == 1 else Loss.UNKNOWN)


def test_other_losses_are_not_taken_for_one_of_these():
    assert seen(lambda z: z.square().mean() + z.mean()).kind is Loss.UNKNOWN
    assert seen(lambda z: torch.relu(1 - z).mean()).kind in (Loss.UNKNOWN, Loss.ABSOLUTE_ERROR)
    assert seen(lambda z: (z.sin() * z).sum()).kind is Loss.UNKNOWN
    assert seen(lambda z: z.mean()).kind is not Loss.SQUARED_ERROR


@pytest.mark.parametrize("penalty", [0.0, 0.01])
def test_a_hinge_loss_of_labels_0_and_1_is_told_and_one_of_minus_1_and_1_is_another(penalty):
    def hinge(targets):
        return lambda z: torch.clamp(1 - targets * z, min=0).mean() + penalty

    assert seen(hinge(BITS), (N, 1), scale=0.5).kind is Loss.HINGE_OF_BITS
    assert seen(hinge(2 * BITS - 1), (N, 1), scale=0.5).kind is not Loss.HINGE_OF_BITS
    masked = seen(lambda z: (BITS * (z - 5).abs()).mean(), (N, 1), scale=0.5)
    assert masked.kind is not Loss.HINGE_OF_BITS


@pytest.mark.parametrize("shape", [(N, 1), (N, CLASSES)])
def test_a_binary_loss_that_cuts_its_probabilities_off_is_told_by_those_within(shape):
    bits = (torch.arange(shape[0] * shape[1]) % 2).float().reshape(shape)

    def cut(z):
        p = z.clamp(1e-7, 1 - 1e-7)
        return -(bits * p.log() + (1 - bits) * (1 - p).log()).mean()

    assert seen(cut, shape, scale=0.7).kind is Loss.BINARY
    assert seen(lambda z: F.mse_loss(z.clamp(0, 1), bits), shape, scale=0.7).kind is not Loss.BINARY


def test_a_binary_loss_that_weights_a_class_does_not_show_targets_beyond_its_own():
    weight = torch.tensor([500.0])
    for scale in (0.5, 2.0, 6.0):
        view = seen(
            lambda z: F.binary_cross_entropy_with_logits(z, BITS, pos_weight=weight),
            (N, 1),
            scale=scale,
            activate=lambda z: z + 4,
        )
        assert view.kind is Loss.BINARY_LOGITS
        assert set(view.targets.ravel()) == {0.0, 1.0}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_binary_loss_of_standardised_pixels_shows_targets_beyond_0_and_1(reduction):
    pixels = torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(4))

    def of_shares(p):
        each = -(pixels * p.log() + (1 - pixels) * (1 - p).log())
        return each.mean() if reduction == "mean" else each.sum()

    share = seen(of_shares, activate=torch.sigmoid)
    logits = seen(lambda z: F.binary_cross_entropy_with_logits(z, pixels, reduction=reduction))
    assert (share.kind, logits.kind) == (Loss.BINARY, Loss.BINARY_LOGITS)
    assert np.allclose(share.targets, pixels, atol=1e-3)
    assert np.allclose(logits.targets, pixels, atol=1e-3)
    assert share.reduction == pytest.approx(1 if reduction == "mean" else N * CLASSES, rel=1e-3)


def test_a_divergence_from_smooth_targets_does_not_come_through_a_softmax():
    smooth = 0.9 * F.one_hot(LABELS, CLASSES) + 0.1 / CLASSES
    view = seen(
        lambda p: F.kl_div(p, smooth, reduction="batchmean"),
        scale=0.05,  # nearly even shares, as at the start
        activate=lambda z: z.log_softmax(1),
    )
    assert not view.activated


def test_a_loss_that_is_infinite_tells_nothing():
    view = seen(lambda z: F.mse_loss(z, VALUES), (N, 1), activate=lambda z: -1e23 * z.abs())
    assert view.kind is not Loss.BINARY_LOGITS


@pytest.mark.parametrize("reduction", ["batchmean", "sum"])
def test_a_divergence_from_smooth_targets_is_told_whatever_its_output_is(reduction):
    smooth = 0.9 * F.one_hot(LABELS, CLASSES) + 0.1 / CLASSES
    for activate in (lambda z: z.softmax(1), lambda z: z.log_softmax(1), None):
        view = seen(lambda p: F.kl_div(p, smooth, reduction=reduction), activate=activate)
        assert view.kind is Loss.LOG_LIKELIHOOD
        assert not view.activated


SOLD = torch.arange(N)[:, None] % 5 * 3.0


def percentage(targets, factor=1.0, reduced=torch.mean):
    return lambda z: factor * reduced((z - targets).abs() / targets.abs().clamp_min(1e-7))


@pytest.mark.parametrize("sold", [SOLD, SOLD + 2, -SOLD - 9], ids=["zeros", "none", "below"])
@pytest.mark.parametrize(
    ("factor", "reduced"), [(1, torch.mean), (100, torch.mean), (1, torch.sum)]
)
def test_a_percentage_error_is_told_with_its_targets(sold, factor, reduced):
    view = seen(percentage(sold, factor, reduced), (N, 1))
    assert view.kind is Loss.PERCENTAGE_ERROR
    times = view.targets[-1] / sold[-1].item()  # what makes all of the loss hides the factor
    assert view.targets == pytest.approx(times * sold.numpy(), abs=1e-4)
    assert times == pytest.approx(1) or 0 in sold
    assert (share_of_zeros(view.targets) > 0.999) == (0 in sold)


def test_other_errors_are_no_percentage_error():
    weights = torch.rand(N, 1, generator=torch.Generator().manual_seed(2)) + 0.1
    others = (
        lambda z: (z - VALUES).abs().mean(),
        lambda z: (weights * (z - VALUES).abs()).mean(),
        lambda z: ((z - VALUES) / (VALUES + 4)).square().mean(),
        lambda z: F.smooth_l1_loss(z, VALUES),
        lambda z: (z - VALUES).square().mean() + 0.1,
    )
    assert all(seen(loss_of, (N, 1)).kind is not Loss.PERCENTAGE_ERROR for loss_of in others)


def test_a_norm_of_errors_over_that_of_targets_is_no_percentage_error_of_small_outputs():
    times = 2 * torch.arange(N) / N
    waves = torch.tensor([[1.0], [-2.0], [0.5]]) * torch.sin(torch.pi * times)  # 0 at its ends

    def relative(z):
        return ((z - waves).norm(dim=1) / waves.norm(dim=1)).mean()

    for scale in (1e-5, 1e-4, 1e-3):
        assert seen(relative, (3, N), scale=scale).kind is Loss.UNKNOWN
    for scale in (1e-3, 0.05):
        view = seen(percentage(SOLD), (N, 1), scale=scale)
        assert view.kind is Loss.PERCENTAGE_ERROR
        assert share_of_zeros(view.targets) > 0.999


def test_squares_of_outputs_beside_other_terms_are_no_error_whatever_they_add_up_to():
    def density(z):
        likely = z.square().sum(1).mean() / 2
        return likely + likely.detach()  # as large as half the mean square of an error from -z

    assert seen(density, (N, 2)).kind is Loss.UNKNOWN
    assert seen(lambda z: F.mse_loss(z, torch.zeros_like(z))).kind is Loss.SQUARED_ERROR


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_squares_of_outputs_and_a_number_are_no_error_of_all_pairs(outputs):
    """As the density of a flow whose volume changes alike everywhere."""
    assert seen(lambda z: z.square().mean() + 1.5, (N, outputs)).kind is Loss.UNKNOWN
    targets = VALUES[:, 0] - VALUES.mean() + 0.1
    assert seen(lambda z: (z - targets).square().mean(), (N, 1)).broadcast


@pytest.mark.parametrize(("sign", "kind"), [(1, Loss.LOG_OF_OUTPUT), (-1, Loss.LOG_LIKELIHOOD)])
def test_the_logarithm_of_equal_probabilities_is_told_from_minus_these_by_its_value(sign, kind):
    def loss(p):
        at = p.gather(1, LABELS[:, None])
        return -at.log().sum() if sign > 0 else -at.sum()

    view = seen(loss, activate=lambda z: torch.full_like(z, 1 / CLASSES))
    assert view.kind is kind
    assert view.reduction == pytest.approx(N)


@pytest.mark.parametrize("square", [np.inf, 1e308, np.nan])
def test_slopes_whose_squares_overflow_tell_no_squared_error(square):
    output = np.random.default_rng(0).normal(size=(N, 3))
    view = view_loss(output, output * 1e9 + 1e9, N, 1.0, square)
    assert view.kind is not Loss.SQUARED_ERROR
