"""Which modules get what another has given, with nothing computed in between."""

from torch import nn

_AS_IT_IS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.Flatten, nn.Identity)
"""What makes no value that is not finite."""


def givers(network: nn.Module) -> dict[nn.Module, nn.Module]:
    """Of each module in a plain `nn.Sequential` that comes behind another, the one whose output it
    gets. A module in several places is left out.

    >>> chain = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Sequential(nn.ReLU()))
    >>> givers(chain) == {chain[1]: chain[0], chain[2][0]: chain[0]}
    True
    """
    found: dict[nn.Module, nn.Module | None] = {}
    _follow(network, None, found)
    return {module: giver for module, giver in found.items() if giver is not None}


def _follow(
    module: nn.Module, giver: nn.Module | None, found: dict[nn.Module, nn.Module | None]
) -> nn.Module | None:
    """Note the giver of a module and of its parts; return who has made what the module gives."""
    if getattr(type(module), "forward", None) is nn.Sequential.forward:
        for child in module._modules.values():  # `children` leaves out what comes again
            giver = giver if child is None else _follow(child, giver, found)
        return giver
    found[module] = None if module in found else giver
    for child in module.children():
        _follow(child, None, found)
    return giver if isinstance(module, _AS_IT_IS) else module
