"""How a sweep begins, and the line of each of its jobs.

Hydra's own sweepers and launchers run the jobs. `Sweep` is a callback of Hydra's, which
conf/train.yaml names; `end` has what comes after the last job.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from layerscope.arguments import at_least
from layerscope.exit_codes import ExitCode
from layerscope.held_folder import held_folder
from layerscope.lab.sentence import BAD_SETTING, sentence
from layerscope.lab.status import NAME, RunStatus
from layerscope.lab.sweep.job import outcome, run_name
from layerscope.lab.sweep.sweep_settings import check_sweep
from layerscope.lab.typed_overrides import typed_overrides
from layerscope.process_identity import ProcessIdentity
from layerscope.refusal import refuse

# Here, because each process that unpickles the callback imports this file before it names its job.
_MOST_JOBS = 10_000
"""Hydra composes the configs of all jobs before the first one begins: 0.05 s each."""

_SILENT_JOBS = 200
"""Of fewer jobs nobody asks why nothing happens."""

_OF_ONE_RUN = {
    "folder": "each job has one of its own below sweep.folder",
    "resume": "sweep.resume=true goes on with a sweep",
}

OmegaConf.register_new_resolver("run_name", run_name, replace=True)


class Sweep(Callback):
    """What is known of a sweep before its jobs run. It travels with them to their processes.

    Attributes:
        folder: of the sweep; each job has a folder of its own in it. None before a sweep begins.
        names: of the jobs, where the command line says them all; empty for a search.
        total: how many jobs there will be; of a search, at most.
        objective: what a search makes small.
        process: that the sweep runs in.
        report: whether the sweep's page is wanted.
        debug: whether what is refused comes with its traceback.
    """

    begun: ClassVar[Sweep | None] = None
    """The sweep of this process, once it has begun: Hydra makes it, and hands it to nobody."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.names: list[str] = []
        self.total = 0
        self.objective = ""
        self.report = True
        self.debug = False
        self.process = ProcessIdentity.own()

    def on_job_start(
        self, config: DictConfig, *, task_function: Callable[[Any], Any], **_: Any
    ) -> None:
        """A worker ends with the sweep's process, wherever that is on its machine."""
        if self.folder is not None:
            end_with(self.process)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Name the jobs by the keys that the sweep changes; exits with 2 if it cannot begin."""
        try:
            check_sweep(config)
            self._name_jobs(config)
            self.folder = hold_folder(config).absolute()
        except BAD_SETTING as error:
            sys.exit(refuse(sentence(error)))
        hydra = config.hydra  # which the jobs' configs are composed with
        with read_write(hydra), open_dict(hydra):
            hydra.sweep.dir = str(self.folder)
            hydra.overrides.hydra.append(f"hydra.sweep.dir='{self.folder}'")
        self.objective = config.sweep.objective
        self.report, self.debug = bool(config.report), bool(config.debug)
        Sweep.begun = self
        if self.names:
            first = "their configs are composed first; " if self.total >= _SILENT_JOBS else ""
            print(f"{self.total:,} jobs; {first}each prints a line when it ends", flush=True)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Print how the job ended, and how many jobs of the sweep have."""
        if self.folder is None:  # a single run
            return
        folder = Path(config.hydra.runtime.output_dir)
        states = Counter(status.state for job in self.jobs() if (status := RunStatus.read(job)))
        running = states.pop("running", 0)
        progress = f"{states.total()} of {self.total}" + (f", {running} running" if running else "")
        width = max(map(len, self.names), default=0)
        print(f"{folder.name:<{width}} {outcome(folder)}  [{progress}]", flush=True)

    def jobs(self) -> list[Path]:
        """The folders of all jobs, in the order of the sweep; for a search, of those that began."""
        assert self.folder is not None
        if self.names:
            return [self.folder / name for name in self.names]
        return sorted(path.parent for path in self.folder.glob(f"*/{NAME}"))

    def _name_jobs(self, config: DictConfig) -> None:
        sweeper = config.hydra.sweeper
        parameters = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
        parser = OverridesParser.create(GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides([*parameters, *typed_overrides(config.hydra)])
        typed = {each.key_or_group: each for each in parsed}  # the last one holds
        for key, instead in _OF_ONE_RUN.items():
            if key in typed and typed[key].value() is not False:
                told = f"{key} must be left out with -m, got {typed[key].input_line}: {instead}"
                raise ValueError(told)
        swept = [each for each in typed.values() if each.is_sweep_override()]
        if "n_trials" in sweeper:
            at_least(1, **{"hydra.sweeper.n_trials": sweeper.n_trials})
            self.total = sweeper.n_trials
        else:
            values = [_values(each) for each in swept]
            self.total = prod(map(len, values))
            if self.total > _MOST_JOBS:
                told = f"a sweep must have at most {_MOST_JOBS:,} jobs, got {self.total:,} or more"
                raise ValueError(told)
            self.names = [run_name(",".join(sorted(job))) for job in product(*values)]
            twice = [name for name, count in Counter(self.names).items() if count > 1]
            if twice:
                raise ValueError(f"the jobs of a sweep must differ, got {twice[0]} twice")
        fixed = [key for key, each in typed.items() if not each.is_sweep_override()]
        unnamed = "hydra.job.config.override_dirname.exclude_keys"
        hydra = config.hydra  # which each job's config is composed with
        with read_write(hydra), open_dict(hydra):
            hydra.overrides.hydra.append(f"{unnamed}=[{','.join(fixed)}]")


def _values(swept: Override) -> list[str]:
    """What each job sets of a key that a sweep changes; one more than there may be at most.

    Raises:
        ValueError: there is nothing, or no end of it.
    """
    try:
        several = list(islice(swept.sweep_string_iterator(), _MOST_JOBS + 1))
    except HydraException:  # of an interval
        several = []
    if not several:
        raise ValueError(f"{swept.key_or_group} must name values to try, got {swept.input_line}")
    return [f"{swept.get_key_element()}={value}" for value in several]


def hold_folder(config: DictConfig) -> Path:
    """Make the sweep's folder, or one beside it that is free: see `held_folder`.

    Raises:
        ValueError: the sweep would write among another's runs or with another one, or resume
            nothing; or the folder cannot be made.
    """
    refuse_to_mix(config)
    overrides = [*typed_overrides(config.hydra), *config.hydra.overrides.hydra]
    is_typed = any(each.startswith(("sweep.folder=", "hydra.sweep.dir=")) for each in overrides)
    folder = Path(config.hydra.sweep.dir).expanduser()
    return held_folder(folder, "sweep.folder", is_typed=is_typed)


def refuse_to_mix(config: DictConfig) -> None:
    """Raise ValueError if the sweep would write among another's runs, or resume nothing."""
    resume, folder = config.sweep.resume, Path(config.hydra.sweep.dir).expanduser()
    if resume and not folder.is_dir():
        raise ValueError(
            f"sweep.resume needs the folder of an earlier sweep, got {folder}, which does not "
            "exist: add sweep.folder=FOLDER, as it was printed below that sweep's jobs"
        )
    if not resume and any(folder.glob(f"*/{NAME}")):
        raise ValueError(
            f"sweep.folder must hold no runs, but {folder} does: add sweep.resume=true to go on "
            "with them, or name another folder"
        )


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
