"""The runs that this process is writing: whoever reads one sees all of its steps so far."""

from os import PathLike
from typing import Protocol
from weakref import WeakSet

from layerscope.session.local_folder import is_same_folder


class OpenRun(Protocol):
    """A run that is being written."""

    directory: str

    def settle(self) -> None:
        """Write to the disk what waits."""


_open: WeakSet[OpenRun] = WeakSet()


def opened(run: OpenRun) -> None:
    """A run is being written from now on."""
    _open.add(run)


def closed(run: OpenRun) -> None:
    """Nothing more is written to a run."""
    _open.discard(run)


def settle(folder: str | PathLike[str]) -> None:
    """Write to the disk what waits of the runs in a folder."""
    for run in list(_open):
        if is_same_folder(run.directory, folder):
            run.settle()
