"""Which optimizers have been seen to take steps, and what they have."""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakSet

from torch.optim import Optimizer

from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.ownership import given_to


class SeenOptimizers:
    """Those that have taken steps of a network's parameters, and those of others only.

    Attributes:
        of_network: those that have some of the network's.
        go_on: whether one had taken steps before it came here, so that the network is one that was
            trained.
    """

    def __init__(self) -> None:
        self.of_network: dict[Optimizer, frozenset[int]] = {}  # and what they have
        self.go_on = False
        self._others: dict[int, frozenset[int]] = {}  # likewise, of other networks
        self._ever: WeakSet[Optimizer] = WeakSet()
        self._replaced = 0
        self._in_vain: list[Optimizer] = []  # in this step

    def arrive_first(self, optimizer: Optimizer) -> None:
        """One is about to take the first step that is seen of a run, or of what it goes on from."""
        self.go_on |= any(map(_has_stepped, optimizer.state.values()))

    def note(self, optimizer: Optimizer) -> None:
        """One that is not known takes a step of the network's parameters. One that is made anew in
        each, of the same parameters, takes the place of the one before: nobody else may keep that.
        """
        has = frozenset(given_to(optimizer))
        for other in [each for each, had in self.of_network.items() if had == has]:
            del self.of_network[other]
            self._replaced += optimizer not in self._ever
        self._ever.add(optimizer)
        self.of_network[optimizer] = has

    def note_other(self, optimizer: Optimizer, *, looking: bool) -> None:
        """One takes a step that has none of this network's parameters."""
        if id(optimizer) not in self._others:
            self._others[id(optimizer)] = frozenset(given_to(optimizer))
        if looking and all(each.grad is None for each in given_to(optimizer).values()):
            self._in_vain.append(optimizer)

    def __bool__(self) -> bool:
        """Whether any was seen."""
        return bool(self.of_network or self._others)

    def first_owned(self, parameters: Sequence[LayerParameter]) -> Sequence[LayerParameter]:
        """The first of these that one of them has; none if there is none."""
        owned = set().union(*map(given_to, self.of_network))
        return [each for each in parameters if id(each.parameter) in owned][:1]

    def owned(self) -> frozenset[int]:
        """The `id` of all that any of them has, of whichever network."""
        return frozenset().union(*map(given_to, self.of_network), *self._others.values())

    def take(self) -> list[Optimizer]:
        """Those of the network; else those of this step that were of no use: one that steps without
        any gradient was meant to have this network's.
        """
        optimizers, self._in_vain = list(self.of_network) or self._in_vain, []
        return optimizers

    def figures(self) -> Mapping[str, float]:
        """By names of `STEP_FIGURES`."""
        return {
            "optimizers": float(len(self.of_network) + len(self._others)),
            "optimizers_replaced": float(self._replaced),
            "goes_on": float(self.go_on),
        }


def _has_stepped(state: Any) -> bool:
    """Whether an optimizer's state of a parameter is that of one that has taken steps before."""
    if not isinstance(state, Mapping):
        return False
    steps = state.get("step", 0)
    return (steps is not None and float(steps) > 0) or state.get("momentum_buffer") is not None
