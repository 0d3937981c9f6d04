"""What a run keeps of its Prediction: plain numbers, that JSON can hold and give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import nan
from typing import Any

from layerscope.theory.expected_phase import ExpectedPhase
from layerscope.theory.plain import as_json, of_json, rounded
from layerscope.theory.prediction import Prediction

LAYER_EXPECTATIONS: Mapping[str, str] = {
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


@dataclass(frozen=True, slots=True)
class Expected:
    """What theory expects of a network's hidden layers at step 0, the first hidden layer first.

    Where theory has nothing to say there are no layers and no phase, and `reason` says why. The
    columns are those of `LAYER_EXPECTATIONS`, [depth], of six digits: JSON gives back what it got.

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
    phase: ExpectedPhase | None = None
    choice: str = ""
    reason: str = ""

    @property
    def depth(self) -> int:
        """Hidden layers that are predicted."""
        return len(self.std)

    @classmethod
    def of(cls, prediction: Prediction, choice: str = "") -> Expected:
        """Take from a prediction what a run keeps of it."""
        columns: dict[str, Any] = {
            name: tuple(rounded(float(value)) for value in getattr(prediction, name))
            for name in LAYER_EXPECTATIONS
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
            phase=ExpectedPhase.of(prediction),
            choice=choice,
        )

    def of_layer(self, position: int) -> dict[str, float | None]:
        """What is expected of one hidden layer, 0 the first, as JSON holds it."""
        return {name: as_json(getattr(self, name)[position]) for name in LAYER_EXPECTATIONS}

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON; `Expected.of_json` reads them.

        The keys are the attributes', but that `layers` takes the place of the columns: for each
        hidden layer what `of_layer` gives. NaN is None, and infinity "inf".
        """
        return {
            **{name: as_json(getattr(self, name)) for name in _OF_THE_NETWORK},
            "phase": None if self.phase is None else self.phase.as_json(),
            "layers": [self.of_layer(position) for position in range(self.depth)],
        }

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> Expected:
        """What `as_json` gave; keys that it does not have are passed over."""
        phase = written["phase"]
        given: dict[str, Any] = {
            name: tuple(of_json(layer[name]) for layer in written["layers"])
            for name in LAYER_EXPECTATIONS
        }
        return cls(
            **given,
            **{name: of_json(written[name]) for name in _OF_THE_NETWORK},
            phase=None if phase is None else ExpectedPhase.of_json(phase),
        )


_OF_THE_NETWORK = [
    field.name
    for field in fields(Expected)
    if field.name not in LAYER_EXPECTATIONS and field.name != "phase"
]
