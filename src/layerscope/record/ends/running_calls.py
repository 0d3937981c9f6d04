"""Which modules' calls are going on: the training loop's own are those with none around them."""

from torch import nn


class RunningCalls:
    """Is told when a module is called and when it returns, by hooks that are always called."""

    def __init__(self) -> None:
        self._modules: list[nn.Module] = []

    def begin(self, module: nn.Module) -> bool:
        """Whether no other call is going on."""
        self._forget_hookless()
        self._modules.append(module)
        return len(self._modules) == 1

    def end(self) -> bool:
        """Whether no other call is going on any more."""
        self._forget_hookless()
        del self._modules[-1:]
        return not self._modules

    def clear(self) -> None:
        """Forget all of them."""
        self._modules.clear()

    def _forget_hookless(self) -> None:
        """A module whose hooks were taken off since (see `StandAside`) never returns."""
        while self._modules and not self._modules[-1]._forward_hooks:
            self._modules.pop()
