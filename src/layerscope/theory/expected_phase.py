"""Where depth leads, as plain numbers that a run's files hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from layerscope.theory.plain import as_json, of_json, rounded
from layerscope.theory.prediction import Prediction


@dataclass(frozen=True, slots=True)
class ExpectedPhase:
    """Where more layers like the last hidden one would lead; see `Phase`.

    Attributes:
        activation: its name.
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
    def of(cls, prediction: Prediction) -> ExpectedPhase:
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
        """Plain types for JSON; `ExpectedPhase.of_json` reads them."""
        return {name: as_json(value) for name, value in asdict(self).items()}

    @classmethod
    def of_json(cls, written: Mapping[str, Any]) -> ExpectedPhase:
        """The phase that `as_json` gave; keys that it does not have are passed over."""
        return cls(**{field.name: of_json(written[field.name]) for field in fields(cls)})
