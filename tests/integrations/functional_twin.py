"""A network that computes the same with functions in the place of its activation modules."""

import functools

from torch import nn
from torch.nn import functional as F  # noqa: N812

FUNCTIONS = {nn.Tanh: F.tanh, nn.ReLU: F.relu, nn.Sigmoid: F.sigmoid, nn.GELU: F.gelu}


class Functional(nn.Sequential):
    """Applies its functions by position, where a Sequential would call modules."""

    def forward(self, x):
        for position, module in enumerate(self):
            x = self.functions[position](x) if position in self.functions else module(x)
        return x


def function_of(module):
    if isinstance(module, nn.Softmax):
        return functools.partial(F.softmax, dim=module.dim)
    return FUNCTIONS.get(type(module))


def twin_of(network):
    """The network itself, changed: its parameters stay where an optimizer has them."""
    for parent in list(network.modules()):
        found = {name: function_of(child) for name, child in parent.named_children()}
        found = {name: function for name, function in found.items() if function is not None}
        if type(parent) is nn.Sequential:
            parent.__class__ = Functional
            parent.functions = {int(name): function for name, function in found.items()}
            for name in found:
                parent._modules[name] = nn.Identity()
        else:
            for name, function in found.items():
                del parent._modules[name]
                setattr(parent, name, function)
    return network
