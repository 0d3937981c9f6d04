"""In which modes a network is: what acts otherwise in training than in evaluation."""

from torch import nn

from layerscope.record.network.dropout_calls import DropoutCalls
from layerscope.record.network.frozen_norms import FrozenNorms
from layerscope.record.network.two_modes import TwoModes, frozen_in_name, path_and_class


class Modes:
    """Looks at the modes of modules, and at the dropouts that their code calls.

    Attributes:
        dropouts: what measures the latter, for whoever sees functions.
    """

    def __init__(self, network: nn.Module) -> None:
        self.dropouts, self._network = DropoutCalls(network), network
        self._two_modes, self._frozen_norms = TwoModes(network), FrozenNorms(network)
        self._at_update: dict[str, float] | None = None  # of this step

    @property
    def dropout_at(self) -> str:
        """Which module's dropout, its own or one that its code calls, drops most."""
        if self.dropouts.largest > self._two_modes.dropout:
            return path_and_class(self.dropouts.caller, self._network)
        return self._two_modes.dropout_at

    @property
    def by_mode(self) -> str:
        """What of the network behaves otherwise in training than in evaluation; "" for nothing."""
        return self._two_modes.names

    @property
    def frozen_in_name(self) -> dict[int, str]:
        """By the `id` of each parameter, the module that was frozen by an attribute alone."""
        return frozen_in_name(self._network)

    def follow(self) -> None:
        """The network has other modules now."""
        self._two_modes = TwoModes(self._network)
        self._frozen_norms = FrozenNorms(self._network, self._frozen_norms)

    def begin(self) -> None:
        """A step that is looked at begins."""
        self._frozen_norms.begin()

    def note_update(self) -> None:
        """An optimizer is about to get its gradients: a validation may come before the look."""
        self._at_update = self._seen()

    def take(self) -> dict[str, float]:
        """The step's figures, of the modes at its update if there was one."""
        seen, self._at_update = self._at_update or self._seen(), None
        return seen | {"dropout": max(seen["dropout"], self.dropouts.largest)}

    def _seen(self) -> dict[str, float]:
        return {**self._two_modes.seen, **self._frozen_norms.seen}
