"""One job, one process: what kills it, kills nothing else."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable

POSSIBLE: bool = sys.platform == "linux"
"""Elsewhere a forked process cannot rely on the system's libraries: jobs share one process."""

_PR_SET_PDEATHSIG = 1


def in_own_process(task: Callable[[], int]) -> int:
    """Call `task` in a forked process and wait for it.

    Forked, because its parent has imported everything already, which takes seconds, and has
    computed nothing: neither torch nor CUDA has started a thread that the fork would lose. It dies
    with its parent, and hears no Ctrl-C but its parent's.

    Args:
        task: returns an exit code.

    Returns:
        The exit code, 1 if the task raised; minus the signal's number if one ended the process.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # A worker of a pool, in the terminal's group: the sweep itself tells its jobs to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C goes to the group: it would come twice
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = task()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # what the parent has registered for its end is not this process's to run
