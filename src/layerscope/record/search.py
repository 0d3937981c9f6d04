"""How a step looks for what a network's own code calls."""

from enum import IntEnum


class Search(IntEnum):
    """Which modules are searched for functions, attention and branches of a residual stream.

    Attributes:
        NONE: a step in which nothing new is looked for.
        CALLED: those that are known to be called from outside, and all that they call.
        ALL: all, with hooks on each, to find out which are called from outside; and where no branch
            was seen to be added, blocks are looked into again.
    """

    NONE = 0
    CALLED = 1
    ALL = 2
