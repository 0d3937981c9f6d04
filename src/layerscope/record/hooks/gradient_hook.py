"""A hook on the gradient of a tensor that is new."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor

_OURS = -1  # torch numbers the hooks of a tensor from 0


def hook_gradient(tensor: Tensor, hook: Callable[[Tensor], None]) -> None:
    """Put a hook on the gradient of a tensor that has come out of an operation, and has no hook.

    It is what `Tensor.register_hook` does, but for the handle that takes the hook off again, which
    takes most of the time: nobody needs one for a tensor that goes when the step is over. Hooks
    that come later are put beside it, by torch itself.

    Args:
        tensor: with a `grad_fn`.
        hook: is given the gradient.
    """
    hooks: OrderedDict[int, Callable[[Tensor], Any]] = OrderedDict()
    hooks[_OURS] = hook  # of a sequence of one pair it would take three times as long
    tensor._backward_hooks = hooks
    tensor.grad_fn._register_hook_dict(tensor)  # type: ignore[union-attr]
