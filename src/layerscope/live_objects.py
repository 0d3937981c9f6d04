"""What a program has made so far, found among the objects that Python keeps."""

import gc
from itertools import chain, tee
from typing import Any


def live_objects(*kinds: type[Any]) -> list[list[Any]]:
    """All objects of some classes, a list for each; garbage that waits for its collection too.

    It goes through every object of the process: 0.1 s of the processor for half a million of them,
    as many as torch and Lightning make.

    Among these may be a tuple that another thread is about to fill, as in `tuple(f(x) for x in y)`.
    Python raises a SystemError there if anybody else holds it when it is full. So no thread may run
    while all objects are held: either pass over them is one call of a function in C, within which
    Python changes no threads, and only the second one gives objects, which refer to such a class.
    A garbage collection within would: it calls what is in `gc.callbacks`, and finalizers.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        everything = chain.from_iterable(map(gc.get_objects, (None,)))  # asked for in a call below
        one, other = tee(map(type, everything))
        types = dict(zip(map(id, one), other, strict=True))  # a class may have a hash of its own
        wanted = [each for each in types.values() if issubclass(each, kinds)]
        living = gc.get_referrers(*wanted) if wanted else []
    finally:
        if collects:
            gc.enable()
    # By its type: isinstance() asks a proxy for __class__, which may import or warn.
    return [[each for each in living if issubclass(type(each), kind)] for kind in kinds]
