"""Imports on first use leave a script's random numbers and its garbage collector alone."""

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unnoticed() -> Iterator[None]:
    """Import within, once a process.

    - What is imported may draw random numbers, as rich does for its styles: those of a script that
      has set its seed before are to be what they are without us.
    - Imports create some hundred thousand objects that stay. Each pass of the collector through a
      process with torch in it takes a quarter of a second and would find nothing; Python asks for
      one whenever a quarter of all objects are new, so the next would come within the training. The
      new objects are therefore called old, by a freeze and its undoing, and do not count as new. A
      script's own objects of the last moment are called old with them, and a script that has
      frozen objects itself keeps them frozen, at the cost of that pass.
    """
    drawn, collecting = random.getstate(), gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        random.setstate(drawn)
        if gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
        if collecting:
            gc.enable()
