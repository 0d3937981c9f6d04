"""Whether two runs were asked the same, and with which versions they answered."""

import copy
import json
import platform
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

_DIGITS = 16
_PACKAGES = ("layerscope", "torch", "lightning", "hydra-core", "numpy")


def settings_of(cfg: DictConfig) -> dict[str, Any]:
    """The config with all interpolations resolved, as plain types.

    Without what says where and how a run is started: `folder`, which is empty wherever another key
    refers to it, `sweep` and `hydra`.

    Raises an OmegaConf error if an interpolation cannot be resolved.
    """
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        for key in ("hydra", "sweep"):
            cfg.pop(key, None)
        cfg.folder = ""
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items() if key != "folder"}


def fingerprint(cfg: DictConfig) -> str:
    """16 hexadecimal digits of the SHA-256 of `settings_of(cfg)`: equal for equal settings.

    Whether a run goes on with an earlier one is no setting of this kind.
    """
    settings = {k: v for k, v in settings_of(cfg).items() if k not in ("resume", "ckpt_path")}
    text = json.dumps(settings, sort_keys=True, default=str)
    return sha256(text.encode()).hexdigest()[:_DIGITS]


@cache
def versions() -> dict[str, str]:
    """Python's version and those of the packages that a run's figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
