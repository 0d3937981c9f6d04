"""A search for the best values with Optuna."""

from __future__ import annotations

import logging
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.layerscope_sweeper.parts import launcher_of, refused
from layerscope.lab.arguments import at_least, one_of
from layerscope.lab.sweep.extras import require_plugin
from layerscope.lab.sweep.objective import OBJECTIVES
from layerscope.lab.sweep.whole import AtEnd, run_whole

_OPTUNA = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"


class Search(Sweeper):
    """Hydra's Optuna sweeper, with jobs that may die, an end and an exit code.

    Its study lives in memory (the released sweeper 1.3.0 needs optuna 2, whose storages need an
    SQLAlchemy below 2). A search goes on all the same: with a seeded sampler and the same
    max_batch_size it proposes what it proposed, and what has finished is not run again.

    Args:
        objective: what a job is judged by, one of val/loss, criticality.
        sampler: of Optuna; proposes values.
        n_trials: jobs in all.
        max_batch_size: jobs that are launched at once.
        params: intervals and choices, in the syntax of Hydra's command line.
        at_end: called with the sweep's folder and its jobs, after the table.
    """

    def __init__(
        self,
        objective: str,
        sampler: Any,
        n_trials: int,
        max_batch_size: int,
        params: DictConfig,
        at_end: AtEnd,
    ) -> None:
        with refused():
            require_plugin(_OPTUNA)
            one_of(OBJECTIVES, objective=objective)
            at_least(1, n_trials=n_trials, max_batch_size=max_batch_size)
        import optuna
        from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper

        optuna.logging.set_verbosity(logging.WARNING)
        self._judged_by = objective
        self._at_end = at_end
        self._optuna = OptunaSweeper(
            sampler=sampler,
            direction="minimize",
            storage=None,
            study_name=None,
            n_trials=n_trials,
            n_jobs=max_batch_size,
            max_failure_rate=1.0,  # a failed job is one that a sampler learns to avoid
            search_space=None,
            custom_search_space=None,
            params=params,
        ).sweeper

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher; exits with 2 if it, or the sweep's folder, cannot be used."""
        with refused():
            self._launcher = launcher_of(
                hydra_context, task_function, config, OBJECTIVES[self._judged_by]
            )
        self._optuna.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._optuna.launcher = self._launcher

    def sweep(self, arguments: list[str]) -> Any:
        """Run the search and end it; the best values are in optimization_results.yaml."""
        return run_whole(self._launcher, lambda: self._search(arguments), self._at_end)

    def _search(self, arguments: list[str]) -> None:
        self._optuna.sweep(arguments)
        found = OmegaConf.load(self._launcher.folder / "optimization_results.yaml")
        values = " ".join(f"{key}={value}" for key, value in found.best_params.items())
        print(f"\nbest: {values}, {self._judged_by} {found.best_value:.4g}")
