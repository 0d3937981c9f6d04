"""The modules that a script calls: which were looked at, and which call goes on."""

import sys
from collections.abc import Iterator, Mapping, Set
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from torch import nn

from layerscope.record.network.parts import parameters_of


class KnownModules:
    """Those of a network that was found, and those that no optimizer had when they were called: of
    these it is asked again whether one has them, less and less often.
    """

    def __init__(self) -> None:
        self._seen: WeakSet[nn.Module] = WeakSet()
        self._waiting: WeakKeyDictionary[nn.Module, tuple[int, int]] = WeakKeyDictionary()
        """How often each was called, and at which call to ask again."""

    def __contains__(self, module: nn.Module) -> bool:
        return module in self._seen

    @property
    def waiting(self) -> Iterator[nn.Module]:
        """Those that no optimizer had."""
        return iter(self._waiting)

    def are_asked(self, module: nn.Module) -> bool:
        """Whether to look at a module that is called; a microsecond."""
        if module in self._seen:
            return False
        calls, look = self._waiting.get(module, (0, 1))
        if calls + 1 >= look:
            return True
        self._waiting[module] = calls + 1, look
        return False

    def add(self, module: nn.Module) -> None:
        """It is looked at, with all that it is made of."""
        self._seen.update(module.modules())

    def wait_for(self, module: nn.Module) -> None:
        """No optimizer has it yet."""
        calls = self._waiting.get(module, (0, 1))[0] + 1
        self._waiting[module] = calls, 2 * calls
        self._seen.discard(module)

    def wait_no_more(self, module: nn.Module) -> None:
        """It is of a network that was found."""
        self._waiting.pop(module, None)

    def forget_those_with(self, given: Set[int]) -> None:
        """An optimizer of these parameters, by `id`, has come: ask anew of what waits for it."""
        for module in list(self._waiting):
            if given & parameters_of(module).keys():
                del self._waiting[module]
                self._seen.difference_update(module.modules())


def outermost_call(frame: FrameType | None) -> nn.Module | None:
    """The module that a script calls, by a frame and those above it; None if it calls none."""
    called = None
    while frame is not None:
        if frame.f_code is nn.Module._wrapped_call_impl.__code__:
            called = frame.f_locals.get("self")
        frame = frame.f_back
    return called


def run_new_hooks(module: nn.Module, before: set[int], inputs: Any) -> None:
    """Run what was hooked to a module in whose call we are: torch has its list of hooks already."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename != nn.modules.module.__file__ and frame.f_back is not None:
        frame = frame.f_back
    keywords = frame.f_locals.get("kwargs")
    for number, hook in list(module._forward_pre_hooks.items()):
        if number not in before:
            if number in module._forward_pre_hooks_with_kwargs:
                hook(module, inputs, keywords if isinstance(keywords, Mapping) else {})
            else:
                hook(module, inputs)
