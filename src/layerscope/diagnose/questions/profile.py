"""The gradient's profile over depth: how much of it reaches each layer, and where it is lost."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Figures, Flags, Series
from layerscope.diagnose.measured.roles import Roles

FEWEST = 3
"""Layers before the last that a profile needs: two have no depth over which anything could fade."""


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Norms of d loss / d outputs, root mean square times sqrt(count), in forward order.

    Norms, because a convolution's outputs get fewer toward the loss, and the RMS of what they pass
    back with them. Only ratios within a step are judged: a loss times 1e-6 is as healthy. The last
    layer is left out: one that starts at zero passes nothing back in the first step, and little in
    the next ones, and there is no harm in that.

    Attributes:
        norms: [steps, chain]; NaN where it was not measured or is not finite.
        chain: indices of the layers, those of the trunk: see `Roles.trunk`.
        faded: the norm at the first layer / the largest, or the smallest / that at the last
            hidden one: whichever is larger, [steps]. Both are small only if the gradient fades on
            all ways. A residual branch that gets little beside a healthy stream makes the second
            small; a branch that gets much makes the first small. Norms of zero are left out: what
            is exactly 0 was cut off and has not faded. NaN with fewer than FEWEST others.
        grown: likewise, the largest / that at the last hidden layer, or that at the first / the
            smallest, whichever is smaller. Norms of zero are left out.
    """

    norms: Series
    chain: npt.NDArray[np.int64]
    faded: Series
    grown: Series


@lru_cache(maxsize=1)  # two rules look at the same block
def profile_of(figures: Figures, roles: Roles) -> Profile:
    """The profile of a block of steps."""
    chain = roles.trunk
    square = figures["activation_grad_rms"].astype(np.float64)
    square *= square
    norms = np.sqrt(square * figures["activation_count"])[:, chain]
    if chain.size >= FEWEST and np.isfinite(norms).all() and norms.all():
        low, top = norms.min(axis=1), norms.max(axis=1)
        first, last = norms[:, 0], norms[:, -1]
        faded, grown = np.maximum(first / top, low / last), np.minimum(top / last, first / low)
        return Profile(norms, chain, faded, grown)
    return _with_gaps(norms, chain)


def _with_gaps(norms: Series, chain: npt.NDArray[np.int64]) -> Profile:
    """The same where some norms are unknown or zero."""
    norms[~np.isfinite(norms)] = np.nan
    none = np.full(len(norms), np.nan)
    known = ~np.isnan(norms)
    if not known.size or known.sum(axis=1).max() < FEWEST:
        return Profile(norms, chain, none, none)
    few = known.sum(axis=1) < FEWEST
    positive = np.where(norms > 0, norms, np.nan)
    reached = ~np.isnan(positive)
    first, last = _ends(positive, reached)
    low, top = np.fmin.reduce(positive, axis=1), np.fmax.reduce(positive, axis=1)
    faded = np.maximum(first / top, low / last)
    grown = np.minimum(top / last, first / low)
    faded[reached.sum(axis=1) < FEWEST] = grown[few] = np.nan
    return Profile(norms, chain, faded, grown)


def _ends(norms: Series, known: Flags) -> tuple[Series, Series]:
    """The norm at the first and at the last layer where it is known, each [steps]."""
    rows = np.arange(len(norms))
    first = norms[rows, known.argmax(axis=1)]
    last = norms[rows, norms.shape[1] - 1 - known[:, ::-1].argmax(axis=1)]
    return first, last


def culprits(profile: Profile, rows: npt.NDArray[np.intp], *, faded: bool) -> Flags:
    """Which layers of the chain change the gradient most on its way back, bool [rows, chain].

    A layer's own factor is from the norm at its outputs to that at the outputs of the one before.
    Named are those with at least half of the largest change, in the logarithm: one bad layer alone,
    or all of many that are alike.

    Args:
        rows: those that are asked about.
        faded: whether the gradient fades toward the input there, or grows.
    """
    norms = np.where(profile.norms[rows] > 0, profile.norms[rows], np.nan)
    # What there is up to a layer: a branch that gets little takes nothing away.
    envelope = (np.fmax if faded else np.fmin).accumulate(norms, axis=1)
    level = np.log(envelope)
    change = np.zeros(norms.shape)
    change[:, 1:] = level[:, 1:] - level[:, :-1] if faded else level[:, :-1] - level[:, 1:]
    change[np.isnan(change)] = 0
    most = change.max(axis=1, keepdims=True)
    return (change > 0) & (change >= most / 2)
