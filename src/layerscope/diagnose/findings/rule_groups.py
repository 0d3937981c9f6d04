"""Rules by where and when what they tell of shows: at the start, in layers, after an update."""

from layerscope.diagnose.findings.consequences import CONSEQUENCES

OF_NO_SIGNAL = frozenset({"labels_without_signal", "loss_not_falling"})

WITHOUT_GRADIENT = frozenset({"dead_units", "no_gradient"})

OF_LAYERS = frozenset({"saturated", "dead_units", "idle", "collapsed", "biased"})
"""A layer with it passes little of the gradient on, and takes nothing from how others do."""

SYMPTOMS = OF_LAYERS | {
    *("vanishing_gradient", "exploding_gradient", "gradient_spike", "attention_uniform"),
    *("update_too_small", "update_too_large", "stalled"),
}
"""What layers show. What a user wrote is no symptom, and a note of it asks for a look whatever the
loss does: `linear_chain`, `target_scale`.
"""

SEEN_LATE = frozenset(
    {
        *("labels_without_signal", "attention_uniform", "experts_unused", "loss_rising"),
        "outputs_alike",
    }
)
"""No cause of a symptom that a layer has, but true from the start: it takes long to see."""

OF_OUTPUTS = OF_LAYERS | {"overconfident_start", "attention_collapse", "silent_branch"}
"""Seen in what layers give: in step 0 that is how the network was put together and started."""

OF_GRADIENTS = frozenset({"vanishing_gradient", "exploding_gradient", "no_gradient", "not_finite"})

FROM_THE_START = (
    frozenset(CONSEQUENCES)
    - SYMPTOMS
    - SEEN_LATE
    - OF_GRADIENTS
    - {
        *("learning_rate_gone", "loss_not_falling", "loss_diverged", "overconfident_start"),
        *("attention_collapse", "attention_logit_growth", "stream_grows", "silent_branch"),
    }
)
"""Causes that a user has written: all but those that come with steps."""

BY_UPDATES = frozenset(
    {
        *("update_too_large", "update_too_small", "stalled", "optimizer_averages"),
        *("learning_rate_gone", "not_optimized", "updates_rounded_away", "weights_decay_to_zero"),
        *("loss_rising", "loss_diverged"),
    }
)
"""What comes of them comes by way of an update, and none came before step 0."""

BY_GRADIENTS = BY_UPDATES | {
    *("loss_broadcast", "not_shuffled", "one_class", "class_weights", "next_token"),
    *("negative_loss", "target_out_of_range", "target_scale", "target_gradient", "loss_reduction"),
    *("loss_not_finite", "gradients_accumulate", "gradients_lost", "not_registered"),
    *("no_gradient", "generator_label", "penalty_without_gradient", "loss_weights"),
    *("target_tail", "offset_missing"),
}
"""They change gradients at once, and what layers give by way of an update."""
