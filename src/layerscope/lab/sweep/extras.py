"""Which extra of the package brings which launcher."""

from __future__ import annotations

from importlib.util import find_spec

_EXTRAS = {
    "hydra_joblib_launcher": "joblib",
    "hydra_ray_launcher": "ray",
    "hydra_submitit_launcher": "slurm",
    "hydra_optuna_sweeper": "search",
}


def require_plugin(target: str) -> None:
    """Raise ValueError, which names the extra to install, if a Hydra plugin is not installed.

    Args:
        target: the plugin's class with its module.
    """
    for package, extra in _EXTRAS.items():
        if target.startswith(f"hydra_plugins.{package}.") and not _installed(package):
            raise ValueError(
                f"{package} is not installed: pip install 'layerscope[{extra}]' brings it "
                f"(in the repository: pip install -e '.[{extra}]')."
            )


def _installed(package: str) -> bool:
    return find_spec(f"hydra_plugins.{package}") is not None
