"""What `python train.py --help` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

_USAGE = """\
python train.py [GROUP=CHOICE ...] [KEY=VALUE ...]        train once
python train.py -m GROUP=A,B KEY=1,2 ...                  train with each combination

Groups and their choices, a file each in conf/:
{groups}

Keys, here with the values of these overrides: {overrides}

{keys}
--cfg job prints the keys alone, --hydra-help lists all flags."""


def usage(conf: Path, groups: Mapping[str, Sequence[str]], overrides: Sequence[str]) -> str:
    """The groups with their choices, and every key with its value.

    Hydra's own help says the same, and takes four times as long over it: it copies all that it has
    read for each group.

    Args:
        conf: the folder with train.yaml.
        groups: below it, with the choices in each.
        overrides: as typed beside `--help`.

    Raises:
        ValueError: something is wrong with the overrides; so do the other errors of `BAD_SETTING`.
    """
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        cfg = compose("train", list(overrides))
    return _USAGE.format(
        groups="\n".join(f"  {group}: {', '.join(there)}" for group, there in groups.items()),
        overrides=" ".join(overrides) or "none",
        keys=OmegaConf.to_yaml(cfg),
    )
