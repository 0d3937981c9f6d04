"""What the sweepers have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from layerscope.lab.sweep.extras import require_plugin
from layerscope.lab.sweep.launching import SurvivingLauncher
from layerscope.lab.sweep.objective import Objective
from layerscope.lab.sweep.whole import refuse_to_mix

_BAD_SETTING = 2


@contextmanager
def refused() -> Iterator[None]:
    """Within, a ValueError is one sentence on stderr and exit code 2; Hydra would trace it."""
    try:
        yield
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_BAD_SETTING)


def launcher_of(
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
    objective: Objective | None = None,
) -> SurvivingLauncher:
    """The launcher that the config chooses, made to survive its jobs.

    Raises ValueError if its plugin is not installed, or the sweep's folder holds other runs.
    """
    require_plugin(str(config.hydra.launcher.get("_target_")))
    refuse_to_mix(config)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )
    return SurvivingLauncher(launcher, context, config, swept_keys(config), objective)


def swept_keys(config: DictConfig) -> set[str]:
    """The keys whose values the sweep changes, as they stand in a job's overrides."""
    parameters = config.hydra.sweeper.get("params") or {}
    typed = [str(override) for override in config.hydra.overrides.task]
    parsed = OverridesParser.create().parse_overrides(
        [*(f"{key}={value}" for key, value in parameters.items()), *typed]
    )
    swept = {each.get_key_element(): each.is_sweep_override() for each in parsed}  # the last holds
    return {key for key, sweeps in swept.items() if sweeps}
