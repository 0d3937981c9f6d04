"""Gradients that come to a network's outputs, or to those of a part, and cancel in all weights."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose.figures import Figures, Flags, Values
from layerscope.diagnose.roles import Roles


def cancelled_gradients(
    figures: Figures, values: Values, none: Flags, roles: Roles
) -> tuple[Flags, Flags]:
    """Whether what comes to all outputs cancels, bool [steps, 1]; and within which parts of the
    network it does, bool [steps, layers], True for the layers of such a part.

    Args:
        values: the gradient of each layer's weights, [steps, layers]; NaN where it is not judged.
        none: whether a layer got no gradient at all, [steps, layers].
    """
    judged = ~np.isnan(values)
    zero = ((values == 0) & ~none) | ~judged
    fed = (figures["activation_grad_rms"] > 0) | ~judged
    # What is 0 throughout passes nothing on: units that are dead, which `dead_units` tells of.
    dead = (figures["activation_max"] == 0) & (figures["activation_min"] == 0)
    inner = ~dead[:, roles.chain].any(axis=1)
    nowhere = zero.all(axis=1) & judged.any(axis=1)
    everywhere: Flags = nowhere & fed.all(axis=1) & inner
    parts = np.zeros(values.shape, bool)
    so = zero & fed & judged
    for part in _parts(roles):
        is_so = so[:, part].all(axis=1) & ~dead[:, part[:-1]].any(axis=1)
        parts[:, part] |= is_so[:, np.newaxis]
    return everywhere[:, np.newaxis], parts


@lru_cache(maxsize=1)
def _parts(roles: Roles) -> list[list[int]]:
    """Indices of the trained layers of each module that has several, in forward order."""
    trained = [i for i, facts in enumerate(roles.layers) if facts.order >= 0 and facts.weights]
    trained = [i for i in trained if roles.only("trained")[i] == 1]
    trained.sort(key=lambda index: roles.layers[index].order)
    of_modules: dict[str, list[int]] = {}
    for index in trained:
        path = roles.layers[index].path
        while "." in path:
            path = path.rpartition(".")[0]
            of_modules.setdefault(path, []).append(index)
    return [layers for layers in of_modules.values() if len(layers) > 1]
