"""Weights that are as they were drawn, or 0: nobody has trained them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from layerscope.record.parameters.layer_parameter import LayerParameter

_FEWEST, _MOST = 256, 65_536
"""Elements of a weight that tell, and how many of a larger one are looked at."""

_SURE = 4.0
"""Standard errors."""

_LENGTH = 8
"""Elements of a vector that are all the same, which fewer may be by chance."""

_SCALES, _OFF = 16, 3.0
"""Of a normalisation: that a quarter of fewer are below 0 may be chance; and standard errors."""

_ENOUGH, _MANY = 3, 4096
"""Weights with a usual variance, which one that was trained may have by chance; and elements of
each."""


def untrained(
    parameters: Sequence[LayerParameter],
    vectors: Iterable[nn.Parameter] = (),
    widths: Mapping[str, tuple[int, int]] = MappingProxyType({}),
) -> list[str]:
    """Entries whose weights are frozen, if those of all such are as torch draws them; [] if one is
    not, or if most have the shape of a layer that is trained, of which they may be copies; one that
    has is not looked at.

    Weights of torch's default are even between bounds that the fan-in gives, others normal with a
    variance of one or two over a fan (He et al. 2015), 0.02^2 (Radford et al. 2018) or 1. Training
    leaves neither bounds nor variance as they were. Nor does it leave all biases at 0 and all
    weights of normalisations at 1: where frozen ones are, whatever the weights are drawn from.

    Args:
        parameters: of all layers.
        vectors: the same, and biases among them where `parameters` has none.
        widths: of entries, how many inputs each output is made of, and how many outputs there are;
            a weight that is none of these is taken as torch's own, [outputs, inputs].
    """
    known = [each for each in parameters if _tells(each.parameter)]
    trained = {each.parameter.shape for each in known if each.parameter.requires_grad}
    frozen = [each for each in known if not each.parameter.requires_grad]
    # A last layer over words has the shape of their embedding.
    own = [each for each in frozen if each.parameter.shape not in trained]
    if 2 * len(own) < len(frozen):
        return []
    names, frozen = [each.channel.layer for each in frozen], own
    if names and _are_at_their_start(vectors):
        return names
    evidence = 0
    for each in frozen:
        of_one = _evidence(each.parameter, widths.get(each.channel.layer))
        if of_one < 0:  # a body that was loaded is known by its first weight
            return []
        evidence += of_one
    return names if evidence >= _ENOUGH else []


def drawn_recurrences(parameters: Sequence[LayerParameter]) -> list[str]:
    """Entries that are a trained recurrent layer's weights from state to state, if their values are
    even or normal, of whatever size: training leaves gates of unlike size, and long tails.
    """
    of_states = [each for each in parameters if ".weight_hh" in each.channel.layer]
    return [
        each.channel.layer
        for each in of_states
        if each.parameter.requires_grad and _tells(each.parameter)
        if any(shape_of_sample(_sample(each.parameter)))
    ]


def is_fresh_head(
    own: Iterable[tuple[str, nn.Parameter]], others: Sequence[LayerParameter]
) -> bool:
    """Whether a network's last layer is frozen, and has biases that are all 0 beside weights that
    are not: training leaves none at 0. Or its weights are even between the bounds that torch draws
    them from, and another frozen layer's are not as drawn: a body that was loaded was frozen with
    its new head. Not so of a copy of a layer that is trained.

    Args:
        own: name and parameter of what the layer has.
        others: parameters of all layers.
    """
    named = {name: each for name, each in own if type(each) is nn.Parameter and not each.is_meta}
    bias, weight = named.get("bias"), named.get("weight")
    if bias is None or weight is None or bias.requires_grad or weight.requires_grad:
        return False
    is_copy = any(e.parameter.requires_grad and e.parameter.shape == weight.shape for e in others)
    if is_copy or len(bias) < 2 or weight.ndim < 2:
        return False
    if not bias.any():  # device to host, where there is one
        return bool((weight != weight.flatten()[0]).any())
    if not _tells(weight) or _evidence(weight, None) < _ENOUGH:
        return False
    known = (e.parameter for e in others if not e.parameter.requires_grad and _tells(e.parameter))
    return any(each is not weight and not any(shape_of_sample(_sample(each))) for each in known)


def drawn_norms(scales: Mapping[str, Tensor]) -> list[str]:
    """Entries whose scales, as those of a normalisation, lie about 0 with both signs, if more than
    half of all do. Training leaves them on one side: they begin at 1, or at 0 in a few places. An
    initialiser that was run over all parameters draws them as it draws a matrix.

    Args:
        scales: by entry, [features].
    """
    told = {
        name: each.detach().double().cpu()  # device to host, where there is one
        for name, each in scales.items()
        if each.ndim == 1 and len(each) >= _SCALES and not each.is_meta and each.is_floating_point()
    }
    drawn = [name for name, each in told.items() if _lies_about_zero(each)]
    return drawn if 2 * len(drawn) > len(told) else []


def _lies_about_zero(scales: Tensor) -> bool:
    error = float(scales.std()) / math.sqrt(len(scales))
    fewer = min(int((scales > 0).sum()), int((scales < 0).sum()))
    return 4 * fewer >= len(scales) and abs(float(scales.mean())) < _OFF * error


def blank_rows(weight: nn.Parameter) -> float:
    """Share of a frozen embedding's vectors that are 0 throughout; 0 of one that is trained, or
    that has memory elsewhere. Of many vectors some are looked at, evenly spaced.
    """
    if weight.requires_grad or not _tells(weight) or weight.ndim != 2:
        return 0.0
    some = weight.detach()[:: -(-len(weight) // _MANY)]
    return float((some == 0).all(1).double().mean())  # device to host, where there is one


def _are_at_their_start(vectors: Iterable[nn.Parameter]) -> bool:
    """Whether all that are frozen are 0 throughout or 1 throughout, some of either."""
    zeros = ones = 0
    for vector in vectors:
        if vector.ndim != 1 or vector.requires_grad or len(vector) < _LENGTH or vector.is_meta:
            continue
        first = float(vector[0])  # device to host, where there is one
        if first not in (0.0, 1.0) or not bool((vector == first).all()):
            return False
        zeros, ones = zeros + (first == 0), ones + (first == 1)
    return zeros >= 2 and ones >= 1


def _tells(weight: nn.Parameter) -> bool:
    """Not a token that is learned, nor positions, of [1, n, width]: by no fan-in are they drawn."""
    plain = type(weight) is nn.Parameter and weight.is_floating_point()
    return (
        plain
        and weight.ndim > 1
        and len(weight) > 1
        and weight.numel() >= _FEWEST
        and not weight.is_meta
    )


def _evidence(weight: Tensor, width: tuple[int, int] | None) -> int:
    """_ENOUGH for values that end at bounds that are known, 1 for normal ones of a usual variance,
    0 for few of variance 1, as of a small embedding, which tell nothing, -1 for others.
    """
    rows, of_each = weight.shape[0], weight[0].numel()
    fan_in, outputs = width or (of_each, rows)
    fan_out = outputs * weight[0, 0].numel()
    sample = _sample(weight)
    count, largest, variance = len(sample), float(sample.abs().max()), float(sample.square().mean())
    even, normal = shape_of_sample(sample)
    # Of recurrent layers the bound is that of their states: rows are theirs, or of 3 or 4 gates.
    bounds = [1 / math.sqrt(fan) for fan in (fan_in, rows, rows / 3, rows / 4)]
    bounds.append(math.sqrt(6 / (fan_in + fan_out)))
    error = _SURE / math.sqrt(count)
    is_even = even and any(
        (1 - 12 / count) * bound < largest <= (1 + 1e-5) * bound for bound in bounds
    )
    variances = (1 / fan_in, 2 / fan_in, 2 / fan_out, 2 / (fan_in + fan_out), 0.02**2, 1.0)
    if is_even:
        return _ENOUGH
    usual = [each for each in variances if abs(variance / each - 1) < math.sqrt(2) * error]
    if not normal or not usual:
        return -1
    is_many = count >= _MANY
    return int(is_many) if is_many or 1.0 in usual else -1


def _sample(weight: Tensor) -> Tensor:
    """Up to _MOST of its elements, evenly spaced, float64 on the host."""
    flat = weight.detach().flatten()
    return flat[:: -(-len(flat) // _MOST)].double().cpu()  # device to host, where there is one


def shape_of_sample(sample: Tensor) -> tuple[bool, bool]:
    """Whether the fourth moment is that of even values, and whether that of normal ones."""
    square = sample.square()
    variance = float(square.mean())
    if not math.isfinite(variance) or not variance:
        return False, False
    fourth = float(square.square().mean()) / variance**2
    error = _SURE / math.sqrt(len(sample))
    return abs(fourth - 1.8) < 1.4 * error, abs(fourth - 3) < 5 * error
