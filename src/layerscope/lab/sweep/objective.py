"""What a search makes small: the validation loss, or the distance from criticality."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import inf, log10
from pathlib import Path

from layerscope.lab.status import RunStatus
from layerscope.whole_file import read_json

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
