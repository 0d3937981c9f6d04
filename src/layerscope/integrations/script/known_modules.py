"""Which of the modules that a script calls were looked at, and which are to be looked at again."""

from collections.abc import Iterator, Set
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
