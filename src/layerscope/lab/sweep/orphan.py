"""A worker ends with the sweep that it works for."""

import os
import signal
import threading
import time

from layerscope.exit_codes import ExitCode
from layerscope.process_identity import ProcessIdentity

_EVERY = 1.0  # seconds from one look to the next, which takes microseconds
_GRACE = 30.0  # seconds for a checkpoint and the status

_watched: set[ProcessIdentity] = set()


def end_with(sweep: ProcessIdentity) -> None:
    """End this process soon after another one has ended, however that ended.

    It is told by SIGTERM, as by a user: a training stops after its step, with a checkpoint. If it
    is still there half a minute later, it exits. Nothing happens in the process itself, nor where
    the other one is on another machine.
    """
    if sweep in _watched or sweep.pid == os.getpid():
        return
    _watched.add(sweep)
    threading.Thread(target=_watch, args=(sweep,), name="end with the sweep", daemon=True).start()


def _watch(sweep: ProcessIdentity) -> None:
    while not sweep.has_ended:
        time.sleep(_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(ExitCode.TERMINATED)
