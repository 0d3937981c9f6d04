"""Recurrent layers of torch's: which they are, and what keeps their gradients within bounds."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.layer_facts import LayerFacts
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.shared import once_a_block

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
def is_clipped(figures: Figures, memory: Memory) -> npt.NDArray[np.bool_]:
    """Whether gradients have been clipped, or changed by the loop in another way, [steps]."""
    changed = (figures["clip_factor"] < 1) | (figures["gradients_changed"] == 1)
    return memory.ever("clipped", changed)
