"""A script's networks: which one a call is of, where its files land, and one left behind."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from layerscope.record.distributed.shards import class_of
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to


def outermost_network(
    called: nn.Module, optimizers: Iterable[Optimizer], modules: Iterable[nn.Module]
) -> nn.Module | None:
    """The network that a called module is a part of: the outermost one with the same optimizers.

    It is the called module itself, unless a module around it has more parameters to train and no
    optimizer that the called one has not: a generator stays apart from its discriminator, and an
    encoder that is called alone belongs to its autoencoder. A mere container, which cannot be
    called, is a network if these optimizers have all that is trained in it: a list of a student
    and its teacher is none. Wrappers that only pass on a call
    (DistributedDataParallel, what `torch.compile` gives) are taken off.

    Args:
        called: called by no other module.

    Returns:
        None where no optimizer has any of the parameters.
    """
    called = _unwrapped(called)
    own = {id(each): set(given_to(each).values()) for each in optimizers}
    mine = _optimizers(called, own)
    if not mine:
        return None
    trained = {each for number in mine for each in own[number]}
    found, most = called, _trainable(called)
    for each in modules:
        if len(candidate := _trainable(each)) <= len(most):
            continue
        is_container = getattr(type(each), "forward", None) is nn.Module.forward
        if is_container and not candidate <= trained:
            continue
        if any(part is called for part in each.modules()) and _optimizers(each, own) == mine:
            found, most = each, candidate
    return _unwrapped(found)


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        if isinstance(module, DistributedDataParallel):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):
            module = inner
        else:
            return module


def _trainable(module: nn.Module) -> set[nn.Parameter]:
    return {each for each in module.parameters() if each.requires_grad}


def _optimizers(module: nn.Module, own: dict[int, set[nn.Parameter]]) -> set[int]:
    there = set(module.parameters())
    return {each for each, parameters in own.items() if parameters & there}


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


def network_folder(folder: Path, network: nn.Module, earlier: Iterable[nn.Module]) -> Path:
    """A network's own folder among those of several: by its class, `GAN_2` of a second one.

    Args:
        earlier: its networks that are watched already.
    """
    name = class_of(network).__name__
    before = sum(class_of(each).__name__ == name for each in earlier)
    return folder / (f"{name}_{before + 1}" if before else name)
