"""What is measured of a layer: one name for each quantity, and how to read its chart."""

from __future__ import annotations

from enum import StrEnum


class Quantity(StrEnum):
    """A quantity of a layer: its value is the first part of its tag, `weight_grad/01_tanh`.

    To add one: a member here, and the place that measures it (record/plan.py gives it a row).

    Attributes:
        label: what a chart calls it.
        unit: what its values are in.
        reading_aid: Markdown beside its chart: what it shows, what is healthy, what is sick.
        is_of_any_scale: whether its magnitudes differ so much between layers that it wants a chart
            of log10 of the absolute value too.
    """

    label: str
    unit: str
    reading_aid: str
    is_of_any_scale: bool

    def __new__(
        cls, name: str, label: str, unit: str, reading_aid: str, is_of_any_scale: bool = False
    ) -> Quantity:
        """A member: a string with attributes."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.label = label
        member.unit = unit
        member.reading_aid = reading_aid
        member.is_of_any_scale = is_of_any_scale
        return member

    ACTIVATION = (
        "activation",
        "activations",
        "the output's own",
        "Outputs of this layer, every element of every sample. **Healthy:** one hump around zero, "
        "the same width in every layer. **Sick:** towers at the ends (saturated: no gradient "
        "passes), or a needle at zero (idle).",
    )
    ACTIVATION_GRAD = (
        "activation_grad",
        "activation gradient",
        "loss per unit of output",
        "d loss / d output of this layer. **Healthy:** about the same width in every layer. "
        "**Sick:** ten times narrower from layer to layer (vanishing) or wider (exploding).",
        True,
    )
    WEIGHT = (
        "weight",
        "weights",
        "the weight's own",
        "Weights of this layer before the step. They change slowly.",
    )
    WEIGHT_GRAD = (
        "weight_grad",
        "weight gradient",
        "loss per unit of weight",
        "Gradient of this layer's weights as the optimizer receives it, before clipping. "
        "**Healthy:** the same order of magnitude in every layer.",
        True,
    )
    UPDATE = (
        "update",
        "update",
        "the weight's own",
        "What the optimizer's step changed in this layer's weights, measured from the weights "
        "themselves. **Healthy:** about a thousandth of the weights' own width.",
        True,
    )
    BIAS = ("bias", "biases", "the bias's own", "Biases of this layer before the step.")
    BIAS_GRAD = (
        "bias_grad",
        "bias gradient",
        "loss per unit of bias",
        "Gradient of this layer's biases, before clipping.",
        True,
    )
    BIAS_UPDATE = (
        "bias_update",
        "bias update",
        "the bias's own",
        "What the optimizer's step changed in this layer's biases.",
        True,
    )

    @property
    def is_gradient(self) -> bool:
        """Whether it is a gradient of the loss."""
        return self in _GRADIENTS

    @property
    def gradient(self) -> Quantity:
        """What the loss's gradient with respect to this parameter is called; KeyError if none."""
        return _GRADIENT_OF[self]

    @property
    def update(self) -> Quantity:
        """What an optimizer's change of this parameter is called; KeyError if none."""
        return _UPDATE_OF[self]

    @property
    def log10(self) -> str:
        """First part of the tags of its chart of log10 of the absolute value."""
        return f"{self}_log10"

    @property
    def rms(self) -> str:
        """First part of the tags of its root mean square, and the name of that figure."""
        return f"{self}_rms"

    @property
    def rms_log10(self) -> str:
        """First part of the tags of log10 of its root mean square."""
        return f"{self.rms}_log10"


_GRADIENTS = frozenset({Quantity.ACTIVATION_GRAD, Quantity.WEIGHT_GRAD, Quantity.BIAS_GRAD})
_GRADIENT_OF = {
    Quantity.ACTIVATION: Quantity.ACTIVATION_GRAD,
    Quantity.WEIGHT: Quantity.WEIGHT_GRAD,
    Quantity.BIAS: Quantity.BIAS_GRAD,
}
_UPDATE_OF = {Quantity.WEIGHT: Quantity.UPDATE, Quantity.BIAS: Quantity.BIAS_UPDATE}

SELECTABLE = (
    Quantity.ACTIVATION,
    Quantity.ACTIVATION_GRAD,
    Quantity.WEIGHT_GRAD,
    Quantity.WEIGHT,
    Quantity.UPDATE,
)
"""What `quantities` may name; biases, their gradients and updates come with `biases=True`."""
