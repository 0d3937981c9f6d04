"""What a finding's first remedy says, done to a training by a program, where a program can."""

import math
import re
from dataclasses import replace

import torch
from torch import nn

from tests.diagnose.programs import loss_remedies as losses
from tests.diagnose.programs import network_remedies as network
from tests.diagnose.programs import optimizer_remedies as optimizer
from tests.diagnose.programs.remedy import Remedy


def remedy_for(finding):
    """The remedy of a finding; None where it takes a person: to look at data, to rewrite a loss."""
    return _BY_RULE.get(finding.rule, lambda _: None)(finding)


def _of_text(*known):
    """By what the remedy says: (words, remedy)."""

    def choose(finding):
        return next((made(finding) for words, made in known if words in finding.remedy), None)

    return choose


def _of(**change):
    return lambda _: Remedy(**change)


_FASTER = lambda _: optimizer.rate_times(10)  # noqa: E731
_SLOWER = lambda _: replace(  # noqa: E731
    optimizer.rate_times(0.1), again=optimizer.rate_times(0.01)
)
_AS_MANY_TIMES = lambda finding: optimizer.rate_times(  # noqa: E731
    float(re.search(r"(\d+) times larger: ", finding.remedy)[1])
)
_KAIMING = lambda _: network.started(nn.init.kaiming_normal_)  # noqa: E731
_XAVIER = lambda _: network.started(nn.init.xavier_normal_)  # noqa: E731

_STARTS = (
    ("more units, or fewer layers", lambda _: None),  # for a person
    ("nn.Tanh()", network.tanh_for_sigmoid),
    ("orthogonal", lambda _: network.started(nn.init.orthogonal_)),
    ("kaiming", _KAIMING),
    ("xavier", _XAVIER),
)
_ERRORS = ("mse_loss", "l1_loss")
_NO_FUNCTION = _of(network=network.last_function(nn.Identity()))

_BY_RULE = {
    "attention_collapse": _of_text(
        ("smaller weights for queries", network.smaller_large_weights), ("a tenth of", _SLOWER)
    ),
    "attention_logit_growth": _SLOWER,
    "input_scale": _of_text(("standard", network.standardised_inputs)),
    "large_weights": network.smaller_large_weights,
    "loss_after_activation": _of_text(
        ("Softmax(1) as the last", _of(network=network.last_function(nn.Softmax(1)))),
        (
            "a sigmoid of the outputs",
            _of(network=network.after_the_network(torch.sigmoid), comparable=False),
        ),
        ("off the network's end", _NO_FUNCTION),
    ),
    "loss_broadcast": _of(losses=dict.fromkeys((*_ERRORS, "huber_loss"), losses.of_one_shape)),
    "negative_loss": _of_text(
        ("turn the sign", _of(sign=-1.0)),
        ("minus the cosine", _of(sign=-1.0)),
        (
            "log_softmax before",
            _of(
                network=network.last_function(nn.LogSoftmax(1)),
                losses={"kl_div": losses.of_logarithms},
            ),
        ),
    ),
    "next_token": _of_text(
        ("shift the targets by one", _of(losses={"cross_entropy": losses.shifted})),
        ("a causal mask", network.causal_mask),
        ("ignore_index", lambda _: Remedy(losses={"cross_entropy": losses.without_padding()})),
    ),
    "outputs_alike": _of_text(
        ("labels of -1", _of(losses={"cosine_embedding_loss": losses.of_signs}))
    ),
    "target_out_of_range": _of_text(
        (
            "for a regression, mse_loss",
            _of(
                network=network.last_function(nn.Identity()),
                losses={"binary_cross_entropy": losses.squared},
            ),
        ),
        ("no function after", _NO_FUNCTION),
        (
            "several labels, no softmax",
            _of(
                network=network.last_function(nn.Identity()),
                losses=dict.fromkeys((*_ERRORS, "binary_cross_entropy"), losses.each_label),
            ),
        ),
    ),
    "target_scale": lambda _: Remedy(losses=dict.fromkeys(_ERRORS, losses.of_scaled_targets())),
    "softmax_of_one": _of_text(
        ("a sigmoid in its place", _of(network=network.last_function(nn.Sigmoid()))),
        ("no function in its place", _NO_FUNCTION),
        ("binary_cross_entropy_with_logits", _of(losses={"cross_entropy": losses.binary})),
    ),
    "softmax_over_batch": network.softmax_over_classes,
    "sequence_over_batch": _of_text(
        ("an encoding of places", lambda _: None),  # of another shape as well
        ("no sequence yet", lambda _: None),
        ("or batch_first=False", network.batch_first(False)),
        ("batch_first=True", network.batch_first(True)),
    ),
    "not_optimized": optimizer.given_to_the_optimizer,
    "not_registered": _of_text(("ModuleList", optimizer.given_to_the_optimizer)),
    "no_gradient": _of_text(
        ("before loss.backward(), not between", optimizer.cleared_after_the_step)
    ),
    "gradients_accumulate": lambda _: Remedy(
        after_step=optimizer.cleared, again=Remedy(network=optimizer.cleared_before_each_pass)
    ),
    "gradients_lost": _of_text(
        ("zero_grad() once a step", optimizer.cleared_after_the_step),
        ("clip gradients", optimizer.clipped_in_time),
    ),
    "optimizer_averages": _of_text(
        ("make the optimizer once", optimizer.made_once),
        ("betas=(0.9, 0.999)", lambda _: optimizer.group(betas=(0.9, 0.999))),
        ("eps=1e-8", lambda _: optimizer.group(eps=1e-8)),
    ),
    "in_evaluation_mode": lambda finding: (
        None
        if "model.eval()" in finding.remedy
        else Remedy(network=nn.Module.train, each_step=lambda _, model: model.train())
    ),
    "running_statistics": _of_text(("momentum=", network.with_running_statistics)),
    "updates_rounded_away": network.in_float32,
    "constant_weights": _KAIMING,
    "biased": network.zero_biases,
    "overconfident_start": _of_text(
        ("smaller weights in all", _KAIMING),
        ("smaller weights", network.smaller_last),
        ("biases of 0", network.small_last_biases),
    ),
    "linear_chain": network.with_functions_between,
    "dropout_high": _of_text(("a probability of", network.less_dropout)),
    "experts_unused": network.balanced,
    "loss_reduction": lambda finding: (
        None
        if "the criterion itself" in finding.remedy
        else optimizer.with_divided_gradients(finding.value)
        if "scaler.step" in finding.remedy
        else optimizer.rate_times(
            finding.value if "once more" in finding.explanation else 1 / finding.value
        )
    ),
    "loss_diverged": _SLOWER,
    "loss_rising": _of_text(("maximize=False", lambda _: optimizer.group(maximize=False))),
    "loss_not_falling": _of_text(
        (
            "on outputs without that function",
            lambda _: Remedy(
                network=losses.without_function,
                losses=dict.fromkeys(_ERRORS, losses.entropy_for_error),
            ),
        ),
        ("ten times what it is", _FASTER),
        ("hundred times what it is", lambda _: optimizer.rate_times(100)),
        ("times larger: ", _AS_MANY_TIMES),
    ),
    "update_too_large": _SLOWER,
    "update_too_small": lambda finding: (
        optimizer.rate_times(10.0 ** (-3 - round(finding.value)))
        if math.isfinite(finding.value)
        else optimizer.group(lr=1e-3)
    ),
    "stalled": _of_text(("the same optimizer.lr", optimizer.every_step(optimizer.same_rates))),
    "learning_rate_gone": _of_text(
        ("a warm-up of a tenth", lambda _: None),
        ("first_lr * factor", optimizer.every_step(optimizer.held_rate)),
        ("once an epoch", optimizer.every_step(optimizer.held_rate)),
    ),
    "weights_decay_to_zero": optimizer.less_decay,
    "gradient_spike": optimizer.every_step(optimizer.clipped),
    "saturated": _of_text(
        ("smaller optimizer.lr", _SLOWER),
        ("smaller inputs to 00", network.standardised_inputs),
        *_STARTS,
    ),
    "dead_units": _of_text(("a tenth of", _SLOWER), *_STARTS),
    "idle": _of_text(*_STARTS),
    "collapsed": _of_text(*_STARTS),
    "vanishing_gradient": _of_text(*_STARTS),
    "exploding_gradient": _of_text(*_STARTS),
    "not_finite": _of_text(
        ("eps that its type can hold", lambda _: optimizer.group(eps=1e-4)),
        ("a smaller optimizer.lr;", _SLOWER),
    ),
}


def improved(before, after):
    """Whether a loss, or what stands for one, is lower by more than 5 % of its size; NaN is none.

    >>> improved(2.0, 1.8), improved(2.0, 1.95), improved(math.nan, 3.0), improved(1.0, math.nan)
    (True, False, True, False)
    """
    if not math.isfinite(after):
        return False
    return not math.isfinite(before) or after < before - 0.05 * abs(before)
