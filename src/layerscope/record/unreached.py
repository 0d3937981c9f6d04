"""Layers that no call has reached while hooks were counting, and why."""

from collections.abc import Iterable, Sequence

from layerscope.record.hook_state import HookState
from layerscope.record.layer_output import LayerOutput
from layerscope.record.output_hook import OutputHook

IN_EVALUATION_MODE = (
    "the network was in evaluation mode during training: call its train() before the first step"
)
"""Why a layer that was called is not measured."""

NEVER_FIRED = (
    "its hook has never fired in training: it was not called as a module, or compiled before the "
    "hook was on"
)
"""Why a layer that was never called is not measured."""

NEVER_FIRED_DIVIDED = (
    "its hook has never fired in training: it was not called as a module, or it was compiled, and "
    "tensor parallelism is not measured in compiled code"
)
"""Why a layer of a network that tensor parallelism divides was never called."""

USED_BY_OTHERS = "it is not called as a module: another one computes with its weights"
"""Why a layer that was never called, but whose weights are trained, is not measured."""

IN_TRANSFORM = "it was called inside a torch.func transform, such as vmap"
"""Why a layer that was called nowhere else is not measured."""


class Unreached:
    """What is known of layers that are not measured because nothing was, or because of the mode.

    Attributes:
        in_evaluation_mode: layers that were called, with gradients, while the network was in
            evaluation mode, in a step in which nothing was called in training mode: that step.
    """

    def __init__(self, hooks: Sequence[OutputHook], state: HookState) -> None:
        self._hooks = hooks
        self._state = state
        self._fired_before: set[str] = set()
        self._unfired: dict[str, str] = {}
        self.in_evaluation_mode: dict[str, int] = {}

    def end_step(self, step: int) -> None:
        """Look, where layers were called in evaluation mode, whether all calls since the last such
        look were.
        """
        fired = {hook.layer.name for hook in self._hooks if hook.fired}
        for hook in self._hooks:
            hook.fired = False
        self._fired_before |= fired
        if not fired:
            for name in self._state.evaluated:
                self.in_evaluation_mode.setdefault(name, step)
        self._state.evaluated.clear()

    def unfired(self) -> list[str]:
        """The layers whose hooks have never been called while counting, in either mode."""
        return [
            hook.layer.name
            for hook in self._hooks
            if hook.layer.has_output
            and not hook.layer.function
            and not hook.fired
            and hook.layer.name not in self._fired_before
            and hook.layer.name not in self.in_evaluation_mode
        ]

    def note_unfired(self) -> list[str]:
        """The same; they are not measured until they are called."""
        unfired = self.unfired()
        divided = self._state.layouts is not None
        self._unfired = dict.fromkeys(unfired, NEVER_FIRED_DIVIDED if divided else NEVER_FIRED)
        return unfired

    def note_used(self, layers: Iterable[str]) -> None:
        """Other modules compute with the weights of these, whose hooks have never been called."""
        self._unfired |= dict.fromkeys(layers, USED_BY_OTHERS)

    def not_measured(self, outputs: Iterable[LayerOutput]) -> dict[str, str]:
        """Layers whose output could not be measured, and why: those that a hook has told of, and
        those that `note_unfired` has told of or that were in evaluation mode or transformed, and
        have not been reached otherwise.
        """
        reached = {output.layer.name for output in outputs if output.order >= 0}
        evaluated = dict.fromkeys(self.in_evaluation_mode, IN_EVALUATION_MODE)
        unfired = self._unfired | evaluated | dict.fromkeys(self._state.transformed, IN_TRANSFORM)
        left = {name: why for name, why in unfired.items() if name not in reached}
        return left | self._state.not_measured
