"""What a network cannot learn by the way it is built, whatever its labels are."""

from layerscope.diagnose.roles import Roles

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
