"""A layer that stands still beside others that move."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.last_known import last_known
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.questions.median import known_median
from layerscope.diagnose.questions.pace import update_ratio
from layerscope.diagnose.questions.recurrent import is_recurrent
from layerscope.diagnose.symptoms import graded

_SLOW = -1.0  # log10: a layer at a far lower rate, whose weights are not small in proportion

AT_ITS_OWN_END = (
    "the output at each sequence's own last step (pack_padded_sequence), not behind the padding; "
    "or a mean over time"
)


def _nearer_to_the_loss(facts: LayerFacts) -> str:
    if is_recurrent(facts):
        return AT_ITS_OWN_END
    return "a shorter way to the loss, as by a residual; no learning rate makes up for it"


_STALLED = (
    Advice(
        "{layer} gets a gradient and does not move: 10^{value:.1f} of what the median layer does "
        "(limit 10^{threshold:g})",
        "hand all parameters to the optimizer, each in a group with its own optimizer.lr above 0; "
        "and keep weights in float32",
    ),
    Advice(
        "{layer} moves by 10^{value:.1f} of what layers at the full learning rate do (limit "
        "10^{threshold:g}): its parameter group has a far smaller rate",
        "the same optimizer.lr for all groups, or at most some ten times less for layers that are "
        "trained already",
        (np.nan, _SLOW, np.nan),
    ),
    Advice(
        "hardly any gradient comes to {layer}: it moves by 10^{value:.1f} of what the median "
        "layer does (limit 10^{threshold:g}), and its share of the gradient is smaller still",
        _nearer_to_the_loss,
    ),
)


@rule_with_memory("stalled")
def stalled(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """log10 of a layer's ratio / that of the median layer, where the layer does get a gradient; of
    one in a parameter group with a far smaller rate than the optimizer's largest, against the
    median layer at that rate.
    """
    t = thresholds
    values = update_ratio(figures, memory.roles)
    shares = figures["rate_share"]
    rates = memory.of_layers("rates")[0]
    differ = not (np.isnan(shares).all() and np.isnan(rates).all())
    low, high = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    judged = np.where(figures["weight_grad_rms"] > 0, values, np.nan)
    if high - low <= -t.update_stalled and not differ:  # not even between the two extremes
        return Symptoms(judged)
    usual = known_median(values, axis=1)[:, np.newaxis]
    apart = judged - np.where(np.isfinite(usual), usual, np.nan)
    severity = graded(apart, (np.nan, t.update_stalled, np.nan), falling=True)
    if severity is not None:  # where all steps are too small, rounding leaves nothing of some
        severity[(usual < t.update_small)[:, 0]] = 0
    cause = None
    if differ:
        share = last_known(shares.astype(np.float64), rates)
        full = known_median(np.where(share < 1, np.nan, values), axis=1)[:, np.newaxis]
        behind = judged - np.where(np.isfinite(full), full, np.nan)
        slow = (share < t.rate_low) & (behind < _SLOW)
        apart = np.where(slow, behind, apart)
        severity = np.zeros(apart.shape, np.int8) if severity is None else severity
        severity[slow] = 2
        cause = slow.astype(np.int8)
    if severity is not None and severity.any():
        gradients = np.log10(figures["weight_grad_rms"].astype(np.float64))
        faded = gradients - known_median(gradients, axis=1)[:, np.newaxis] < t.update_stalled
        cause = np.where(faded & ~(cause == 1), 2, 0 if cause is None else cause).astype(np.int8)
    return Symptoms.of_layers(
        apart,
        severity,
        *_STALLED,
        limits=(np.nan, t.update_stalled, np.nan),
        source="an update that is lost in rounding, or that nobody makes",
        lasting=t.warm_up,
        cause=cause,
        falling=True,
    )
