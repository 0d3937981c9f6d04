"""The loss of a loop that tells it to nobody: the tensor that its backward pass starts from."""

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any
from weakref import ref

from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils.hooks import RemovableHandle

from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.output_hook import is_exporting, is_wrapped
from layerscope.record.outputs import tensors_in

_ENGINE = "_engine_run_backward"
"""The Python function out of which autograd's engine is started. Torch has no hook for the start of
a backward pass. On the CPU the engine runs the hooks of tensors in the thread that started it,
above this function's frame; those of a GPU's tensors in a thread of its own, while that one waits.
"""


class BackwardStart:
    """Adds up the losses of the backward passes that go through a network.

    Give `see_output` to `register_forward_hook` of the modules that the loop calls, or, where these
    are compiled or not known, call `see_parameters`. It costs some microseconds a pass.

    Args:
        network: through which they go.
        tell: is given each loss, with its graph, while its backward pass runs.
    """

    def __init__(self, network: nn.Module, tell: Callable[[Tensor], None]) -> None:
        self._tell = tell
        self.passes = 0
        self._some = [
            each
            for each in network.parameters()
            if each.requires_grad and not isinstance(each, nn.UninitializedParameter)
        ][:8]
        self._total: Tensor | None = None
        # What was started from, as a pass may meet several outputs: not kept, for its graph's sake.
        self._last: ref[Tensor] | None = None
        self._evaluations: int | None = None  # that an optimizer's step has asked for; None outside
        self._nodes: list[Node] = []  # nobody else keeps them alive

    @property
    def latest(self) -> Tensor | None:
        """What the last backward pass started from, if anybody still has it."""
        return None if self._last is None else self._last()

    def take(self) -> Tensor | None:
        """The sum of the losses since the last call, or since the gradients were cleared."""
        total, self._total, self._last = self._total, None, None
        self._evaluations = None
        return total

    def end(self) -> None:
        """Tell no more."""
        self._total = self._last = None
        self._tell = lambda _: None

    def begin_step(self) -> None:
        """An optimizer's step begins; it may evaluate a closure several times: the first counts."""
        self._evaluations = 0

    def see_output(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """A forward hook: the gradient of the output will tell where it came from."""
        if is_exporting():
            return
        for _, tensor in tensors_in(output):
            # torch.func's wrapper of a tensor, and of a loss, is not to be used after its call.
            if tensor.requires_grad and not is_wrapped(tensor):
                tensor.register_hook(QuietHook(self._see_gradient))  # type: ignore[no-untyped-call]

    def see_parameters(self) -> list[RemovableHandle]:
        """Have some parameters' nodes in the graph tell, which torch.compile does not see."""
        self._nodes = [get_gradient_edge(each).node for each in self._some]
        return [node.register_prehook(QuietHook(self._see_gradient)) for node in self._nodes]

    def _see_gradient(self, gradient: object) -> None:
        loss = _started_from()
        if loss is None or (self._last is not None and loss is self._last()):
            return
        self._last = ref(loss)
        self.passes += 1
        # A GAN's discriminator also gets gradients from the generator's loss, which are cleared
        # before its own: what was started before the gradients were cleared does not count.
        is_cleared = all(each.grad is None for each in self._some)
        if self._evaluations is not None:
            self._evaluations += is_cleared
            if self._evaluations > 1:
                return
        self._tell(loss)
        if self._total is None or is_cleared:
            self._total = loss.detach()
        else:
            self._total = self._total + loss.detach()


def _started_from() -> Tensor | None:
    """The tensor that the backward pass starts from in which a hook is called, if it is one."""
    found = _outermost(sys._getframe(2))
    if found is None:  # a thread of the device's
        started = map(_outermost, sys._current_frames().values())
        passes = [frame for frame in started if frame is not None]
        found = passes[0] if len(passes) == 1 else None
    starts: Sequence[object] = found.f_locals.get("t_outputs", ()) if found is not None else ()
    losses = [each for each in starts if isinstance(each, Tensor) and each.numel() == 1]
    return losses[0] if len(losses) == len(starts) == 1 else None


def _outermost(frame: FrameType | None) -> FrameType | None:
    """Where a thread has started its backward pass: checkpointing starts one within another."""
    found = None
    while frame is not None:
        if frame.f_code.co_name == _ENGINE:
            found = frame
        frame = frame.f_back
    return found
