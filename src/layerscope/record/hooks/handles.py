"""Hooks of torch's: taken off together, or put on the gradient of a tensor that is new."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.hooks import RemovableHandle


def remove_all(handles: list[RemovableHandle]) -> None:
    """Take off what these handles stand for; empties the list."""
    for handle in handles:
        handle.remove()
    handles.clear()


def silence(handles: list[RemovableHandle]) -> None:
    """Have these hooks do nothing until they are taken off: an optimizer's hook may fail while
    torch goes through all of them, and torch itself fails if one is taken off meanwhile.
    """
    for handle in handles:
        hooks = handle.hooks_dict_ref()
        if hooks is not None and handle.id in hooks:
            hooks[handle.id] = _do_nothing


def _do_nothing(*_: object) -> None:
    return None


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
