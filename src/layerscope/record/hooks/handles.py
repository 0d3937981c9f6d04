"""Hooks of torch's, taken off together."""

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
