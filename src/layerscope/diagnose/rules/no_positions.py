"""Attention that nobody tells where a token stands, and a task that needs to know."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.in_each_look import LOOKS
from layerscope.diagnose.questions.patience import patience_of
from layerscope.diagnose.questions.solved import has_learned, left_of_chance

_NOTHING = 0.9
"""Of what guessing costs: what is below may be learned by heart, or from how often tokens come."""


@rule_of_run("no_positions")
def no_positions(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / what guessing costs, where the queries and keys of an attention are made of the data
    by the same function at each place, its mask is the same for each row, and nothing else in the
    network reads places. Then the outputs are the same for each order of a sequence's tokens.
    """
    t = thresholds
    of_layers = figures["attention_placeless"]
    alike = np.where(
        np.isnan(of_layers).all(axis=1), np.nan, np.nanmax(of_layers, axis=1, initial=0)
    )
    is_placeless = memory.known("alike", alike) == 1
    is_placeless &= ~memory.ever("read", figures["order_read"] == 1)
    # What frozen layers give has no graph and looks like data that come in: places may be there.
    is_placeless &= not any(each.weights and not each.trainable for each in memory.roles.layers)
    known = memory.loss_curve.of(figures).known
    patience, learned = patience_of(figures, t, memory), has_learned(figures, memory)
    left = left_of_chance(figures, memory)
    told = is_placeless & (known >= t.patience) & ~learned & ~np.isnan(left)
    severity = np.where(told, 1, 0) + (told & (known >= patience) & (left > _NOTHING))
    return Symptoms.of_run(
        "network",
        np.where(is_placeless, left, np.nan),
        severity,
        Advice(
            "nothing tells the network where in its sequence a token stands: its outputs are the "
            "same for each order of the tokens, and its loss is {value:.0%} of what guessing costs",
            "an encoding of places on what goes into the first attention: x = x + "
            "self.places(torch.arange(x.shape[1])) with self.places = nn.Embedding(length, width), "
            "or one of sines; if the order is to say nothing, look whether each label belongs to "
            "its input",
            (0.0, _NOTHING, np.nan),
        ),
        source="Vaswani et al. 2017, Attention is all you need, section 3.5: without recurrence "
        "and convolution the order must be put in",
        lasting=LOOKS,
    )
