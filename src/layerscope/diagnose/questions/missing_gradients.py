"""Where gradients are missing: none comes, they cancel, or it says nothing that there are none."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series, Values
from layerscope.diagnose.measured.last_known import last_known
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory


def without_any(figures: Figures, last: Series) -> Flags:
    """Whether a layer got no gradient at all, [steps, layers]: as last looked at, unless one was
    measured since.

    Args:
        last: what the last look before them said; afterwards, the last of them.
    """
    looked = figures["no_gradient"]
    if not (looked > 0).any() and not (last > 0).any():
        last[:] = np.where(np.isnan(looked).all(axis=0), last, 0)
        return np.zeros(looked.shape, bool)
    none = last_known(looked.astype(np.float64), last) > 0
    return (looked > 0) | (none & np.isnan(figures["weight_grad_rms"]))


def are_cleared(figures: Figures) -> Flags:
    """Whether nothing was left of a layer's gradient between its measurement and the optimizer's
    step, [steps, layers], where a trainer may change it in between.
    """
    nothing_left = figures["clip_factor"] == 0
    return nothing_left[:, np.newaxis] & (figures["weight_grad_rms"] > 0)


def are_spent(figures: Figures, memory: Memory) -> Flags:
    """Whether no optimizer has come, and weights have changed without a gradient, [steps]."""
    by_itself = memory.known("optimizers", figures["optimizers"]) == 0
    changed = (figures["update_to_weight"] > 0) & (figures["weight_grad_rms"] == 0)
    spent: Flags = memory.ever("spent", by_itself & changed.any(axis=1))
    spent &= by_itself
    return spent


def follow_by_hand(figures: Figures, none: Flags, memory: Memory) -> Flags:
    """Layers without any gradient that are not meant to have one: no optimizer has them, where one
    has others; or their weights change all the same, and no optimizer moves what has none.
    """
    before, by_hand = memory.of_layers("weights", 2)
    owned = memory.known_of_layers("owned", figures["owned"])
    if not none.any():
        before[:] = np.inf
        return none
    first = before[np.newaxis].copy()
    # What an optimizer may have moved is no weight to compare with.
    comparable = np.where(none, figures["weight_rms"], np.inf)
    weights = last_known(comparable.astype(np.float64), before)
    earlier = np.concatenate([first, weights[:-1]])
    moved = (weights != earlier) & np.isfinite(weights) & np.isfinite(earlier)
    moved = np.logical_or.accumulate(moved, axis=0) | (by_hand == 1)
    by_hand[:] = moved[-1]
    left = (owned == 0) & (owned == 1).any(axis=1, keepdims=True)
    return none & (left | moved)


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


def without_tokens(figures: Figures, memory: Memory) -> Flags:
    """Layers beside a router and off the trunk, while an expert gets no token, [steps, layers].

    Which expert a layer belongs to is not known, so one that is cut off otherwise is among them.
    """
    left_out = np.zeros(figures["weight_grad_rms"].shape, bool)
    for router, experts in _mixtures(memory.roles):
        unused = memory.known(f"unused_{router}", figures["experts_unused"][:, router])
        left_out[:, experts] |= unused[:, np.newaxis] > 0
    return left_out


@lru_cache(maxsize=1)
def _mixtures(roles: Roles) -> list[tuple[int, list[int]]]:
    """Indices of each router, and of the layers that may be of its experts."""
    found = []
    for router, place in enumerate(roles.layers):
        if not place.name.endswith("/experts"):
            continue
        for owner in (place.path, place.path.rpartition(".")[0]):  # below it, or else beside it
            below = [
                index
                for index, facts in enumerate(roles.layers)
                if facts.path.startswith(f"{owner}." if owner else "")
                and facts.weights
                and not facts.on_trunk
            ]
            if below:
                found.append((router, below))
                break
    return found


def is_nothing(figures: Figures, loss: Series, memory: Memory) -> Flags:
    """Whether all losses so far, and all gradients that were measured, are exactly 0, [steps]."""
    gradients = figures["weight_grad_rms"]
    any_loss = memory.ever("any_loss", ~(loss == 0) & ~np.isnan(loss))
    measured = memory.ever("measured", (gradients == 0).any(axis=1))
    any_gradient = memory.ever("any_gradient", (np.abs(gradients) > 0).any(axis=1))
    nothing: Flags = measured & ~any_loss & ~any_gradient
    return nothing


def is_fed_zeros(figures: Figures, roles: Roles) -> Flags:
    """Where the outputs of a layer that is no function get a gradient and its weights exactly 0:
    each weight's is a sum of products with its inputs. Its outputs, its offsets alone, are alike.
    """
    linear = [not (each.nonlinearity or each.normalizes) for each in roles.layers]
    alike = (figures["unit_spread"] == 0) | (figures["activation_std"] == 0)
    fed = (figures["activation_grad_rms"] > 0) & (figures["weight_grad_rms"] == 0)
    return fed & alike & np.array(linear)


def are_places_alike(figures: Figures, roles: Roles) -> Flags:
    """Whether an attention chooses evenly among its keys and gives the same at each place of each
    sample, [steps]: nothing but offsets has come to it. One place has no entropy.
    """
    alike = np.zeros(len(figures.steps), bool)
    even = figures["attention_entropy"] > 1 - _ROUNDED
    spread = figures["unit_spread"]
    for attention in np.flatnonzero(even.any(axis=0)).tolist():
        path = roles.layers[attention].path
        own = [i for i, each in enumerate(roles.layers) if each.path.startswith(path)]
        same = np.array([(spread[:, i] < _ROUNDED) & (roles.layers[i].fed) for i in own])
        alike |= even[:, attention] & same.any(axis=0)
    return alike


_ROUNDED = 1e-5
"""Of what is the same but for rounding."""
