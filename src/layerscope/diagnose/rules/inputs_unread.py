"""A convolution whose stride leaves out most of what it gets."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_MOST = 0.5


@rule_with_memory("inputs_unread")
def inputs_unread(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Share of the places of its input that no kernel of a convolution comes to, for its stride is
    larger. They get no gradient either.

    A shortcut beside a block may be a convolution of one place with a stride of two (He et al.
    2016), and so may the first one of such a block: one place is judged only where data come in.
    """
    layers = memory.roles.layers
    shares = np.array([each.unread if each.order >= 0 and each.on_trunk else 0 for each in layers])
    of_one = np.array([each.fed and each.of_one_place for each in layers], bool)
    values = np.zeros((len(figures.steps), len(layers)))
    values[:, ~of_one] = shares[~of_one]
    if not values.any():
        return Symptoms(values)
    return Symptoms.of_layers(
        values,
        np.where(values > _MOST, 2, values > 0),
        Advice(
            "the stride of {layer} is larger than its kernel: {value:.0%} of the places of its "
            "input are read by nothing, and get no gradient",
            "a stride no larger than the kernel: see that the two are not exchanged (in "
            "torch.nn.Conv2d the kernel size comes first); to make a picture smaller, pool it",
        ),
        limits=(0.0, _MOST, np.nan),
        source="Dumoulin and Visin 2016, A Guide to Convolution Arithmetic, section 2.4: a stride "
        "says which part is kept",
        since=np.zeros(values.shape, np.int64),
    )
