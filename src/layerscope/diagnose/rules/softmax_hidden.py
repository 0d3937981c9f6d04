"""A softmax in the place of an activation function."""

import numpy as np

from layerscope.diagnose import Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.roles import Roles


@rule_with_memory("softmax_hidden")
def softmax_hidden(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A softmax over the units of a linear layer, whose outputs the next linear layer takes."""
    values = np.zeros((len(figures.steps), len(memory.roles.layers)))
    values[:, _hidden(memory.roles)] = 1.0
    return Symptoms.above(
        values,
        note=0.0,
        explanation="{layer} is a softmax between two layers: its outputs add up to 1, so each is "
        "small, and so is the gradient that passes",
        remedy="torch.nn.ReLU(), GELU() or Tanh() between layers; a softmax at the network's end "
        "only",
        source="Bridle 1990: a softmax makes shares of a whole, for the outputs of a classifier",
    )


def _hidden(roles: Roles) -> list[int]:
    """Indices of such softmaxes."""
    reached = [i for i, facts in enumerate(roles.layers) if facts.order >= 0 and facts.on_trunk]
    reached.sort(key=lambda i: roles.layers[i].order)
    found = []
    for place, index in enumerate(reached[:-1]):
        here, after = roles.layers[index], roles.layers[reached[place + 1]]
        before = roles.layers[reached[place - 1]] if place else here
        width = here.width or before.width
        joined = width is not None and after.width is not None and width[1] == after.width[0]
        if here.nonlinearity == "softmax" and joined:
            found.append(index)
    return found
