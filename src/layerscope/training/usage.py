"""What `layerscope train --help` and `python train.py --help` print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from layerscope.lab.conf_folder import searched

_USAGE = """\
{typed} [GROUP=CHOICE ...] [KEY=VALUE ...]        train once
{typed} -m GROUP=A,B KEY=1,2 ...                  train with each combination

Examples:
  {typed} init=kaiming
  {typed} experiment=vanishing model.depth=20
  {typed} -m init=random,xavier,kaiming model.activation=tanh,relu
  {typed} data=text_file data.path=words.txt
  {typed} --config-dir my_conf init=mine       my_conf/init/mine.yaml is yours

Groups and their choices, a file each in conf/:
{groups}

Keys, here with the values of these overrides: {overrides}

{keys}
--cfg job prints the keys alone, --hydra-help lists all flags."""


def usage(
    conf: Path,
    groups: Mapping[str, Sequence[str]],
    overrides: Sequence[str],
    typed: str,
    mine: Path | None = None,
) -> str:
    """The groups with their choices, and every key with its value.

    Hydra's own help says the same, and takes four times as long over it: it copies all that it has
    read for each group.

    Args:
        conf: the folder with train.yaml.
        groups: below it, with the choices in each.
        overrides: as typed beside `--help`.
        typed: the words before them.
        mine: the user's own config folder beside `conf`.

    Raises:
        ValueError: something is wrong with the overrides; so do the other errors of `BAD_SETTING`.
    """
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        cfg = compose("train", [*overrides, *searched(mine)])
    return _USAGE.format(
        typed=typed,
        groups="\n".join(f"  {group}: {', '.join(there)}" for group, there in groups.items()),
        overrides=" ".join(overrides) or "none",
        keys=OmegaConf.to_yaml(cfg),
    )
