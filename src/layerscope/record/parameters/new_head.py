"""Layers that were trained before, and a last one that is new behind them."""

import math
from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from layerscope.record.parameters.untrained import shape_of_sample

_FEWEST = 64
"""Elements of a weight whose shape tells."""

_SURE = 4.0
"""Standard errors."""

_OF_TRANSFORMERS = 0.02
"""Standard deviation of new heads (Radford et al. 2018, and most after them)."""


def is_new_head(
    own: Iterable[tuple[str, nn.Parameter]], every: Sequence[tuple[str, nn.Parameter]]
) -> bool:
    """Whether a last layer that is trained has a weight as it was drawn, evenly between torch's own
    bounds or normally with a deviation of 0.02, while weights of normalisations are not all what
    they begin as.

    Args:
        own: name and parameter of what the layer has.
        every: of all layers.
    """
    weight = dict(own).get("weight")
    if weight is None or type(weight) is not nn.Parameter or weight.is_meta:
        return False
    if not weight.requires_grad or weight.ndim != 2 or weight.numel() < _FEWEST:
        return False
    return were_trained(every) and _is_drawn(weight.detach())


def is_trained_head(own: Iterable[tuple[str, nn.Parameter]]) -> bool:
    """Whether a last layer has a matrix whose values are neither even nor normal, of whatever size:
    training has left its draw behind.
    """
    weight = dict(own).get("weight")
    if weight is None or weight.is_meta or weight.ndim != 2 or weight.numel() < _FEWEST:
        return False
    return not any(shape_of_sample(weight.detach().flatten().double().cpu()))  # device to host


def were_trained(every: Sequence[tuple[str, nn.Parameter]]) -> bool:
    """Whether weights of a normalisation are not all the same, as they begin."""
    scales = [each for name, each in every if name == "weight" and each.ndim == 1 and len(each) > 1]
    return any(bool((each != each[0]).any()) for each in scales if not each.is_meta)


def _is_drawn(weight: Tensor) -> bool:
    sample = weight.flatten().double().cpu()  # device to host, where there is one
    even, normal = shape_of_sample(sample)
    largest, deviation = float(sample.abs().max()), float(sample.square().mean().sqrt())
    bound, off = 1 / math.sqrt(weight.shape[1]), _SURE / math.sqrt(2 * len(sample))
    is_even = even and (1 - 12 / len(sample)) * bound < largest <= (1 + 1e-5) * bound
    return is_even or (normal and abs(deviation / _OF_TRANSFORMERS - 1) < off)
