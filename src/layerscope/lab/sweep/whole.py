"""A sweep from its first job to its table and its exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from layerscope.lab.sentence import sentence
from layerscope.lab.sweep.launching import SurvivingLauncher
from layerscope.lab.sweep.outcome import Job
from layerscope.lab.sweep.stop import Stop
from layerscope.lab.sweep.table import reasons, summary, table_of_jobs

AtEnd = Mapping[str, Callable[[Path, Sequence[Job]], object]]
_STOPPED = {"Ctrl-C": 130, "SIGTERM": 143}


def run_whole(launcher: SurvivingLauncher, sweep: Callable[[], object], at_end: AtEnd) -> None:
    """Run a sweep and end with its table, whatever happens to its jobs.

    Args:
        launcher: what `sweep` launches its jobs with.
        sweep: runs it.
        at_end: see `end_of_sweep`.

    Raises SystemExit with the exit code unless that is 0.
    """
    launcher.folder.mkdir(parents=True, exist_ok=True)
    stop = Stop(launcher.folder)
    stop.clear()
    problem = None
    try:
        with stop.on_signal():
            sweep()
    except KeyboardInterrupt:  # the second Ctrl-C; running jobs die with this process
        stop.request("Ctrl-C")
    except Exception as error:
        if not launcher.jobs:  # a choice that does not exist, say: nothing has run
            raise
        problem = sentence(error)
    code = end_of_sweep(launcher.folder, launcher.jobs, at_end)
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
        code = code or 1
    if code:
        sys.exit(code)


def end_of_sweep(folder: Path, jobs: Sequence[Job], at_end: AtEnd) -> int:
    """Print the table of jobs and call what compares them.

    Args:
        folder: of the sweep; each job has a folder of its own in it, with a status.json.
        jobs: in the order of the sweep, those that failed or never started among them.
        at_end: called one after the other with `folder` and `jobs`; by name, for the config's sake.
            If one raises, its traceback is printed and the next is called.

    Returns:
        The exit code: 130 or 143 if Ctrl-C or SIGTERM stopped the sweep, else 1 if a job has not
        finished or something at the end has failed, else 0.
    """
    console = Console()
    console.print(f"\nJobs of the sweep: {summary(jobs)}", highlight=False)
    console.print(table_of_jobs(jobs))
    for line in reasons(jobs):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"sweep: {folder}", highlight=False, markup=False, soft_wrap=True)
    code = 0 if all(job.finished for job in jobs) else 1
    for call in at_end.values():
        try:
            call(folder, jobs)
        except Exception:
            traceback.print_exc()
            code = 1
    return _STOPPED.get(Stop(folder).cause() or "", code)


def refuse_to_mix(config: DictConfig) -> None:
    """Raise ValueError if the sweep would write among another's runs, or resume nothing.

    Args:
        config: of the sweep.
    """
    resume = config.sweep.resume
    if not isinstance(resume, bool):
        raise ValueError(f"sweep.resume must be true or false, got {resume!r}.")
    folder = Path(config.hydra.sweep.dir)
    written: Any = OmegaConf.to_container(config, resolve=False)
    dated = "${now:" in str(written["sweep"]["folder"])
    if resume and dated and str(written["hydra"]["sweep"]["dir"]) == "${sweep.folder}":
        raise ValueError(
            "sweep.resume needs the folder of an earlier sweep: add sweep.folder=FOLDER, "
            "as it was printed below that sweep's table."
        )
    if not resume and any(folder.glob("*/status.json")):
        raise ValueError(
            f"sweep.folder must hold no runs, but {folder} does: add sweep.resume=true to go on "
            "with them, or name another folder."
        )
