"""All combinations of the values on the command line."""

from __future__ import annotations

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.layerscope_sweeper.parts import launcher_of, refused
from layerscope.lab.sweep.whole import AtEnd, run_whole


class Grid(BasicSweeper):
    """Hydra's own sweeper, with jobs that may die, an end and an exit code.

    Args:
        at_end: called with the sweep's folder and its jobs, after the table.
        max_batch_size: jobs that are launched at once; None: all.
        params: sweeps from the config, as on the command line.
    """

    def __init__(
        self,
        at_end: AtEnd,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self._at_end = at_end

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher; exits with 2 if it, or the sweep's folder, cannot be used."""
        with refused():
            self._launcher = launcher_of(hydra_context, task_function, config)
        self.launcher = self._launcher  # what Hydra's sweeper launches with
        self.config = config
        self.hydra_context = hydra_context

    def sweep(self, arguments: list[str]) -> Any:
        """Run all jobs and end the sweep."""
        return run_whole(self._launcher, lambda: super(Grid, self).sweep(arguments), self._at_end)
