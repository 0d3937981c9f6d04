"""Is what a network gets the tensor that it got before, or one that was made anew?"""

from collections.abc import Hashable
from weakref import ReferenceType, ref

from torch import Tensor


class Origins:
    """Remembers which tensor came to a place at the last look, without keeping it alive.

    A view of a tensor is that tensor: training on all data at once may call `net(x[None])`.
    """

    def __init__(self) -> None:
        self._at: dict[Hashable, ReferenceType[Tensor]] = {}

    def is_same(self, place: Hashable, tensor: Tensor) -> bool:
        """Whether it is what came to the place at the last look."""
        base = tensor._base
        origin = tensor if base is None else base
        before = self._at.get(place)
        self._at[place] = ref(origin)
        return before is not None and before() is origin
