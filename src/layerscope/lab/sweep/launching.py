"""Any Hydra launcher, with jobs that have names, that are not run twice and that may die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from layerscope.lab.sentence import sentence
from layerscope.lab.status import RunStatus
from layerscope.lab.sweep import waiting
from layerscope.lab.sweep.fingerprint import fingerprint
from layerscope.lab.sweep.outcome import Job
from layerscope.lab.sweep.run_name import run_name
from layerscope.lab.sweep.stop import Stop

Overrides = Sequence[str]


class SurvivingLauncher(Launcher):
    """Stands between a sweeper and its launcher, and has the launcher's `launch`.

    Args:
        launcher: that runs the jobs.
        context: of Hydra; its loader composes a job's config.
        config: of the sweep.
        swept: the keys that name a job.
        objective: of a job, from its folder and status, for a search; None: there is no search.
    """

    def __init__(
        self,
        launcher: Launcher,
        context: HydraContext,
        config: DictConfig,
        swept: Collection[str],
        objective: Callable[[Path, RunStatus], float] | None = None,
    ) -> None:
        self.jobs: list[Job] = []
        self.folder = Path(config.hydra.sweep.dir).absolute()
        self._launcher = launcher
        self._target = str(config.hydra.launcher.get("_target_"))
        self._context = context
        self._config = config
        self._swept = swept
        self._objective = objective
        self._stop = Stop(self.folder)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra's protocol; there is nothing left to set up."""

    def launch(
        self, job_overrides: Sequence[Overrides], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs that have not finished with the same config; it raises for none of them.

        A launcher that fails loses the jobs of all its workers, the guilty one and others. Those
        that had not started are launched again; those that had, one at a time, so that each proves
        itself.
        """
        batch = [self._job(initial_job_idx + i, each) for i, each in enumerate(job_overrides)]
        self.jobs += batch
        waiting_jobs = list(
            {job.folder: job for job in batch if not job.kept and not job.problem}.values()
        )
        while waiting_jobs:
            problem = self._run(waiting_jobs)
            suspects = [job for job in waiting_jobs if _state(job) == "running"]
            unstarted = [job for job in waiting_jobs if _state(job) is None]
            if problem is None or self._stop.cause() or len(unstarted) == len(waiting_jobs):
                if not self._stop.cause():
                    self._give_up(unstarted, problem or "its launcher ended without it")
                self._mark_lost(suspects)
                break
            for job in suspects if len(waiting_jobs) > 1 else ():
                self._run([job])
            self._mark_lost([job for job in suspects if _state(job) == "running"])
            waiting_jobs = unstarted
        return [self._return_of(job) for job in batch]

    def _job(self, number: int, overrides: Overrides) -> Job:
        values = dict(override.split("=", 1) for override in overrides if "=" in override)
        named = {key: value for key, value in values.items() if key in self._swept} or values
        job = Job(number, self.folder / run_name(named), tuple(overrides))
        try:
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            job = replace(job, fingerprint=fingerprint(config))
        except Exception as error:  # whatever a resolver or a choice may raise: of this job alone
            return replace(job, problem=sentence(error))
        return replace(job, kept=job.finished)

    def _run(self, jobs: list[Job]) -> str | None:
        """What ended the launcher; None if it ran to its end."""
        for job in jobs:
            (job.folder / "status.json").unlink(missing_ok=True)
        overrides = [
            [*job.overrides, _set("sweep.dir", self.folder), _set("sweep.subdir", job.name)]
            for job in jobs
        ]
        try:
            with waiting.for_every_job(self._target):
                self._launcher.launch(overrides, initial_job_idx=jobs[0].number)
        except Exception as error:  # of the launcher: what a job raises comes back in its place
            return f"{type(error).__name__}: {sentence(error)}"
        return None

    def _mark_lost(self, jobs: list[Job]) -> None:
        for job in jobs:
            cause = self._stop.cause()
            status = job.status or RunStatus("running")
            reason = cause or "its worker was killed: out of memory, or by hand"
            state = "interrupted" if cause else "failed"
            replace(status, state=state, reason=reason).write(job.folder)

    def _give_up(self, jobs: list[Job], problem: str) -> None:
        places = {job.folder for job in jobs}
        for i, job in enumerate(self.jobs):
            if job.folder in places:
                self.jobs[i] = replace(job, problem=problem)

    def _return_of(self, job: Job) -> JobReturn:
        result = JobReturn(overrides=job.overrides, status=JobStatus.COMPLETED)
        if self._objective and job.finished and (status := job.status):
            try:
                result.return_value = self._objective(job.folder, status)
            except (OSError, ValueError, LookupError) as error:
                print(f"{job.name}: {error}", file=sys.stderr)
        return result


def _state(job: Job) -> str | None:
    status = job.status
    return None if status is None else status.state


def _set(key: str, value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"hydra.{key}='{text}'"
