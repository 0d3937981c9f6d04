"""Which process: told so that another one can see whether it has ended."""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

_PROC = Path("/proc")
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # as Lightning's loggers ask


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, told from all others that ever had its number.

    Args:
        started: when it started, in ticks since the machine did; None where there is no /proc.
        boot: this start of the machine, and the space of process numbers in it, as a container has
            its own; empty where there is no /proc.
    """

    pid: int
    started: int | None
    boot: str
    host: str

    @classmethod
    def own(cls) -> Self:
        """That of this process."""
        return cls.of_pid(os.getpid())

    @classmethod
    def of_pid(cls, pid: int) -> Self:
        """That of a process of this machine, by its number."""
        return cls(pid, _started(pid), _boot(), socket.gethostname())

    @classmethod
    def of_json(cls, content: object) -> Self | None:
        """What `as_json` gave; None if it is not that."""
        if not isinstance(content, Mapping):
            return None
        known = {name: content.get(name) for name in ("pid", "started", "boot", "host")}
        kinds = {"pid": int, "started": int | None, "boot": str, "host": str}
        if any(not isinstance(known[name], kind) for name, kind in kinds.items()):
            return None
        return cls(**known)  # type: ignore[arg-type] # as was just looked at

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended: False of a process on another machine.

        A zombie has ended, though its parent has not asked for its exit code.
        """
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            # The same machine, started again; or a container's processes, which are not seen here.
            return self.boot.partition(" ")[0] != _boot().partition(" ")[0]
        if self.started is not None:
            return _started(self.pid) != self.started
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # it is another user's
            return False
        return False


def _started(pid: int) -> int | None:
    """None where there is no such process, or it has ended and waits to be asked how."""
    try:
        # The name, which comes second and in brackets, may hold anything.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    state, started = fields[0], int(fields[19])
    return None if state in (b"Z", b"X") else started


def _boot() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return ""


def is_first_process() -> bool:
    """Whether this is the first of the processes that train a network together, as Lightning,
    torchrun and srun number them: it alone holds the folder, and keeps account of the run.
    """
    ranks = (os.environ.get(key) for key in _RANKS)
    return next((rank for rank in ranks if rank is not None), "0") == "0"
