"""A layer that is to be trained and gets no gradient: because of what, and where it was lost."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.missing_gradients import (
    are_cleared,
    are_places_alike,
    are_spent,
    cancelled_gradients,
    follow_by_hand,
    is_fed_zeros,
    without_any,
    without_tokens,
)
from layerscope.diagnose.questions.recurrent import recurrences
from layerscope.diagnose.questions.solved import is_solved

_ZERO, _NONE, _CLEARED, _CUT_OFF, _ONE_STEP, _FLAT, _BESIDE = range(7)
_CANCELLED, _IN_PART, _OF_SLOPES, _FLAT_PART, _FED_ZEROS, _PLACELESS, _IN_CHECKPOINT = range(7, 14)
_DETACHED, _TIMES_ZERO = 14, 15


def _remedy_beside(facts: LayerFacts) -> str:
    if facts.end or facts.last:
        return (
            "see that the sum that makes the loss has a term for each output that the network "
            "returns; leave the layer out if its output is not needed"
        )
    return (
        "leave it out if its output is not needed, such as the last of several that each hand on "
        "what they leave; else look for a detach(), .data or argmax behind it"
    )


_ADVICE = (
    Advice(
        "no gradient reaches {layer}: not one element of its weights has moved",
        "look for what has a slope of 0 between it and the loss: units that are all dead, round, "
        "sign, argmax, a clamp, a mask or a factor of 0; then for a detach(), and for gradients "
        "cleared between backward and step",
    ),
    Advice(
        "backward leaves no gradient at {layer}",
        "look for a detach(), .data or no_grad between it and the loss; see that the parameters "
        "are the ones that the forward pass uses",
    ),
    Advice(
        "backward reaches {layer}, but its gradient is gone when the optimizer takes its step, and "
        "so are all others",
        "optimizer.zero_grad() before loss.backward(), not between it and optimizer.step()",
    ),
    Advice(
        "backward reaches no layer at all, {layer} included: what it starts "
        "from is not made of the network's output",
        "call backward on the loss itself: torch.tensor(loss), loss.item(), loss.data and detach() "
        "cut it off the network; so does a forward pass under no_grad",
    ),
    Advice(
        "no gradient reaches {layer}, though the weights of the inputs get one: the recurrence is "
        "not used, because sequences have one step, or the loss sees only their first",
        "inputs of [samples, time, features] with batch_first=True, and the output of the last "
        "step, out[:, -1], not out[:, 0] or out[0]",
    ),
    Advice(
        "no gradient reaches {layer}, since step {step}, nor any other layer: the loss is flat "
        "where all outputs of the network lie",
        "look for a clamp, round, comparison or argmax in the loss: binary_cross_entropy_with_"
        "logits and cross_entropy take any output, a clamp of probabilities only those between 0 "
        "and 1",
    ),
    Advice(
        "backward leaves no gradient at {layer}: it gets the outputs of other layers, but nothing "
        "of its own outputs reaches the loss",
        _remedy_beside,
    ),
    Advice(
        "the gradients that come to the outputs of {layer}, and of all other layers, add up to "
        "exactly 0 in their weights: the loss subtracts the network's output from itself",
        "detach() one of the two: the log-probabilities of the old policy as they were when the "
        "actions were drawn, or a target, computed once under no_grad",
    ),
    Advice(
        "the gradients that come to the outputs of {layer}, and of all other layers of this part "
        "of the network, add up to exactly 0 in their weights: the loss subtracts the part's "
        "output from itself",
        "detach() one of the two, such as the log-probabilities of the old policy; or "
        "requires_grad_(False) if the part is not to learn",
    ),
    Advice(
        "the gradients of {layer}, and of all other layers, are exactly 0: the loss is made of "
        "the derivative of the output by the inputs (autograd.grad), and functions like ReLU have "
        "a second derivative of 0, whatever the weights",
        "nn.Tanh(), nn.SiLU() or nn.Softplus() in the place of ReLU, where a loss has second "
        "derivatives",
    ),
    Advice(
        "the gradient that comes to the output behind {layer} is exactly 0, since step {step}, "
        "while other parts of the network get one: this part's term of the loss is flat, or its "
        "targets are what the network itself has given",
        "print the targets of that term beside the outputs: those that are made of the network's "
        "own values, as an agent's returns are of values and advantages, need something that was "
        "observed; else look for a clamp, round, comparison or argmax in the term, or a factor of "
        "0",
    ),
    Advice(
        "the outputs of {layer} get a gradient and its weights do not, so all of its inputs are 0, "
        "in every sample",
        "give it what it is to learn from: a decoder its targets, shifted by one, in the place of "
        "torch.zeros; or leave it out where nothing is to come to it",
    ),
    Advice(
        "the outputs of {layer} get a gradient and its weights do not, so all of its inputs are 0, "
        "in every sample; and an attention gets the same at each place, so each place of the "
        "output is the same",
        "give a decoder its targets, shifted by one, in the place of torch.zeros; or, where it is "
        "to give all places at once, an encoding of positions",
    ),
    Advice(
        "backward leaves no gradient at {layer}: it runs under torch.utils.checkpoint with "
        "use_reentrant=True, and nothing that it gets requires a gradient",
        "checkpoint(..., use_reentrant=False); or requires_grad_() of what goes in, as Hugging "
        "Face's model.enable_input_require_grads() does behind a frozen embedding",
    ),
    Advice(
        "{layer} gets no gradient: the forward pass takes its values through detach() or .data",
        "the parameter itself in forward(), without .detach() or .data; or "
        "requires_grad_(False) if it is to stay as it is",
    ),
    Advice(
        "no gradient reaches {layer}, whose weights are all 0: if what they are multiplied with is "
        "0 as well, neither of the two ever moves",
        "small random numbers in one of the two at least: nn.init.normal_(layer.weight, std=0.1)",
    ),
)
_BY_FORWARD = 2
"""Of the figure `no_gradient`."""
_PIECEWISE = ("relu", "leaky_relu", "prelu", "relu6", "hardtanh", "hardshrink", "threshold")
"""Functions whose second derivative is 0."""


@rule_with_memory("no_gradient")
def no_gradient(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A layer that forward passes reach, with trained weights and a gradient of exactly 0, or none
    at all, for `warm_up` steps in a row; or a parameter that they detach, and that gets none.
    """
    roles = memory.roles
    rms = figures["weight_grad_rms"]
    reached = np.array([facts.order >= 0 for facts in roles.layers])
    of_state, of_inputs, through = recurrences(roles)
    detached = memory.known_of_layers("detached", figures["no_gradient"]) == _BY_FORWARD
    judged = _judged(roles) * np.where(reached | detached, 1, np.nan)
    none = without_any(figures, memory.of_layers("none")[0]) | are_cleared(figures)
    values = np.where(none, 0.0, rms) * judged
    values[follow_by_hand(figures, none, memory)] = np.nan
    values[are_spent(figures, memory)[:, np.newaxis] & (rms == 0)] = np.nan
    values[:, of_state] = np.where(rms[:, of_inputs] > 0, rms[:, of_state], np.nan)
    values[:, through] = np.where(none[:, through], 0.0, np.nan)
    changed = memory.known("changed", figures["gradients_changed"])[:, np.newaxis]
    values[(figures["weight_grad_nonfinite"] > 0) | (figures["activation_nonfinite"] > 0)] = np.nan
    learns = (figures["loss"] != 0) & ~is_solved(figures, memory)
    values[~learns[:, np.newaxis] & (values == 0)] = np.nan  # it says nothing of such a step
    left_out = without_tokens(figures, memory)  # at each block: it remembers
    weights = memory.known_of_layers("size", figures["weight_rms"])
    ill = values == 0
    if not ill.any():
        return Symptoms(values)
    fed = figures["activation_grad_rms"] > 0
    everywhere = (none | np.isnan(judged)).all(axis=1, keepdims=True)
    lone = _begin(roles)
    beside = none & ~(none & lone).any(axis=1, keepdims=True) & ~everywhere
    came = (fed & ~np.isnan(judged)).any(axis=1, keepdims=True)
    cause = np.where(everywhere, np.where(came, _CLEARED, _CUT_OFF), np.where(none, _NONE, _ZERO))
    cause = np.where((weights == 0) & (cause == _ZERO), _TIMES_ZERO, cause)
    cause = np.where(beside, _BESIDE, cause)
    cause[:, of_state] = _ONE_STEP
    cancelled, of_part = cancelled_gradients(figures, values, none, roles)
    of_part &= ~cancelled & (changed != 1)
    of_slopes = (memory.known("slopes", figures["slopes_taken"]) == 1)[:, np.newaxis]
    piecewise = any(each.nonlinearity in _PIECEWISE for each in roles.layers)
    flat_slopes = of_slopes & piecewise & (ill | np.isnan(values)).all(axis=1, keepdims=True)
    # One that asks for gradients several times in a step leaves outputs and weights of others.
    several = (memory.known("asks", figures["wants_all_data"]) == 1)[:, np.newaxis]
    cancelled, of_part = (each & ~(of_slopes | several) for each in (cancelled, of_part))
    cause = np.where(cancelled & (cause == _ZERO), _CANCELLED, cause)
    cause = np.where(of_part & (cause == _ZERO), _IN_PART, cause)
    cause = np.where((changed == 1) & (cause == _CANCELLED), _CLEARED, cause)
    if figures.steps[0] == 0 and np.isnan(changed[0]):  # the next step tells by whom
        untold = np.isin(cause[0], (_CANCELLED, _IN_PART))
        values[0, untold], ill[0, untold] = np.nan, False
    last = roles.last
    if last >= 0:  # where a gradient of zero comes to the last layer of all
        flat = (figures["activation_grad_rms"][:, [last]] == 0) & ~none[:, [last]]
        whole = (ill | np.isnan(values)).all(axis=1, keepdims=True)
        cause = np.where(flat & (cause == _ZERO), np.where(whole, _FLAT, _FLAT_PART), cause)
    cause = np.where(flat_slopes, _OF_SLOPES, cause)
    fed_zeros = is_fed_zeros(figures, roles) & (cause == _ZERO)
    cause = np.where(fed_zeros, _FED_ZEROS, cause)
    placeless = fed_zeros & memory.ever("placeless", are_places_alike(figures, roles))[:, None]
    cause = np.where(placeless, _PLACELESS, cause)
    in_checkpoint = none & np.array([facts.in_checkpoint for facts in roles.layers])
    cause = np.where(in_checkpoint, _IN_CHECKPOINT, cause)
    cause = np.where(none & detached, _DETACHED, cause)
    beside &= ~(in_checkpoint | detached)
    harmless = (((fed & ~none) | beside) & ~(cancelled | of_part | flat_slopes)) | left_out
    harmless &= ~placeless
    return Symptoms.of_layers(
        values,
        np.where(ill, np.where(harmless, 1, 2), 0),
        *_ADVICE,
        limits=(0.0, 0.0, np.nan),
        source="a gradient of exactly 0 is none: rounding leaves more",
        lasting=thresholds.warm_up,
        cause=cause,
        falling=True,
    )


@lru_cache(maxsize=1)
def _judged(roles: Roles) -> Series:
    """1 for layers that are trained, NaN for others, [layers]. An embedding is one of them: most of
    its rows get no gradient in a step, but some do.
    """
    embeddings = [place for place in roles.embeddings if roles.layers[place].trainable]
    judged = roles.only("trained").astype(np.float64)
    judged[embeddings] = 1
    return judged


@lru_cache(maxsize=1)
def _begin(roles: Roles) -> Flags:
    """Which layers are reached, and trained, and get nothing of what other layers make."""
    fed = {facts.path for facts in roles.layers if facts.fed}
    reached = {facts.path for facts in roles.layers if facts.order >= 0} - fed
    return np.array(
        [each.path in reached and each.trainable and bool(each.weights) for each in roles.layers]
    )
