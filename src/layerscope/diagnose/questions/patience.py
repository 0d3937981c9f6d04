"""How long a loss may stay where it is before that says anything."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Steps
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind
from layerscope.diagnose.questions.once_a_block import once_a_block
from layerscope.diagnose.thresholds import Thresholds

LATE = 4
"""Times `patience`, of a network with attention: it often stays on a plateau until a head has found
what to look at, and then learns at once (Hoffmann et al. 2024, Eureka-Moments in Transformers; Chen
et al. 2024, Sudden Drops in the Loss)."""

_GROWN = 1.5

IF_OWN_TARGETS = (
    "if the network has a part in its own targets, as in Q-learning, these may grow without end: "
    "where an episode ends its reward alone is the target, reward + discount * (1 - done) * Q(next)"
)
"""A remedy: of a value that is learned from itself (Sutton and Barto 2018, section 6.5)."""


@once_a_block
def may_have_own_targets(figures: Figures, memory: Memory) -> Flags:
    """Whether targets have grown, or the loss is of no known kind, [steps]: a network may have a
    part in them.
    """
    grown = targets_have_grown(figures, memory)
    may: Flags = grown | is_of_no_known_kind(figures, memory)
    return may


def patience_of(figures: Figures, t: Thresholds, memory: Memory) -> Steps:
    """Losses to wait for before one that does not fall says anything, as of each step."""
    return np.where(attends(figures, memory), LATE * t.patience, t.patience)


@once_a_block
def attends(figures: Figures, memory: Memory) -> Flags:
    """Whether an attention has been seen, as of each step."""
    return memory.ever("attends", ~np.isnan(figures["attention_entropy"]).all(axis=1))


@once_a_block
def targets_have_grown(figures: Figures, memory: Memory) -> Flags:
    """Whether those of an error are half as large again as the first that were seen, [steps]."""
    sizes = memory.known("sizes", figures["target_rms"])
    first = memory.of_run("first_size")
    if np.isnan(first[0]) and not np.isnan(sizes).all():
        first[0] = sizes[~np.isnan(sizes)][0]
    return sizes > _GROWN * first[0]
