"""What is not installed with LayerScope itself, and how to come by it."""

from importlib.util import find_spec

_INSTALLED_BY = {  # a module: what to type after `pip install`
    "plotly": "'layerscope[report]'",
    "jinja2": "'layerscope[report]'",
    "matplotlib": "'layerscope[report]'",
    "scipy": "'layerscope[report]'",
    "omegaconf": "'layerscope[report]'",
    "hydra": "'layerscope[train]'",
    "lightning": "lightning",
    "transformers": "'layerscope[huggingface]'",
    "wandb": "'layerscope[wandb]'",
    "mlflow": "'layerscope[mlflow]'",
    "trackio": "'layerscope[trackio]'",
    "pyarrow": "'layerscope[parquet]'",
}

_PLUGINS = {  # what a Hydra group may be given: the extra that brings it
    "hydra/launcher": {
        "joblib": "joblib",
        "ray": "ray",
        "ray_aws": "ray",
        "submitit_local": "slurm",
        "submitit_slurm": "slurm",
    },
    "hydra/sweeper": {"optuna": "search"},
}


def plugin_needs(group: str, choice: str) -> str | None:
    """One sentence on how to install a launcher or sweeper; None if no extra brings it.

    >>> plugin_needs("hydra/launcher", "ray")
    "hydra/launcher=ray needs a plugin of Hydra: pip install 'layerscope[ray]'"
    """
    extra = _PLUGINS.get(group, {}).get(choice)
    if extra is None:
        return None
    return f"{group}={choice} needs a plugin of Hydra: pip install 'layerscope[{extra}]'"


def require(module: str, what: str) -> None:
    """Refuse what needs a module that is missing; it is not imported.

    Raises:
        ModuleNotFoundError: with the sentence of `needs`.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        missing = ModuleNotFoundError(f"No module named {module!r}", name=module)
        raise ModuleNotFoundError(needs(what, missing), name=module)


def needs(what: str, error: ModuleNotFoundError) -> str | None:
    """One sentence on what a module that is missing is needed for; None if no extra brings it."""
    module = (error.name or "").partition(".")[0]
    if module not in _INSTALLED_BY:
        return None
    return f"{what} needs {module}: pip install {_INSTALLED_BY[module]}"
