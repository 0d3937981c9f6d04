"""How to read each chart: the Markdown that TensorBoard shows beside a tag."""

from __future__ import annotations

_ABOUT = {
    "activation": (
        "Outputs of this layer, every element of every sample. **Healthy:** one hump around zero, "
        "the same width in every layer. **Sick:** towers at the ends (saturated: no gradient "
        "passes), or a needle at zero (idle)."
    ),
    "activation_grad": (
        "d loss / d output of this layer. **Healthy:** about the same width in every layer. "
        "**Sick:** ten times narrower from layer to layer (vanishing) or wider (exploding)."
    ),
    "weight_grad": (
        "Gradient of this layer's weights as the optimizer receives it, before clipping. "
        "**Healthy:** the same order of magnitude in every layer."
    ),
    "weight": "Weights of this layer before the step. They change slowly.",
    "bias_grad": "Gradient of this layer's biases, before clipping.",
    "update": (
        "What the optimizer's step changed in this layer's weights, measured from the weights "
        "themselves. **Healthy:** about a thousandth of the weights' own width."
    ),
    "bias_update": "What the optimizer's step changed in this layer's biases.",
    "bias": "Biases of this layer before the step.",
}

_ABOUT_LOG = (
    " The x axis is log10 of the absolute value: -3 is 0.001. Zeros are the separate first bucket. "
    "**Healthy:** the hump stays in place from layer to layer and step to step."
)

_ABOUT_SCALAR = {
    "activation_mean": "Mean of this layer's outputs. **Healthy for tanh:** about 0.",
    "activation_std": (
        "Standard deviation of this layer's outputs. **Healthy:** about equal in all layers."
    ),
    "saturated_share": (
        "Share of this layer's outputs beyond the saturation threshold, 0 to 1. "
        "**Healthy:** below 0.05. **Bad:** above 0.20."
    ),
    "dead_share": (
        "Share of this layer's units that have not been active on any of the last samples, as many "
        "as a verdict takes, 0 to 1. **Healthy:** about 0."
    ),
    "update_to_weight_log10": (
        "log10 of RMS(update) / RMS(weight), of what the step really changed. **Healthy:** about "
        "**-3**: a thousandth of the weight a step. Above -1 steps are too large, below -5 the "
        "layer stands still."
    ),
    "clip_factor": (
        "Norm of the gradients after clipping / before, 0 to 1. The gradients in the histograms "
        "are those before."
    ),
    "monitor/ms_per_step": "What measuring took of this training step, in milliseconds.",
    "monitor/share_of_step": "The same as a share of the step's whole time, 0 to 1.",
    "activation_grad_rms": (
        "Root mean square of d loss / d output. Compare the layers: **healthy** is about equal."
    ),
    "weight_grad_rms": "Root mean square of the weight gradient, before clipping.",
    "bias_grad_rms": "Root mean square of the bias gradient, before clipping.",
}


def describe(quantity: str) -> str:
    """What a histogram of this quantity shows, and what healthy looks like."""
    return _ABOUT[quantity]


def describe_log(quantity: str) -> str:
    """The same for its view in log10 of the absolute value."""
    return _ABOUT[quantity] + _ABOUT_LOG


def describe_scalar(name: str) -> str:
    """The same for a scalar, with its unit."""
    return _ABOUT_SCALAR[name]
