"""Whether somebody holds the graphs of steps that are long over."""

import gc
import weakref
from collections import deque

ENOUGH = 3
"""Earlier looks whose graphs are held: a loop's variables hold one, for as long as they do."""

_MOST = 8


class KeptGraphs:
    """Follows marks that lie in graphs: each lives as long as one of the graphs that bear it.

    What nobody holds may live on in a circle of references until Python looks for those. Once, when
    so many are alive, it is made to look: if that ends them, such circles are usual in this program
    and nothing is told of it any more.
    """

    def __init__(self) -> None:
        self._marks: deque[weakref.ref[object]] = deque(maxlen=_MOST)
        self._in_circles: bool | None = None

    def add(self, mark: object) -> None:
        """A look is over: this mark lies in its graphs."""
        self._marks.append(weakref.ref(mark))

    def held(self) -> list[object]:
        """The marks of earlier looks that are alive."""
        return [mark for each in self._marks if (mark := each()) is not None]

    def count(self) -> int:
        """How many of the last eight looks' graphs are held, but for the last one's; 0 for fewer
        than `ENOUGH`, which goes by when the loop's variables are given something new.
        """
        count = sum(each() is not None for each in list(self._marks)[:-1])
        if count >= ENOUGH and self._in_circles is None:
            gc.collect()
            count = sum(each() is not None for each in list(self._marks)[:-1])
            self._in_circles = count < ENOUGH
        return 0 if self._in_circles or count < ENOUGH else count
