"""A Lightning logger that costs microseconds a step, and shares its event file."""

import logging
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar, text
from layerscope.session.local_folder import is_same_folder, local_folder

_log = logging.getLogger("layerscope")


class _Events(EventFile):
    """An event file that says what it is to those who take it for a SummaryWriter."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"EventLogger's experiment is an EventFile, which has no {name!r}: log by self.log, or "
            "use Lightning's TensorBoardLogger",
            name=name,
            obj=self,
        )


class EventLogger(Logger):
    """Writes what `self.log` logs as TensorBoard scalars into one event file in `log_dir`.

    The hyperparameters become a table in the Text tab, tag `hparams`. Metrics keep Lightning's
    names and steps; a metric that is a dict becomes one scalar a key, `name/key`.

    About 5 us for a `self.log` at every step, where TensorBoardLogger takes 360 us.

    Args:
        log_dir: the run's folder; a relative path starts at the working folder of this moment. It
            is `save_dir`, `root_dir` and `trainer.log_dir` as well, and checkpoints go into
            `<log_dir>/checkpoints`: the logger makes no folders of its own.
        flush_seconds: the longest that an event waits for the next one to take it along.

    Raises:
        ValueError: log_dir is not on this machine.
    """

    def __init__(self, log_dir: str | os.PathLike[str], flush_seconds: float = 10.0) -> None:
        super().__init__()
        self._told = False
        self._log_dir = str(local_folder(log_dir))
        self._flush_seconds = flush_seconds
        self._events: EventFile | None = None
        self._hparams_rows: list[str] = []
        self._epoch_at: int | None = None

    @property
    def events(self) -> EventFile:
        """The run's open event file, for whoever else has something to add to the run.

        Ask for it again at each fit: `finalize` closes it, and the next use opens a new one. Only
        rank zero has it; RuntimeError elsewhere.
        """
        if rank := getattr(rank_zero_only, "rank", 0):
            raise RuntimeError(f"only rank 0 writes events, and this is rank {rank}")
        if self._events is None:
            self._events = _Events(self._log_dir, flush_seconds=self._flush_seconds)
        return self._events

    @property
    @rank_zero_experiment
    def experiment(self) -> EventFile:
        """Lightning's name for `events`; on other ranks an object that ignores all calls."""
        return self.events

    @property
    @override
    def name(self) -> str:
        """Empty: Lightning joins save_dir, name and version, and the run's folder is given."""
        return ""

    @property
    @override
    def version(self) -> str:
        """Empty, as `name` is."""
        return ""

    @property
    @override
    def log_dir(self) -> str:
        """The run's folder."""
        return self._log_dir

    @property
    @override
    def save_dir(self) -> str:
        """The run's folder."""
        return self._log_dir

    @property
    @override
    def root_dir(self) -> str:
        """The run's folder."""
        return self._log_dir

    def move_to(self, folder: str | os.PathLike[str]) -> None:
        """From now on the run's folder is this one; if it is another, it is an empty one.

        Raises:
            ValueError: the folder is not on this machine.
        """
        path = local_folder(folder)
        if not is_same_folder(path, self._log_dir):
            self.finalize("moved")
            self._log_dir = str(path)

    @override
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write all metrics as one event at `step`, 0 if None.

        Lightning adds the epoch to each call, and calls twice at a step that is validated: it is
        written once.
        """
        step = step or 0
        flat = dict(_flat(metrics))
        if "epoch" in flat:
            if step == self._epoch_at:
                del flat["epoch"]
            self._epoch_at = step
        values = [scalar(name, float(metric)) for name, metric in flat.items()]
        with self._unless_the_disk_is_full():
            self.events.add(step, values)

    @override
    @rank_zero_only
    def log_hyperparams(
        self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Write the parameters, nested ones by dotted name, as a Markdown table at step 0.

        Lightning calls this in every fit, validate, test and predict: the same table is written
        once.
        """
        params = vars(params) if isinstance(params, Namespace) else params
        rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in _flat(params, ".")]
        if rows and rows != self._hparams_rows:
            self._hparams_rows = rows
            table = "\n".join(["| parameter | value |", "|---|---|", *rows])
            with self._unless_the_disk_is_full():
                self.events.add(0, [text("hparams", table)])

    @override
    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: ModelCheckpoint) -> None:
        """Flush: a run that is killed goes on from the checkpoint, which has none of its losses."""
        self.flush()

    @rank_zero_only
    def flush(self) -> None:
        """Hand all that was logged to the operating system, and at once what is logged next."""
        if self._events is not None:
            with self._unless_the_disk_is_full():
                self._events.flush()

    @override
    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Flush and close the event file; what is logged afterwards opens a new one."""
        events, self._events = self._events, None
        if events is not None:
            with self._unless_the_disk_is_full():
                events.close()

    @contextmanager
    def _unless_the_disk_is_full(self) -> Iterator[None]:
        """Training is worth more than its log: what cannot be written is told once."""
        try:
            yield
        except OSError as error:
            if not self._told:
                _log.error("EventLogger: metrics are lost: %s; training goes on.", error)
            self._told = True

    def __getstate__(self) -> dict[str, Any]:
        # A copy (deepcopy, a spawned process) writes to a file of its own.
        return self.__dict__ | {"_events": None}


def _flat(mapping: Mapping[str, Any], separator: str = "/") -> Iterator[tuple[str, Any]]:
    for name, value in mapping.items():
        if isinstance(value, Mapping) and value:
            for inner, leaf in _flat(value, separator):
                yield f"{name}{separator}{inner}", leaf
        else:
            yield str(name), value


def _cell(value: object) -> str:
    """Keep a value within its cell of a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")
