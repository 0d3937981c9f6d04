"""A network that is called to train, while the optimizer that steps has another's parameters."""

from collections import Counter
from collections.abc import Iterable

from torch import nn
from torch.optim import Optimizer

from layerscope.record.distributed.shards import class_of
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to


def left_behind(called: Iterable[nn.Module], optimizer: Optimizer) -> str:
    """The class of the last of these modules that has parameters of the same shapes as all of the
    optimizer's, as a head that was replaced after the optimizer was made; "" without any.

    Args:
        called: to train, and none of their parameters is the optimizer's.
    """
    given = Counter(tuple(each.shape) for each in given_to(optimizer).values())
    found = ""
    for module in called:
        own = parameters_of(module).values()
        shapes = Counter(tuple(each.shape) for each in own if each.requires_grad)
        if given and given <= shapes:
            found = class_of(module).__name__
    return found
