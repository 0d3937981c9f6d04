"""What a network cannot learn by the way it is built, whatever its labels are."""

import math
from functools import lru_cache

from layerscope.diagnose.measured.roles import Roles

_FORGET = ("RNN", "RNNCell")

_LINE = (
    "a hidden layer with an activation function, for one linear layer can only draw a straight "
    "line between classes; then "
)
_FORGOTTEN = (
    "nn.GRU or nn.LSTM in the place of nn.RNN, if what matters lies more than some ten steps back: "
    "as torch draws it, it keeps about 0.58 of its state from one step to the next; then "
)
_FEW = 4
"""Units: a function of so many tanhs or ReLUs of sums bends as often."""


def rather(roles: Roles) -> str:
    """What to try before the labels are doubted, to stand before that remedy; "" of most networks.

    A matrix of n x n numbers that are uniform within 1 / sqrt(n), as torch draws those of an
    `nn.RNN`, has a spectral radius of 1 / sqrt(3) (the circular law, Tao and Vu 2010).
    """
    reached = [facts for facts in roles.layers if facts.order >= 0]
    if any(facts.module in _FORGET for facts in reached):
        return _FORGOTTEN
    if len(reached) == 1 and reached[0].nonlinearity is None and reached[0].width is not None:
        return _LINE
    hidden = [facts.width[1] for facts in reached if facts.width is not None and not facts.last]
    if hidden and max(hidden) <= _FEW and all(facts.width for facts in reached if facts.weights):
        return (
            f"more units: the widest hidden layer has {max(hidden)}, with which a function bends "
            f"about {max(hidden)} times, so 32 to begin with; then "
        )
    return ""


_HOMOGENEOUS = ("relu", "leakyrelu", "prelu", "rrelu")


@lru_cache(maxsize=1)
def answers_by_direction(roles: Roles) -> bool:
    """Whether its outputs for a number times an input are that number times those for the input, of
    all numbers above 0: it has matrices and convolutions without biases, no normalisation, and no
    function but ReLUs and their kind, the last layer's left out. Which output is the largest, and
    of which sign one is, then depends on the direction of an input alone.
    """
    with_function = [each for each in roles.layers if each.nonlinearity and not each.last]
    if not with_function or any(each.normalizes or each.stream for each in roles.layers):
        return False
    plain = (each.width is not None and each.without_bias for each in roles.layers if each.weights)
    return all(plain) and all(each.nonlinearity in _HOMOGENEOUS for each in with_function)


@lru_cache(maxsize=1)
def dies_by_chance(roles: Roles) -> str:
    """What to try before another init where layers of few ReLUs follow on each other, to stand
    before that remedy; "" of most networks.

    A ReLU with random weights is shut by one sample with a chance of a half, so all n of a layer
    are with 2^-n, and in a deep network one such layer is enough (Lu et al. 2020, Dying ReLU and
    Initialization, theorem 3.3).
    """
    widths = [
        facts.width[1]
        for facts in roles.layers
        if facts.nonlinearity == "relu" and facts.width is not None and facts.order >= 0
    ]
    dies = 1 - math.prod(1 - 0.5**width for width in widths)
    if dies < _LIKELY:
        return ""
    return (
        f"more units, or fewer layers: of {len(widths)} layers of ReLUs, some with {min(widths)} "
        f"units, one is dead from the start in about {dies:.0%} of all draws, whatever the init; "
        "then "
    )


_LIKELY = 0.1
