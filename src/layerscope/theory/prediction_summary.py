"""What a run keeps of its Prediction: plain numbers, that JSON can hold and give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf, isfinite, isnan, nan
from typing import Any

from layerscope.theory.prediction import Prediction

LAYER_PREDICTIONS: Mapping[str, str] = {
    "width": "units",
    "sigma_w2": "fan_in times the variance of a weight",
    "bias_variance": "of a bias",
    "mean": "of the outputs",
    "std": "of the outputs",
    "std_spread": "standard deviation of ln(std) from one draw of the weights to the next",
    "saturated": "share of outputs beyond the threshold",
    "zeros": "share of outputs that are exactly 0",
    "activation_grad": "RMS of d loss / d outputs, the last hidden layer's being 1",
    "grad_spread": "standard deviation of ln(activation_grad) from draw to draw",
    "weight_grad": "RMS of d loss / d weights, the last hidden layer's being 1",
}
"""Of each hidden layer, and what it is; NaN, in JSON null, where theory has no number."""


DIGITS = 6
"""Significant ones that are kept: finer than any spread, in half the bytes."""


@dataclass(frozen=True, slots=True)
class PhaseSummary:
    """Where more layers like the last hidden one would lead; see `Phase`.

    Attributes:
        sigma_w2: fan_in times the variance of a weight: the x of a phase diagram.
        bias_variance: of a bias: its y.
        uniform: whether all hidden layers but the first have these; else the phase diagram tells
            of the last alone.
        chi: factor of the gradient's mean square per layer.
        verdict: "ordered", "critical" or "chaotic".
        xi_q: layers over which the variance nears its fixed point by a factor of e; may be inf.
        xi_c: likewise of the correlation of two examples.
        survives: layers that the difference between two examples survives, 6 xi_c; may be inf.
    """

    activation: str
    sigma_w2: float
    bias_variance: float
    uniform: bool
    chi: float
    verdict: str
    xi_q: float
    xi_c: float
    survives: float

    @classmethod
    def of(cls, prediction: Prediction) -> PhaseSummary:
        """Take from a prediction what a run keeps of its phase."""
        phase, last = prediction.phase, prediction.layers[-1]
        return cls(
            activation=last.activation,
            sigma_w2=rounded(last.sigma_w2),
            bias_variance=rounded(last.bias_variance),
            uniform=all(
                rounded(layer.sigma_w2) == rounded(last.sigma_w2)
                and layer.bias_variance == last.bias_variance
                and layer.activation == last.activation
                for layer in prediction.layers[1:]
            ),
            chi=rounded(phase.chi),
            verdict=phase.verdict,
            xi_q=rounded(phase.variance_scale),
            xi_c=rounded(phase.correlation_scale),
            survives=rounded(phase.survives),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON; `PhaseSummary.of_json` reads them."""
        return {name: as_json(value) for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> PhaseSummary:
        """The phase that `as_json` gave; keys that it does not have are passed over."""
        return cls(**{field.name: of_json(written[field.name]) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class PredictionSummary:
    """What theory expects of a network's hidden layers at step 0, the first hidden layer first.

    Where theory has nothing to say there are no layers and no phase, and `reason` says why. The
    columns are those of `LAYER_PREDICTIONS`, [depth], of six digits: JSON gives back what it got.

    Attributes:
        second_moment, correlation, batch, source: of the inputs, as in `Inputs`.
        saturation_threshold: what `saturated` counts from.
        phase: where more layers like the last would lead.
        choice: the init that theory would choose, in a sentence.
        reason: why there is no prediction; empty if there is one.
    """

    width: tuple[int, ...] = ()
    sigma_w2: tuple[float, ...] = ()
    bias_variance: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    std_spread: tuple[float, ...] = ()
    saturated: tuple[float, ...] = ()
    zeros: tuple[float, ...] = ()
    activation_grad: tuple[float, ...] = ()
    grad_spread: tuple[float, ...] = ()
    weight_grad: tuple[float, ...] = ()
    second_moment: float = nan
    correlation: float = nan
    batch: int = 0
    source: str = ""
    saturation_threshold: float = nan
    phase: PhaseSummary | None = None
    choice: str = ""
    reason: str = ""

    @property
    def depth(self) -> int:
        """Hidden layers that are predicted."""
        return len(self.std)

    @classmethod
    def of(cls, prediction: Prediction, choice: str = "") -> PredictionSummary:
        """Take from a prediction what a run keeps of it."""
        columns: dict[str, Any] = {
            name: tuple(rounded(float(value)) for value in getattr(prediction, name))
            for name in LAYER_PREDICTIONS
            if name not in ("width", "sigma_w2", "bias_variance")
        }
        inputs, layers = prediction.inputs, prediction.layers
        return cls(
            **columns,
            width=tuple(layer.fan_out for layer in layers),
            sigma_w2=tuple(rounded(layer.sigma_w2) for layer in layers),
            bias_variance=tuple(rounded(layer.bias_variance) for layer in layers),
            second_moment=rounded(inputs.second_moment),
            correlation=rounded(inputs.correlation),
            batch=inputs.batch,
            source=inputs.source,
            saturation_threshold=prediction.saturation_threshold,
            phase=PhaseSummary.of(prediction),
            choice=choice,
        )

    def of_layer(self, position: int) -> dict[str, float | None]:
        """What is expected of one hidden layer, 0 the first, as JSON holds it."""
        return {name: as_json(getattr(self, name)[position]) for name in LAYER_PREDICTIONS}

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON; `PredictionSummary.of_json` reads them.

        The keys are the attributes', but that `layers` takes the place of the columns: for each
        hidden layer what `of_layer` gives. NaN is None, and infinity "inf".
        """
        return {
            **{name: as_json(getattr(self, name)) for name in _OF_THE_NETWORK},
            "phase": None if self.phase is None else self.phase.as_json(),
            "layers": [self.of_layer(position) for position in range(self.depth)],
        }

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> PredictionSummary:
        """What `as_json` gave; keys that it does not have are passed over."""
        phase = written["phase"]
        given: dict[str, Any] = {
            name: tuple(of_json(layer[name]) for layer in written["layers"])
            for name in LAYER_PREDICTIONS
        }
        return cls(
            **given,
            **{name: of_json(written[name]) for name in _OF_THE_NETWORK},
            phase=None if phase is None else PhaseSummary.of_json(phase),
        )


_OF_THE_NETWORK = [
    field.name
    for field in fields(PredictionSummary)
    if field.name not in LAYER_PREDICTIONS and field.name != "phase"
]


def rounded(value: float) -> float:
    """Return the number to `DIGITS` significant digits; inf stays, and any NaN becomes math.nan.

    One and the same NaN, so that what holds it equals what is read back from JSON.
    """
    return nan if isnan(value) else float(f"{value:.{DIGITS}g}")


def as_json(value: Any) -> Any:
    """Return the value; JSON has no NaN, None takes its place, and infinity is a word.

    >>> as_json(float("inf")), as_json(0.5), as_json("tanh"), as_json(float("nan"))
    ('inf', 0.5, 'tanh', None)
    """
    if not isinstance(value, float) or isfinite(value):
        return value
    return None if isnan(value) else str(value)


def of_json(written: Any) -> Any:
    """Return what `as_json` was given."""
    return {None: nan, "inf": inf, "-inf": -inf}.get(written, written)
