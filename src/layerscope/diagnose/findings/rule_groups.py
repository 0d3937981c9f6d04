"""Rules by where and when what they tell of shows: at the start, in layers, after an update."""

FROM_THE_START = frozenset(
    {
        *("loss_not_finite", "softmax_over_batch", "softmax_of_one", "loss_broadcast", "one_class"),
        *("sequence_over_batch", "states_detached", "axes_mixed", "class_weights", "next_token"),
        "not_shuffled",
        *("gradients_accumulate", "gradients_lost", "optimizer_averages", "clipped_too_far"),
        *("weights_overwritten", "inputs_repeat", "full_batch", "ids_rounded", "backward_alone"),
        *("places_skipped", "gates_shut"),
        *("not_optimized", "not_registered", "in_evaluation_mode", "constant_weights"),
        *("loss_after_activation", "negative_loss", "target_out_of_range", "input_scale"),
        *("target_scale", "loss_reduction", "dropout_high", "posterior_collapse"),
        *("softmax_hidden", "too_narrow", "frozen_untrained", "target_gradient", "norm_of_few"),
        *("target_is_input", "self_as_negative", "generator_label"),
        *("updates_rounded_away", "weights_decay_to_zero", "stream_grows_by_depth"),
        *("temperature", "large_weights", "attention_axis", "mask_inverted"),
        *("heads_mixed", "graph_kept", "padding_read", "no_positions"),
        *("penalty_without_gradient", "loss_weights", "target_tail", "offset_missing"),
        *("labels_by_batch", "data_overwritten", "linear_chain"),
    }
)

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

OF_OUTPUTS = frozenset(
    {
        *("saturated", "dead_units", "idle", "biased", "collapsed", "overconfident_start"),
        *("attention_collapse", "silent_branch"),
    }
)
"""Seen in what layers give: in step 0 that is how the network was put together and started."""

OF_GRADIENTS = frozenset({"vanishing_gradient", "exploding_gradient", "no_gradient", "not_finite"})

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
