"""Steps in MLflow."""

from __future__ import annotations

import os
import re
from collections import deque
from pathlib import Path
from typing import Any

from layerscope.arguments import at_least
from layerscope.diagnose.findings.finding import Finding
from layerscope.extras import require
from layerscope.sinks.sink import Sink, StepRecord
from layerscope.sinks.tracked import tracked

_MOST = 1000
"""Metrics that MLflow takes in one call."""

_UNDER_WAY = 8
"""Calls that may be on their way to a store that is slower than the training."""

_FOLDER = "layerscope.folder"
"""Tag of a run: by it a training that resumes finds its MLflow run."""


class MlflowSink(Sink):
    """Logs scalars to a run of MLflow as metrics, in a thread of MLflow's, and findings as tags:
    `layerscope.finding.RULE`. MLflow has no histograms.

    Args:
        run_id: of a run of yours. Default: the run that is active when the training begins; without
            one a run is made, named after the run's folder, with the training loss, which the end
            of the training ends.
        tracking_uri: of the store. Default: MLflow's own.
        experiment: of a run that is made. Default: that of `MLFLOW_EXPERIMENT_NAME`, or `Default`.
        every_n_steps: as for `Sink`, at least 1; the keyframes are left out. Default 100: MLflow's
            database takes 80 to 200 ms for a record of ten layers, most of it in the thread.

    Raises:
        ModuleNotFoundError: mlflow is not installed.
        ValueError: an argument is out of its bounds.
    """

    keyframes = False

    def __init__(
        self,
        run_id: str | None = None,
        *,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        every_n_steps: int = 100,
    ) -> None:
        require("mlflow", "MlflowSink")
        at_least(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self._given, self._uri, self._experiment = run_id, tracking_uri, experiment
        self._client: Any = None
        self._is_own = False
        self._under_way: deque[Any] = deque()

    @property
    def is_bound(self) -> bool:
        """Whether it was told which run to log to, or where to make one."""
        return not (self._given is self._uri is self._experiment is None)

    def bound_to(self, run_id: str, tracking_uri: str) -> MlflowSink:
        """The same for a run."""
        return MlflowSink(run_id, tracking_uri=tracking_uri, every_n_steps=self.every_n_steps)

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """Find the run, or make one."""
        import mlflow

        self._client = mlflow.MlflowClient(tracking_uri=self._uri)
        active = None if self.is_bound else mlflow.active_run()
        self._is_own = self._given is None and active is None
        if active is not None:
            self._run_id = active.info.run_id
        else:
            self._run_id = self._given or self._own_run(folder, resumes=resumed_at is not None)

    def _own_run(self, folder: Path, *, resumes: bool) -> str:
        client = self._client
        name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        experiment = client.get_experiment_by_name(name)
        number = client.create_experiment(name) if experiment is None else experiment.experiment_id
        if resumes:
            mine = f"tags.`{_FOLDER}` = {str(folder)!r}"
            for earlier in client.search_runs([number], mine, max_results=1):
                client.set_terminated(earlier.info.run_id, "RUNNING")
                return str(earlier.info.run_id)
        run = client.create_run(number, tags={_FOLDER: str(folder)}, run_name=folder.name)
        return str(run.info.run_id)

    def write(self, record: StepRecord) -> None:
        """Log a step, in MLflow's thread."""
        from mlflow.entities import Metric

        time = int(record.wall_time * 1000)
        metrics = [
            Metric(re.sub(r"[^/\w.\- :]", "_", tag), value, time, record.step)
            for tag, value in tracked(record, is_own=self._is_own).items()
        ]
        for first in range(0, len(metrics), _MOST):
            part = metrics[first : first + _MOST]
            self._under_way.append(
                self._client.log_batch(self._run_id, metrics=part, synchronous=False)
            )
        while len(self._under_way) > _UNDER_WAY:
            self._under_way.popleft().wait()  # which raises what went wrong

    def write_finding(self, finding: Finding) -> None:
        """Set a tag."""
        told = f"{finding.severity} in {finding.layer} from step {finding.step}: "
        self._client.set_tag(
            self._run_id, f"layerscope.finding.{finding.rule}", told + finding.explanation
        )

    def close(self) -> None:
        """Wait for what is under way, and end the run, if it is its own."""
        client, self._client = self._client, None
        if client is None:
            return
        while self._under_way:
            self._under_way.popleft().wait()
        if self._is_own:
            client.set_terminated(self._run_id)
