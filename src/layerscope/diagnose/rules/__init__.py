"""The rules. Importing them registers them, in the order in which findings are told.

How each judges, where its limits come from and what it cannot see stands in its page,
`pages/NAME.md`. Its docstring says what its values are, and why they tell of an illness.
"""

# isort: off
from layerscope.diagnose.rules import not_finite as not_finite
from layerscope.diagnose.rules import not_frozen as not_frozen
from layerscope.diagnose.rules import loss_value as loss_value
from layerscope.diagnose.rules import not_optimized as not_optimized
from layerscope.diagnose.rules import wiring as wiring
from layerscope.diagnose.rules import weight_decay as weight_decay
from layerscope.diagnose.rules import learning_rate as learning_rate
from layerscope.diagnose.rules import optimizer_averages as optimizer_averages
from layerscope.diagnose.rules import clipped_too_far as clipped_too_far
from layerscope.diagnose.rules import no_gradient as no_gradient
from layerscope.diagnose.rules import backward_alone as backward_alone
from layerscope.diagnose.rules import construction as construction
from layerscope.diagnose.rules import dropout_high as dropout_high
from layerscope.diagnose.rules import modules_repeated as modules_repeated
from layerscope.diagnose.rules import softmax_hidden as softmax_hidden
from layerscope.diagnose.rules import places_skipped as places_skipped
from layerscope.diagnose.rules import too_narrow as too_narrow
from layerscope.diagnose.rules import frozen_untrained as frozen_untrained
from layerscope.diagnose.rules import running_statistics as running_statistics
from layerscope.diagnose.rules import norm_of_few as norm_of_few
from layerscope.diagnose.rules import softmax_axis as softmax_axis
from layerscope.diagnose.rules import weights_overwritten as weights_overwritten
from layerscope.diagnose.rules import loss_form as loss_form
from layerscope.diagnose.rules import loss_terms as loss_terms
from layerscope.diagnose.rules import loss_reduction as loss_reduction
from layerscope.diagnose.rules import graph_kept as graph_kept
from layerscope.diagnose.rules import states_detached as states_detached
from layerscope.diagnose.rules import padding_read as padding_read
from layerscope.diagnose.rules import full_batch as full_batch
from layerscope.diagnose.rules import gates_shut as gates_shut
from layerscope.diagnose.rules import loss_not_falling as loss_not_falling
from layerscope.diagnose.rules import no_positions as no_positions
from layerscope.diagnose.rules import one_class as one_class
from layerscope.diagnose.rules import labels as labels
from layerscope.diagnose.rules import not_shuffled as not_shuffled
from layerscope.diagnose.rules import class_weights as class_weights
from layerscope.diagnose.rules import class_not_predicted as class_not_predicted
from layerscope.diagnose.rules import temperature as temperature
from layerscope.diagnose.rules import target_out_of_range as target_out_of_range
from layerscope.diagnose.rules import error_of_few as error_of_few
from layerscope.diagnose.rules import target_scale as target_scale
from layerscope.diagnose.rules import next_token as next_token
from layerscope.diagnose.rules import target_gradient as target_gradient
from layerscope.diagnose.rules import generator_label as generator_label
from layerscope.diagnose.rules import target_is_input as target_is_input
from layerscope.diagnose.rules import input_scale as input_scale
from layerscope.diagnose.rules import inputs_repeat as inputs_repeat
from layerscope.diagnose.rules import data_overwritten as data_overwritten
from layerscope.diagnose.rules import labels_by_batch as labels_by_batch
from layerscope.diagnose.rules import ids_rounded as ids_rounded
from layerscope.diagnose.rules import outputs_alike as outputs_alike
from layerscope.diagnose.rules import self_as_negative as self_as_negative
from layerscope.diagnose.rules import posterior_collapse as posterior_collapse
from layerscope.diagnose.rules import mask_inverted as mask_inverted
from layerscope.diagnose.rules import attention as attention
from layerscope.diagnose.rules import large_weights as large_weights
from layerscope.diagnose.rules import overconfident_start as overconfident_start
from layerscope.diagnose.rules import saturated as saturated
from layerscope.diagnose.rules import dead_units as dead_units
from layerscope.diagnose.rules import idle as idle
from layerscope.diagnose.rules import biased as biased
from layerscope.diagnose.rules import gradient_profile as gradient_profile
from layerscope.diagnose.rules import gradient_spike as gradient_spike
from layerscope.diagnose.rules import stream as stream
from layerscope.diagnose.rules import experts as experts
from layerscope.diagnose.rules import update_size as update_size
from layerscope.diagnose.rules import stalled as stalled
from layerscope.diagnose.rules import collapsed as collapsed
from layerscope.diagnose.rules import loss_diverged as loss_diverged
from layerscope.diagnose.rules import loss_rising as loss_rising
