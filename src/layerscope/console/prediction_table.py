"""What theory expects of every layer, in the console."""

import math

from rich.table import Table

from layerscope.console.plain_table import NOTHING, plain_table, short_exponent
from layerscope.theory import Phase, Prediction
from layerscope.theory.phase import depth_in_words


def prediction_table(prediction: Prediction) -> Table:
    """One line per layer, in network order; at most 80 columns wide.

    Only columns in which some layer has something: saturated outputs, zeros, a mean.
    """
    p = prediction
    table = plain_table(
        "What theory expects of every layer",
        "q: variance of the pre-activations; corr: correlation of two inputs' there; "
        f"saturated: share of outputs beyond {p.saturation_threshold:g} of the range; chi: what "
        "the layer multiplies the gradient's mean square by; gradient and weight: RMS of the "
        "gradients of outputs and weights, the last layer's being 1; ±: from one draw of the "
        "weights to the next.",
    )
    digits = max(2, len(str(len(p.layers) + 1)))  # the monitor's names, which count the logits
    columns: list[tuple[str, list[str]]] = [
        ("layer", [f"{n:0{digits}d}_{layer.activation}" for n, layer in enumerate(p.layers, 1)]),
        ("q", [_number(q, 3) for q in p.variance]),
        # By symmetry the mean is 0, up to rounding.
        ("mean", [_number(m, 2, abs(m) <= 1e-9 * s) for m, s in zip(p.mean, p.std, strict=True)]),
        ("std", [_number(std, 2) for std in p.std]),
        ("±", [_share(math.expm1(spread)) for spread in p.std_spread]),
        ("saturated", [_share(share, 1) for share in p.saturated]),
        ("zeros", [_share(share or math.nan) for share in p.zeros]),
        ("corr", [f"{round(c, 2) + 0.0:.2f}" for c in p.correlation]),  # without a minus zero
        ("chi", [_number(chi, 4) for chi in p.chi]),
        ("gradient", [_number(rms, 2) for rms in p.activation_grad]),
        ("±", [_share(math.expm1(spread)) for spread in p.grad_spread]),
        ("weight", [_number(rms, 2) for rms in p.weight_grad]),
    ]
    columns = [(head, cells) for head, cells in columns if set(cells) != {NOTHING}]
    for head, _ in columns:
        table.add_column(head, justify="left" if head == "layer" else "right", no_wrap=True)
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    table.spare = ("±", "corr", "weight", "q", "chi", "mean", "zeros", "saturated")
    return table


def verdict_sentences(prediction: Prediction) -> list[str]:
    """What is assumed, where depth leads and how far a signal gets, in words."""
    p = prediction
    given = (
        f"Inputs: second moment {p.inputs.second_moment:.3g}, correlation "
        f"{p.inputs.correlation:.2g}, {p.inputs.source}."
    )
    depth = len(p.layers)
    survives = p.phase.survives
    reach = depth_in_words(survives, depth)
    change = p.activation_grad[0]
    toward = f". With {depth} the first layer's gradient is {change:.2g} times the last's"
    if math.isnan(change):
        toward = ""
    verdict = p.phase.verdict
    return [
        given,
        f"With endless layers like these the network is {verdict}{_MEANING[verdict]}{toward}.",
        f"The difference between two inputs survives {reach}; this network has {depth}.",
        _scales(p.phase),
    ]


_MEANING = {
    "ordered": ": gradients fade toward the input and inputs become alike",
    "critical": ": neither signals nor gradients fade or grow exponentially",
    "chaotic": ": gradients grow toward the input and like inputs drift apart",
}


def _scales(phase: Phase) -> str:
    where = {0.0: "fades to 0", math.inf: "grows without end"}
    variance = where.get(phase.variance, f"tends to {phase.variance:.3g}")
    return (
        f"Depth scales: xi_q {_layers(phase.variance_scale)} (variance {variance}), "
        f"xi_c {_layers(phase.correlation_scale)} (correlation tends to {phase.correlation:.2f})."
    )


def _layers(scale: float) -> str:
    return "infinite" if math.isinf(scale) or scale > 1e6 else f"{scale:.3g}"


def _number(value: float, digits: int, missing: bool = False) -> str:
    """A number in as few characters as its digits need; 1.5e3 where others write 1.5e+03."""
    if missing or math.isnan(value):
        return NOTHING
    small = 0 < abs(value) < 0.01
    return short_exponent(f"{value:.{digits - 1}e}" if small else f"{value:.{digits}g}")


def _share(value: float, digits: int = 0) -> str:
    return NOTHING if math.isnan(value) else f"{value:.{digits}%}"
