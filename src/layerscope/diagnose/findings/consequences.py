"""What may follow from what, rule by rule."""

from collections.abc import Mapping

_NO_LEARNING = frozenset({"loss_not_falling", "labels_without_signal", "full_batch"})
_SYMPTOMS = frozenset(
    {
        *("not_finite", "saturated", "dead_units", "idle", "biased", "collapsed"),
        *("vanishing_gradient", "exploding_gradient", "gradient_spike"),
        *("update_too_large", "update_too_small", "stalled", "overconfident_start"),
        *("loss_not_falling", "loss_diverged", "loss_rising", "no_gradient"),
        *("labels_without_signal", "weights_decay_to_zero", "full_batch"),
        *("attention_collapse", "attention_logit_growth", "attention_uniform"),
        *("stream_grows", "silent_branch", "experts_unused", "experts_uneven"),
    }
)
_OF_LARGE_STEPS = (_SYMPTOMS | {"loss_not_finite"}) - {
    *("update_too_small", "stalled", "weights_decay_to_zero", "full_batch"),
    *("attention_uniform", "experts_unused", "experts_uneven"),
}
_OF_LOST_GRADIENTS = frozenset(
    {
        *("vanishing_gradient", "update_too_small", "stalled", "no_gradient", "idle", "collapsed"),
        *("loss_not_falling", "labels_without_signal", "dead_units", "saturated", "biased"),
        "attention_uniform",
    }
)

_OF_FEW = frozenset(
    {
        *("gradient_spike", "exploding_gradient", "vanishing_gradient"),
        *("loss_not_falling", "loss_diverged", "labels_without_signal", "collapsed"),
    }
)

_OF_NO_ORDER = frozenset(
    {"loss_not_falling", "labels_without_signal", "attention_uniform", "collapsed"}
)

_OF_PADDING = frozenset(
    {"loss_not_falling", "labels_without_signal", "vanishing_gradient", "collapsed", "stalled"}
)

_OF_NOISE = frozenset(
    {"vanishing_gradient", "dead_units", "idle", "collapsed", "saturated", "biased"}
)

CONSEQUENCES: Mapping[str, frozenset[str]] = {
    "loss_not_finite": frozenset({"not_finite", "idle", "dead_units", "no_gradient", "saturated"}),
    "softmax_over_batch": _SYMPTOMS | {"loss_after_activation", "target_scale"},
    "sequence_over_batch": _SYMPTOMS,
    "axes_mixed": _SYMPTOMS,
    "states_detached": frozenset(
        {"loss_not_falling", "labels_without_signal", "vanishing_gradient", "no_gradient"}
        | {"stalled", "update_too_small"}
    ),
    "penalty_without_gradient": _SYMPTOMS | {"negative_loss"},
    "loss_weights": _SYMPTOMS | {"negative_loss"},
    "graph_kept": _OF_LARGE_STEPS - {"overconfident_start"},
    "padding_read": _OF_PADDING,
    "attention_axis": _SYMPTOMS | {"next_token"},
    "mask_inverted": _SYMPTOMS,
    "heads_mixed": _SYMPTOMS | {"next_token"},
    "softmax_of_one": _SYMPTOMS | {"target_out_of_range", "one_class"},
    "loss_broadcast": _SYMPTOMS,
    "not_shuffled": _SYMPTOMS | {"one_class"},
    "one_class": _SYMPTOMS,
    "class_weights": _SYMPTOMS,
    "next_token": _SYMPTOMS - {"not_finite", "loss_diverged", "loss_rising"},
    "gradients_accumulate": _OF_LARGE_STEPS,
    "gradients_lost": _OF_LARGE_STEPS,
    "weights_overwritten": _SYMPTOMS - {"not_finite"},
    "backward_alone": _SYMPTOMS,
    "not_registered": _OF_LOST_GRADIENTS,
    "not_optimized": _OF_LOST_GRADIENTS,
    "learning_rate_gone": _NO_LEARNING | {"update_too_small", "stalled"},
    "optimizer_averages": _OF_LARGE_STEPS | {"update_too_small"},
    "clipped_too_far": _NO_LEARNING | {"update_too_small"},
    "in_evaluation_mode": (_SYMPTOMS - {"not_finite"}) | {"loss_not_finite"},
    "constant_weights": _SYMPTOMS - {"loss_diverged", "not_finite"},
    # Where the targets bring it about, it says so itself.
    "negative_loss": _SYMPTOMS | {"target_out_of_range"},
    "target_out_of_range": _SYMPTOMS | {"negative_loss"},
    "data_overwritten": _SYMPTOMS | {"input_scale", "inputs_repeat"},
    "inputs_repeat": _SYMPTOMS | {"one_class", "input_scale"},
    "labels_by_batch": _SYMPTOMS,
    "ids_rounded": _NO_LEARNING,
    # A loss of finite outputs that is none is the loss's own, whatever the inputs' scale.
    "input_scale": _SYMPTOMS,
    "loss_after_activation": (_SYMPTOMS - {"not_finite"}) | {"loss_not_finite"},
    "target_tail": _SYMPTOMS | {"target_scale"},
    "offset_missing": _SYMPTOMS | {"target_scale"},
    "target_scale": _SYMPTOMS | {"loss_not_finite"},
    "target_gradient": _SYMPTOMS,
    "generator_label": _SYMPTOMS | {"outputs_alike"},
    "self_as_negative": frozenset({"loss_not_falling", "collapsed"}),
    "target_is_input": _SYMPTOMS - {"not_finite", "loss_diverged", "loss_rising"},
    "posterior_collapse": _SYMPTOMS - {"not_finite"},
    "loss_reduction": _OF_LARGE_STEPS,
    "dropout_high": _SYMPTOMS - {"not_finite", "loss_not_finite", "loss_diverged"},
    "linear_chain": frozenset({"loss_not_falling", "exploding_gradient"}),
    "softmax_hidden": _OF_LOST_GRADIENTS,
    "gates_shut": _OF_LOST_GRADIENTS | _NO_LEARNING,
    "places_skipped": _OF_NO_ORDER | {"dead_units"},
    "too_narrow": _OF_LOST_GRADIENTS,
    "frozen_untrained": _NO_LEARNING | {"collapsed"},
    # Of a single value nothing is left, forward or backward.
    "norm_of_few": _OF_FEW | _OF_LOST_GRADIENTS,
    # Beside weights that are next to nothing every step is large.
    "weights_decay_to_zero": _OF_LOST_GRADIENTS | {"update_too_large"},
    "updates_rounded_away": _NO_LEARNING | {"update_too_small", "stalled"},
    "temperature": _OF_LOST_GRADIENTS,
    # Large steps and large weights do the same to what comes behind.
    "large_weights": _OF_LARGE_STEPS | {"stalled", "update_too_small", "attention_uniform"},
    # Far to one side an odd function is flat, and all samples look the same behind it. What has a
    # mean makes the loss steep in one direction, for which usual steps are too large (LeCun et al.
    # 1998, section 4.3).
    "biased": frozenset(
        {"vanishing_gradient", "collapsed", "idle", "loss_not_falling", "labels_without_signal"}
        | {"update_too_large", "loss_diverged"}
    ),
    "attention_logit_growth": _OF_LARGE_STEPS - {"overconfident_start", "attention_logit_growth"},
    "attention_collapse": frozenset(
        {"saturated", "vanishing_gradient", "exploding_gradient", "gradient_spike", "collapsed"}
        | {"loss_not_falling", "loss_diverged", "labels_without_signal", "no_gradient"}
        | {"update_too_small", "stalled", "overconfident_start"}
    ),
    # What grows with depth is large at the output, and so are the gradients on the way back.
    "stream_grows_by_depth": _OF_LARGE_STEPS | {"stalled", "update_too_small"},
    "loss_rising": _OF_LARGE_STEPS - {"loss_rising", "overconfident_start"},
    "loss_diverged": _OF_LARGE_STEPS - {"overconfident_start", "loss_diverged"},
    "update_too_large": _OF_LARGE_STEPS - {"overconfident_start", "update_too_large"},
    # Small weights pass on as little forward as they do backward.
    "vanishing_gradient": _NO_LEARNING | {"update_too_small", "stalled", "collapsed", "idle"},
    # A tanh's unit that is saturated on every sample is dead, too, and a sigmoid's passes on a 1.
    "saturated": frozenset(
        {"vanishing_gradient", "collapsed", "loss_not_falling", "update_too_small", "no_gradient"}
        | {"dead_units", "overconfident_start", "idle", "labels_without_signal", "loss_rising"}
    ),
    "dead_units": frozenset(
        {"vanishing_gradient", "no_gradient", "collapsed", "idle", "loss_not_falling"}
        | {"labels_without_signal", "weights_decay_to_zero"}
    ),
    # Large weights make both at the start: what is saturated is nearer to the data.
    # What is sure of the wrong makes large steps, and none where its last function is flat.
    "overconfident_start": frozenset(
        {"saturated", "exploding_gradient", "biased", "dead_units", "update_too_large"}
        | {"no_gradient", "loss_not_falling", "loss_diverged"}
    ),
    # Of what grows toward the input, the first step moves the first layers out of all bounds.
    "exploding_gradient": frozenset(
        {"loss_diverged", "not_finite", "loss_not_finite", "update_too_large", "gradient_spike"}
        | {"dead_units", "saturated", "loss_not_falling"}
    ),
    # A step out of all proportion leaves the weights where nothing that was learned holds.
    "gradient_spike": frozenset(
        {"loss_diverged", "not_finite", "loss_not_finite", "saturated", "dead_units", "no_gradient"}
        | {"update_too_large"}
    ),
    "experts_unused": frozenset({"experts_uneven", "no_gradient", "stalled"}),
    "stream_grows": frozenset(
        {"silent_branch", "loss_diverged", "gradient_spike", "not_finite", "loss_not_finite"}
    ),
    # What a branch adds is next to nothing, and so is the gradient that it gets.
    "silent_branch": frozenset({"no_gradient", "stalled", "update_too_small"}),
    # What is NaN has no spread, no sign and no gradient that moves anything.
    "not_finite": frozenset(
        {"loss_not_finite", "idle", "dead_units", "collapsed", "no_gradient", "saturated"}
    ),
    "no_gradient": frozenset(
        {"update_too_small", "stalled", "loss_not_falling", "weights_decay_to_zero"}
        | {"labels_without_signal"}
    ),
    "stalled": frozenset({"update_too_small"}),
    "update_too_small": _NO_LEARNING,
    # What is the same for all samples leaves the layers after it as little to learn from.
    "collapsed": _NO_LEARNING | {"vanishing_gradient", "update_too_small", "stalled"},
    # A set has no order: what else keeps a network from learning is told first.
    "no_positions": _OF_NO_ORDER,
    # Many steps, too, go nowhere where something else keeps a network from learning.
    "full_batch": frozenset({"loss_not_falling", "labels_without_signal"}),
    # A network that finds nothing to learn is driven by noise, and its layers fade and die of that.
    "labels_without_signal": _OF_NOISE | {"loss_not_falling", "outputs_alike"},
    "loss_not_falling": _OF_NOISE,
    "outputs_alike": frozenset({"collapsed", "idle", "no_gradient", "loss_not_falling"}),
    "attention_uniform": _NO_LEARNING | {"collapsed"},
    "idle": _NO_LEARNING | {"collapsed", "vanishing_gradient", "no_gradient"},
}
"""Of each cause, in the order in which causes are told, what may follow from it."""

RISKS: Mapping[str, frozenset[str]] = {
    "frozen_untrained": _NO_LEARNING,
    "norm_of_few": _OF_FEW,
    "padding_read": _OF_PADDING,
    "too_narrow": _NO_LEARNING,
    "no_positions": _OF_NO_ORDER - {"attention_uniform"},
    "softmax_hidden": _NO_LEARNING | {"update_too_small", "vanishing_gradient", "collapsed"},
    "clipped_too_far": frozenset({"update_too_small", "loss_not_falling"}),
    "loss_reduction": _OF_LARGE_STEPS,
    "optimizer_averages": _OF_LARGE_STEPS | {"update_too_small"},
    # Not a loss that diverges: that of a linear layer does so by its inputs, whatever it aims at.
    "target_scale": frozenset({"loss_not_falling", "saturated", "dead_units"}),
    "target_tail": _NO_LEARNING | {"gradient_spike", "loss_diverged", "loss_rising"},
    "dropout_high": _NO_LEARNING,
    "input_scale": _NO_LEARNING | {"loss_diverged", "saturated", "dead_units"},
    "linear_chain": _NO_LEARNING,
    "attention_uniform": _NO_LEARNING,
}
"""Findings that may be a note by themselves, as one can live with them, and become a warning where
one of these follows from them."""
