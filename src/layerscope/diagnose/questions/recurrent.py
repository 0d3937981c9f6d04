"""Recurrent layers of torch: which they are, their weights, and what bounds their gradients."""

from functools import lru_cache

from layerscope.diagnose.measured.figures import Figures, Flags
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block

_CLASSES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")

CLIP = (
    "trainer.gradient_clip_val=1.0 before each step, for through a recurrence gradients may grow "
    "with every step of a sequence (Pascanu et al. 2013)"
)
"""Pascanu et al. 2013, On the difficulty of training recurrent neural networks, section 3.2."""


def is_recurrent(facts: LayerFacts) -> bool:
    """Whether a layer is one, or a parameter of one."""
    return facts.module in _CLASSES


@once_a_block
def is_clipped(figures: Figures, memory: Memory) -> Flags:
    """Whether gradients have been clipped, or changed by the loop in another way, [steps]."""
    changed = (figures["clip_factor"] < 1) | (figures["gradients_changed"] == 1)
    return memory.ever("clipped", changed)


@lru_cache(maxsize=1)
def recurrences(roles: Roles) -> tuple[list[int], list[int], list[int]]:
    """Indices of the weights of states, of those of the inputs that belong to them, and of those
    of the latter whose module is reached.
    """
    places = {facts.name: place for place, facts in enumerate(roles.layers)}
    pairs = [
        (places[name], places[name.replace(".weight_hh", ".weight_ih")])
        for name in places
        if ".weight_hh" in name and name.replace(".weight_hh", ".weight_ih") in places
        if not name.endswith("_reverse") and roles.layers[places[name]].trainable
    ]
    reached = {facts.path for facts in roles.layers if facts.order >= 0}
    through = [inputs for _, inputs in pairs if roles.layers[inputs].path in reached]
    return [state for state, _ in pairs], [inputs for _, inputs in pairs], through
