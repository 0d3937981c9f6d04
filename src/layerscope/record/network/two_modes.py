"""Modules that behave otherwise in training than in evaluation: dropouts, batch normalisations."""

import math

from torch import nn

from layerscope.record.distributed.shards import class_of
from layerscope.record.network.layer_names import unwrapped

_DROPOUTS = nn.modules.dropout._DropoutNd
_NORMS = nn.modules.batchnorm._NormBase


class TwoModes:
    """Those of a network's trained parts: evaluation is the place of frozen ones."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._homes = found = _in_trained_parts(network)
        self._dropouts = [module for module in found if isinstance(module, _DROPOUTS)]
        self._recurrent = [
            each
            for each in network.modules()
            if isinstance(each, nn.RNNBase) and each.num_layers > 1
        ]
        self._norms = [module for module in found if isinstance(module, _NORMS)]
        self._written = _written_norms(network)

    @property
    def seen(self) -> dict[str, float]:
        """These figures of this moment, by their names."""
        names = ("dropout", "norm_momentum", "evaluation_share")
        return {name: getattr(self, name) for name in names}

    @property
    def names(self) -> str:
        """Which of both there are, but for those that alone are in another mode than their home."""
        drops = any(each.p > 0 and self._goes_along(each) for each in self._dropouts)
        drops |= any(each.dropout > 0 for each in self._recurrent)
        keeps = [each for each in self._norms if each.running_mean is not None]
        norms = any(map(self._goes_along, keeps))
        return " and ".join(["dropout"] * drops + ["batch normalisation"] * norms)

    def _goes_along(self, module: nn.Module) -> bool:
        return module.training == self._homes[module].training

    @property
    def dropout(self) -> float:
        """Largest probability of a dropout that is on, those between the layers of a recurrent
        stack too; 0 without any.
        """
        return max((probability for _, probability in self._dropping()), default=0.0)

    @property
    def dropout_at(self) -> str:
        """Which module drops most, by `path_and_class`; "" without any."""
        dropping = self._dropping()
        most = max(dropping, key=lambda each: each[1])[0] if dropping else None
        return path_and_class(most, self._network)

    def _dropping(self) -> list[tuple[nn.Module, float]]:
        own = [(each, each.p) for each in self._dropouts if each.training]
        return own + [(each, each.dropout) for each in self._recurrent if each.training]

    @property
    def evaluation_share(self) -> float:
        """Of all, the share that is in evaluation mode, and its home with it: one that stands so
        alone in a module that trains was put there, as statistics that fine-tuning keeps. 0 without
        any.
        """
        both = (*self._dropouts, *self._norms)
        lost = sum(not each.training and not self._homes[each].training for each in both)
        return lost / max(len(both), 1)

    @property
    def norm_momentum(self) -> float:
        """Of those in training mode that keep running statistics, the largest momentum; 0 of one
        that has never kept any, and -1 of one of a class of the user's; NaN without such. Waits for
        the device if one is 0, or of such a class.
        """
        largest = math.nan
        for module, mean, variance in self._written:
            kept, of = (getattr(module, name, None) for name in (mean, variance))
            learns = any(each.grad is not None for each in module.parameters(recurse=False))
            if not (module.training and learns) or kept is None or of is None:
                continue
            if not kept.any() and bool((of == 1).all()):  # device to host, where there is one
                return -1.0
        for norm in self._norms:
            if not norm.training or norm.running_mean is None or norm.momentum is None:
                continue
            if norm.momentum > 0:
                largest = max(norm.momentum, largest)
            elif not norm.running_mean.any():  # a loop may set it to 0 for one of several passes
                return 0.0
        return largest


def path_and_class(module: nn.Module | None, network: nn.Module) -> str:
    """Of a module in a network, such as "blocks.0.drop (Dropout)"; the class alone of the network
    itself, and "" if it is no module of it.
    """
    if module is None:
        return ""
    name = class_of(module).__name__
    for path, each in network.named_modules():
        if each is module:
            return f"{unwrapped(path)} ({name})" if unwrapped(path) else name
    return ""


def _written_norms(network: nn.Module) -> list[tuple[nn.Module, str, str]]:
    """Modules that are no normalisation of torch's and have buffers of the usual names for running
    statistics, with the names of the mean's and the variance's.
    """
    found = []
    for module in network.modules():
        buffers = [name for name, _ in module.named_buffers(recurse=False)]
        kept = [name for name in buffers if name.startswith(("running_", "moving_"))]
        mean = next((name for name in kept if name.endswith("_mean")), None)
        variance = next((name for name in kept if name.endswith(("_var", "_variance"))), None)
        if mean and variance and not isinstance(module, _NORMS):
            found.append((module, mean, variance))
    return found


def _in_trained_parts(network: nn.Module) -> dict[nn.Module, nn.Module]:
    """Dropouts and batch normalisations, each with the module that it is in, but for those whose
    nearest module with parameters, be it themselves, has none that is trained.
    """
    found: dict[nn.Module, nn.Module] = {}
    waiting = [(network, network, True)]
    while waiting:
        module, home, is_trained = waiting.pop()
        trained = [parameter.requires_grad for parameter in module.parameters()]
        is_trained = any(trained) if trained else is_trained
        if isinstance(module, (_DROPOUTS, _NORMS)) and is_trained:
            found.setdefault(module, home)
        waiting += [(child, module, is_trained) for child in reversed([*module.children()])]
    return found


def frozen_in_name(network: nn.Module) -> dict[int, str]:
    """Of each parameter below a module with `requires_grad = False` its `id`, and the module's
    path: a module has no such attribute, but the method `requires_grad_`.
    """
    found: dict[int, str] = {}
    for path, module in network.named_modules():
        # Not by getattr: what a class has, or makes up, is another matter.
        if module.__dict__.get("requires_grad") is False:
            for parameter in module.parameters():
                found.setdefault(id(parameter), path)
    return found
