"""Where the configs lie: `conf/` of the checkout, which a wheel carries inside the package."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def conf_folder() -> Path:
    """The folder with train.yaml and its groups; outside a checkout it is in the package."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "conf"


def searched(mine: Path | None) -> list[str]:
    """The override by which Hydra looks for configs in one more folder; none without one.

    Raises:
        ValueError: there is no such folder.
    """
    if mine is not None and not mine.is_dir():
        raise ValueError(f"--config-dir must be a folder, got {mine}")
    return [] if mine is None else [f"hydra.searchpath=['file://{mine.resolve()}']"]
