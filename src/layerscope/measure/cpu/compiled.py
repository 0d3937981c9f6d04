"""How every CPU kernel is declared: compiled at its first call, and kept for later processes.

numba keeps what it has compiled beside the source, or else in a folder of the user's own, or where
NUMBA_CACHE_DIR says. A package that is installed read-only and run by a user without a home, as in
many containers, has none of these: then each process compiles anew, which takes it half a minute.

numba asks whether a kernel's own file has changed. But a kernel has in it what it calls, and how
rows are laid out, from other files: so what is kept is also of all files of this room.
"""

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature


def jit(kernel: Callable[..., Any], reassociate: bool = False) -> Any:
    """Compile a kernel for the types of its first call; it runs without the GIL.

    Args:
        kernel: of numbers and of addresses, see `raw_memory`.
        reassociate: whether floats may be added in another order, as vector lanes do; NaN and
            infinities keep their meaning.
    """
    fastmath = {"reassoc", "contract", "nsz"} if reassociate else False

    def declare(keep: bool) -> Any:
        compiled = njit(kernel, cache=keep, nogil=True, fastmath=fastmath)
        if keep:
            _keep_for_these_files(compiled)
        return compiled

    return _kept(declare)


def jit_callback(kernel: Callable[[int], None]) -> Any:
    """Compile a function of one int64 now, for calls from C: `.address` is valid while it lives."""

    def declare(keep: bool) -> Any:
        signature = normalize_signature("void(int64)")  # type: ignore[no-untyped-call]
        compiled = CFunc(kernel, signature, locals={}, options={})
        if keep:
            compiled.enable_caching()
            _keep_for_these_files(compiled)
        compiled.compile()
        return compiled

    return _kept(declare)


def _keep_for_these_files(compiled: Any) -> None:
    """What is kept of a kernel counts as long as all of this room's files are what they are."""
    # numba has no name of its own for this: one that keeps it elsewhere asks for one file alone.
    with suppress(AttributeError):
        file = compiled._cache._cache_file
        file._source_stamp = f"{file._source_stamp!r} {contents_of(Path(__file__).parents[1])}"


@cache
def contents_of(room: Path) -> str:
    """A hash of the Python files of a folder and of `cpu` in it."""
    files = sorted([*room.glob("*.py"), *(room / "cpu").glob("*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


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
