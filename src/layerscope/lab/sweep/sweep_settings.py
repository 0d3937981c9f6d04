"""The keys below `sweep` in conf/train.yaml, with types and bounds, and what a search seeks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log10
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from layerscope.arguments import one_of
from layerscope.lab.signature import as_typed, check_arguments
from layerscope.lab.status import RunStatus
from layerscope.whole_file import read_json


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep runs, as conf/train.yaml says of each key."""

    folder: str | int
    resume: bool
    objective: str


def check_sweep(cfg: DictConfig) -> None:
    """Refuse the keys of `cfg.sweep` that are of another type or unknown.

    Raises:
        ValueError: one sentence with the key, what it must be, and the value.
        OmegaConfBaseException: a value refers to one that there is not.
    """
    node = cfg.get("sweep")
    if not isinstance(node, DictConfig):
        raise ValueError(f"sweep must be a mapping, got {as_typed(node)}")
    settings = OmegaConf.to_container(node, resolve=False)
    assert isinstance(settings, dict)
    check_arguments(SweepSettings, {str(key): value for key, value in settings.items()}, "sweep")
    one_of(OBJECTIVES, **{"sweep.objective": settings.get("objective")})


Objective = Callable[[Path, RunStatus], float | None]


def val_loss(_: Path, status: RunStatus) -> float | None:
    """The last val/loss in nats; None, which a search counts as a failure, where there is none."""
    return status.val_loss


def criticality(folder: Path, _: RunStatus) -> float:
    """How far the init is from passing the gradient on as it is: 0 is critical.

    The mean, over neighbouring hidden layers, of |log10 of the ratio of their gradients' RMS| at
    the first step, from diagnosis.json: 0.3 if each layer doubles or halves the gradient. Infinite
    where a gradient is zero or not finite.

    Raises:
        OSError: there is no diagnosis.json.
        ValueError: there are fewer than two hidden layers.
    """
    diagnosis = read_json(folder / "diagnosis.json")
    layers = diagnosis["steps"][0]["layers"][1:-1]  # between the embedding and the logits
    rms = [layer["activation_grad"]["rms"] for layer in layers if "activation_grad" in layer]
    if len(rms) < 2:
        raise ValueError(
            f"criticality needs at least two hidden layers with gradients, got {len(rms)}"
        )
    if any(not value for value in rms):
        return inf
    ratios = [abs(log10(first / second)) for first, second in pairwise(rms)]
    return sum(ratios) / len(ratios)


OBJECTIVES: Mapping[str, Objective] = {"val/loss": val_loss, "criticality": criticality}
