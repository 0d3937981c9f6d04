"""A loss or a gradient that is some times as large as that of a mean: a sum, say, or a power."""

import re

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.in_each_look import LOOKS
from layerscope.diagnose.questions.recurrent import is_recurrent
from layerscope.diagnose.questions.solved import is_learning
from layerscope.diagnose.questions.summed_loss import TIMES, is_scaled, is_summed

_PASSES = 4
"""Fewer may be of a loss each, and none of them a part of a batch."""

_MEAN = 0.01
"""How far from 1 the loss / its mean may be: weights that differ, rounding."""

_SEVERAL = 8
"""Samples of a batch: of fewer one may be all that has a label."""

_CRITERION = (
    "the criterion itself as the loss: its least is at the same outputs, and its gradients do not "
    "grow with it"
)


@rule_of_run("loss_reduction", looks_at=("loss_reduction", "loss_raised", "ignored_share"))
def loss_reduction(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """The loss / the mean over its samples; or by what else gradients are too large or small."""
    times = figures["loss_reduction"].astype(np.float64)
    summed, scaled = is_summed(figures), is_scaled(figures)
    scaled &= memory.known("divided", figures["gradients_divided"]) == 1
    with_betas = memory.known("betas", figures["squares_averaged"]) > 0
    passes = np.where(np.abs(times - 1) < _MEAN, figures["passes"], np.nan)
    added = (passes >= _PASSES) & ~with_betas & memory.loss_curve.of(figures).alone
    # Of several passes each is a part of the mean.
    again = (np.abs(times * figures["samples"] - 1) < _MEAN) & (figures["passes"] <= 1)
    again &= (figures["samples"] > TIMES) & ~with_betas
    curve = memory.loss_curve.of(figures)
    stays = (curve.known >= thresholds.patience) & ~is_learning(figures, memory)
    power, loss = figures["loss_raised"].astype(np.float64), figures["loss"]
    loss = np.minimum(loss, np.finfo(np.float32).max)  # JSON has no infinity
    of_power = (power > 1) & (loss > 0)
    of_exp = (power == 1) & (loss >= 1)
    slopes = np.where(of_exp, loss, power * np.fmax(loss, 0) ** (1 - 1 / np.fmax(power, 1)))
    in_loss = (1 - figures["ignored_share"]) * figures["samples"]
    of_one = (np.round(in_loss) == 1) & (figures["samples"] >= _SEVERAL)
    times = np.select(
        (of_one, of_exp | of_power, added, again),
        (figures["samples"], slopes, passes, figures["samples"]),
        times,
    )
    return Symptoms.of_run(
        "loss",
        times,
        np.where(
            (scaled & ~with_betas) | (again & stays) | (of_one & _each_alone(memory.roles)),
            2,
            np.where(summed | added | scaled | again | of_exp | of_power | of_one, 1, 0),
        ),
        Advice(
            "the loss is a sum over the batch, {value:.4g} times the mean: the gradients are as "
            "many times larger, and grow with the batch",
            "reduction='mean', or an optimizer.lr divided by {value:.4g}",
        ),
        Advice(
            "each step adds up the gradients of {value:.0f} backward passes, and each is of a mean "
            "over its own samples: the step is {value:.0f} times as large as that of one batch",
            "(loss / {value:.0f}).backward() where gradients are accumulated, or an optimizer.lr "
            "divided by {value:.0f}",
        ),
        Advice(
            "the gradients that the optimizer gets are {value:.0f} times those of the loss: a "
            "gradient scaler has multiplied the loss, and nothing divides them by it again",
            "scaler.step(optimizer) and scaler.update() in the place of optimizer.step(); and "
            "scaler.unscale_(optimizer) before gradients are clipped",
            (TIMES, TIMES, np.nan),
        ),
        Advice(
            "the loss is the mean over {value:.0f} samples, divided by their number once more: the "
            "gradients are {value:.0f} times smaller than those of the mean",
            "the loss itself, which is a mean already, and not loss / {value:.0f}",
            (TIMES, TIMES, np.nan),
        ),
        Advice(
            "the loss is exp() of a criterion: the gradients are {value:.3g} times the criterion's "
            "own, and grow with it without bound",
            f"{_CRITERION}: no torch.exp() around it",
            (0.0, np.nan, np.nan),
        ),
        Advice(
            "the loss is a power of a criterion: the gradients are {value:.3g} times the "
            "criterion's own, and grow with it",
            f"{_CRITERION}: no ** around it",
            (0.0, np.nan, np.nan),
        ),
        Advice(
            "the loss is that of one sample: of {value:.0f} in each batch only one gets a gradient",
            "criterion(outputs, targets) of the whole batch, not of outputs[0] or outputs[-1]; in "
            "a loop over samples add their losses up, and divide by their number; change nothing "
            "if these are the steps of one sequence, of which the last is judged",
            (_SEVERAL - 1.0, _SEVERAL - 1.0, np.nan),
        ),
        limits=(TIMES, np.nan, np.nan),
        source="Goyal et al. 2017, section 2.1: the loss is a mean, or lr follows the batch",
        lasting=LOOKS,
        cause=np.select((of_one, of_exp, of_power, scaled, again), (6, 4, 5, 2, 3), added),
    )


def _each_alone(roles: Roles) -> bool:
    """Whether no layer mixes the rows of a batch as steps of one sequence: what the network makes
    of the others is then for nothing.
    """
    return not any(
        is_recurrent(each) or _MIXES.search(each.name + each.module) for each in roles.layers
    )


_MIXES = re.compile("attention|attn|Embedding|Conv1d")
