"""A network that is made of something else than when it was first looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import is_

from torch import nn
from torch.optim import Optimizer

from layerscope.record.distributed.shards import put_shards_back
from layerscope.record.network.layers import Choice, Layer, choose_layers
from layerscope.record.network.optimizer_groups import Groups, groups_of
from layerscope.record.network.parts import parts_of


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a network's layers.

    Attributes:
        layers: as many as before, in their order and under their names, of what is there now.
        other: names of those that are made of another module or other parameters.
        gone: names of those that are no longer there.
        came: paths of layers that were not there.
    """

    layers: tuple[Layer, ...]
    other: tuple[str, ...]
    gone: tuple[str, ...]
    came: tuple[str, ...]


class Changes:
    """Finds out whether modules or parameters of a network were replaced, added or taken out.

    Attributes:
        suspected: whether an optimizer has come for the first time, or with other parameters.
    """

    def __init__(self, network: nn.Module, choice: Choice, layers: Sequence[Layer]) -> None:
        self._network = network
        self._choice = choice
        self._layers = tuple(layers)
        self._parts = self._parts_now()
        self._had: dict[int, Groups] = {}
        self.suspected = False

    def note_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step; a microsecond for each of its groups."""
        has = groups_of(optimizer)
        if self._had.get(id(optimizer)) != has:
            self._had[id(optimizer)] = has
            self.suspected = True

    def look(self) -> Change | None:
        """What has changed since the last look; None if nothing has. Some microseconds a module."""
        self.suspected = False
        if self._are_there(parts := self._parts_now()):
            return None
        if put_shards_back(self._network) and self._are_there(parts := self._parts_now()):
            return None
        self._parts = parts
        try:
            found = choose_layers(self._network, self._choice)
        except ValueError:  # nothing is left to watch
            found = ()
        modules = set(self._network.modules())
        at = {layer.path: layer for layer in found}
        layers, other, gone = [], [], []
        kept: set[nn.Module] = set()
        for old in self._layers:
            new = at.get(old.path)
            if new is None or new.has_output is not old.has_output:
                new = old  # it may have moved to another path, as what an adapter wraps
                if old.module not in modules:
                    gone.append(old.name)
            elif _is_made_of_the_same(old, new):
                new = old
            else:
                new = replace(new, name=old.name)
                other.append(old.name)
            kept.add(new.module)
            layers.append(new)
        came = [layer.path for layer in found if layer.module not in kept]
        self._layers = tuple(layers)
        if not (other or gone or came):
            return None
        return Change(self._layers, tuple(other), tuple(gone), tuple(came))

    def _are_there(self, parts: Sequence[object]) -> bool:
        return len(parts) == len(self._parts) and all(map(is_, parts, self._parts))

    def _parts_now(self) -> list[object]:
        """Kept, so that no later object has an earlier one's identity."""
        modules, parameters = parts_of(self._network)
        return [*modules, *parameters.values()]


def _is_made_of_the_same(old: Layer, new: Layer) -> bool:
    """Parameters under other names, as pruning gives them, are the same parameters."""
    before, now = ({parameter for _, parameter in each.parameters} for each in (old, new))
    return old.module is new.module and old.entry is new.entry and before == now
