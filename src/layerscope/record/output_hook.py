"""The hook on a module's output, and through it on that output's gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from layerscope.record.recorder import Recorder


class OutputHook:
    """Measures what a module puts out, at once, and its gradient on the way back.

    It never raises into the network. A copy of the module (by `copy.deepcopy`, by `torch.save`, to
    average the weights) carries a hook that does nothing: its outputs are not the network's.

    Args:
        recorder: what the tensors are measured for.
        name: the layer's.
        activation, gradient: rows; -1 measures none.
    """

    __slots__ = ("_activation", "_gradient", "_name", "_recorder")

    def __init__(self, recorder: Recorder, name: str, activation: int, gradient: int) -> None:
        self._recorder = recorder
        self._name = name
        self._activation = activation
        self._gradient = gradient

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Called by torch after the module's forward."""
        recorder = self._recorder
        if not recorder.counting:
            return
        try:
            if not isinstance(output, Tensor) or not output.is_floating_point():
                kind = output.dtype if isinstance(output, Tensor) else type(output).__name__
                recorder.not_measured[self._name] = f"its output is {kind}, not a tensor of floats"
                return
            if self._activation >= 0:
                recorder.add(self._activation, output)
            if self._gradient >= 0 and output.requires_grad:
                output.register_hook(self._measure_gradient)  # type: ignore[no-untyped-call]
        except Exception as error:  # whatever it is, the network goes on without us
            recorder.give_up(error)

    def _measure_gradient(self, gradient: Tensor) -> None:
        try:
            self._recorder.add(self._gradient, gradient)
        except Exception as error:  # as above
            self._recorder.give_up(error)

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        """Copied and pickled as a hook that does nothing."""
        return _inert, ()


def _ignore(module: nn.Module, inputs: Any, output: Any) -> None:
    """A forward hook that does nothing."""


def _inert() -> Callable[[nn.Module, Any, Any], None]:
    return _ignore
