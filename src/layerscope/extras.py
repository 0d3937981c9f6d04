"""What is not installed with LayerScope itself, and how to come by it."""

from __future__ import annotations

_INSTALLED_BY = {  # a module: what to type after `pip install`
    "plotly": "'layerscope[report]'",
    "jinja2": "'layerscope[report]'",
    "matplotlib": "'layerscope[report]'",
    "scipy": "'layerscope[report]'",
    "omegaconf": "'layerscope[report]'",
    "hydra": "'layerscope[train]'",
    "lightning": "lightning",
}


def needs(what: str, error: ModuleNotFoundError) -> str | None:
    """One sentence on what a module that is missing is needed for; None if no extra brings it."""
    module = (error.name or "").partition(".")[0]
    if module not in _INSTALLED_BY:
        return None
    return f"{what} needs {module}: pip install {_INSTALLED_BY[module]}"
