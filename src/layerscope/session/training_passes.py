"""Which forward passes of a network are training: those that a backward pass can follow."""

from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.session.passing_hook import PassingHook


class TrainingPasses:
    """Measures nothing in a thread while it calls the network without gradients: a validation whose
    loop forgot `eval()`, or the steps of an agent in its world.

    What is called without gradients inside a pass with them, such as a frozen backbone, is part of
    training, and so is what reentrant checkpointing calls. It costs 1 us a pass. A network that is
    compiled or scripted is not told apart, nor one whose parts are called without it.

    Args:
        state: what the hooks of its layers share.
    """

    def __init__(self, network: nn.Module, state: HookState) -> None:
        self._state = state
        self._handles: list[RemovableHandle] = []
        is_called_as_it_is = not (
            isinstance(network, torch.jit.ScriptModule)
            or hasattr(network, "_orig_mod")
            or network._compiled_call_impl is not None
        )
        if is_called_as_it_is:
            self._handles = [
                network.register_forward_pre_hook(PassingHook(self.before)),
                network.register_forward_hook(PassingHook(self.after), always_call=True),
            ]

    def remove(self) -> None:
        """Take the hooks off."""
        remove_all(self._handles)

    def before(self, *told: Any) -> None:
        """A call of the network begins."""
        # Also while nothing is counted: another thread may begin a step meanwhile.
        if self._state.depth_aside() or _is_without_gradients():
            self._state.call_aside(1)

    def after(self, *told: Any) -> None:
        """A call of the network ends, whatever happened in it."""
        if self._state.depth_aside():
            self._state.call_aside(-1)


def _is_without_gradients() -> bool:
    # An autograd function's own forward, as of reentrant checkpointing, has forward-mode gradients
    # off as well; torch.no_grad leaves them on.
    return not torch.is_grad_enabled() and (
        torch.is_inference_mode_enabled() or torch._C._is_fwd_grad_enabled()
    )
