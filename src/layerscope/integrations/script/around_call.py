"""What a script has made around a module that it calls: the network, optimizers, a scaler."""

import gc
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from layerscope.integrations.script.networks_of_a_script import outermost_network
from layerscope.live_objects import live_objects
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to


@dataclass(frozen=True, slots=True)
class AroundCall:
    """What was found.

    Attributes:
        network: that the module is a part of; None if no optimizer has any of its parameters.
        optimizers: all of the script.
        scalers: those that are enabled.
    """

    network: nn.Module | None
    optimizers: list[Optimizer]
    scalers: list[GradScaler]

    @property
    def own_optimizers(self) -> list[Optimizer]:
        """Those that have some of the network's parameters."""
        own = {} if self.network is None else parameters_of(self.network)
        return [each for each in self.optimizers if given_to(each).keys() & own.keys()]

    @property
    def scaler(self) -> GradScaler | None:
        """The only one that is enabled; of several nobody knows whose they are."""
        return self.scalers[0] if len(self.scalers) == 1 else None


def look_around(module: nn.Module, others: Container[Optimizer]) -> AroundCall:
    """Look through all objects of the process, some 200 ms.

    Args:
        others: optimizers that are not the script's.
    """
    found = _look(module, others)
    if found.scalers or len(found.optimizers) > 1 or found.network not in (None, module):
        del found  # some may be garbage, of a trial, which it keeps alive
        gc.collect()
        found = _look(module, others)
    return found


def _look(module: nn.Module, others: Container[Optimizer]) -> AroundCall:
    optimizers, modules, scalers = live_objects(Optimizer, nn.Module, GradScaler)
    optimizers = [each for each in optimizers if each not in others]
    network = outermost_network(module, optimizers, modules)
    return AroundCall(network, optimizers, [each for each in scalers if each.is_enabled()])


def with_parameters_of(optimizer: Optimizer, modules: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Those of the modules that have one of an optimizer's parameters themselves."""
    given = given_to(optimizer).keys()
    for module in modules:
        if any(id(parameter) in given for parameter in module.parameters(recurse=False)):
            yield module
