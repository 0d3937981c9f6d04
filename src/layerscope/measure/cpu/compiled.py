"""How every CPU kernel is declared: compiled at its first call, and kept for later processes.

numba keeps what it has compiled beside the source, or else in a folder of the user's own, or where
NUMBA_CACHE_DIR says. A package that is installed read-only and run by a user without a home, as in
many containers, has none of these: then each process compiles anew, which takes it half a minute.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import cfunc, njit


def jit(kernel: Callable[..., Any], reassociate: bool = False) -> Any:
    """Compile a kernel for the types of its first call; it runs without the GIL.

    Args:
        kernel: of numbers and of addresses, see `raw_memory`.
        reassociate: whether floats may be added in another order, as vector lanes do; NaN and
            infinities keep their meaning.
    """
    fastmath = {"reassoc", "contract", "nsz"} if reassociate else False
    return _kept(lambda keep: njit(kernel, cache=keep, nogil=True, fastmath=fastmath))


def jit_callback(kernel: Callable[[int], None]) -> Any:
    """Compile a function of one int64 now, for calls from C: `.address` is valid while it lives."""
    return _kept(lambda keep: cfunc("void(int64)", cache=keep)(kernel))


def _kept(declare: Callable[[bool], Any]) -> Any:
    """What declare(True) gives; where numba finds no folder for its cache, what declare(False)."""
    try:
        return declare(True)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
    _tell_of_no_cache()
    return declare(False)


@cache  # once a process is enough
def _tell_of_no_cache() -> None:
    warnings.warn(
        "layerscope compiles its kernels in every process anew, which takes it half a minute: "
        "numba found no folder to keep them in; set NUMBA_CACHE_DIR to one that can be written",
        stacklevel=2,
    )
