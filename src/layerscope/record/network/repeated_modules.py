"""One module that stands in a list several times: `[block] * n` makes n names of one block."""

from collections import defaultdict

from torch import nn

_LISTS = (nn.ModuleList, nn.Sequential, nn.ModuleDict)


def repeated_modules(network: nn.Module) -> dict[str, float]:
    """How many entries of a network's lists are a module with weights that stands there before, and
    how many of those have a batch normalisation that keeps running statistics; and how many such
    normalisations stand in several modules of one class of the user's; as figures.

    Some microseconds a module. Functions without weights may well be one object.
    """
    entries = with_statistics = 0
    for module in network.modules():
        if not isinstance(module, _LISTS):
            continue
        seen: set[nn.Module] = set()
        entered = module._modules.values()
        for each in (each for each in entered if isinstance(each, nn.Module)):  # or None
            if each in seen and any(True for _ in each.parameters()):
                entries += 1
                with_statistics += any(map(_keeps_statistics, each.modules()))
            seen.add(each)
    return {
        "modules_repeated": float(entries),
        "statistics_repeated": float(with_statistics),
        "norms_shared": float(_shared_norms(network)),
    }


def _shared_norms(network: nn.Module) -> int:
    """How many batch normalisations have two homes of one class. Lists, and slices of them, may
    well be other views of one network.
    """
    homes: dict[nn.Module, list[type]] = defaultdict(list)
    for module in network.modules():
        if not type(module).__module__.startswith("torch.nn."):
            for each in {each for each in module._modules.values() if each is not None}:
                if _keeps_statistics(each):
                    homes[each].append(type(module))
    return sum(len(set(classes)) < len(classes) for classes in homes.values())


def _keeps_statistics(module: nn.Module) -> bool:
    is_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return is_norm and bool(module.track_running_stats)
