"""How to read each chart: the Markdown that TensorBoard shows beside a tag.

Those of histograms are the quantities' own: `Quantity.reading_aid`.
"""

from layerscope.events.summaries import document
from layerscope.events.wire import VARINT, field, key, varint
from layerscope.quantity import Quantity

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
    "update_lost_share": (
        "Of the elements of this weight of 16 bits that have a gradient, the share that the update "
        "left as they were: rounding swallowed it. **Healthy:** below 0.5."
    ),
    "stream_rms": (
        "Root mean square of the residual stream after this addition, in steps that were looked "
        "at. **Healthy:** grows by little from one addition to the next."
    ),
    "branch_to_stream": (
        "RMS of the branch that is added here / RMS of the stream before. **Healthy:** 0.01 to 1; "
        "0 where a branch starts at zero."
    ),
    "outlier_share": (
        "Share of the residual stream's elements, after this addition, that are above 10 times its "
        "RMS. Large language models have some, in few channels."
    ),
    "logit_z": (
        "Log of the sum of exp(logits), the mean over the samples. **Healthy:** stays near where "
        "it starts, log(classes)."
    ),
    "attention_entropy": (
        "Entropy of this attention's weights / that of uniform ones over the keys that a row may "
        "see, mean over rows and heads, 0 to 1. **Healthy:** between. Near 0 each row looks at one "
        "token, near 1 none is chosen."
    ),
    "attention_logit": (
        "Largest logit of any head of this attention, before the softmax. **Healthy:** below 100, "
        "and not growing without end."
    ),
    "gate_shut_share": (
        "Share of this gate's values below 0.1, over samples, times and units, at keyframes. An "
        "input gate that is shut takes nothing in, a forget gate that is shut forgets all."
    ),
    "gate_open_share": (
        "Share of this gate's values above 0.9. A forget gate that is open remembers."
    ),
    "expert_load": (
        "Tokens of the expert that gets most / the mean over this router's experts, in steps that "
        "were looked at. **Healthy:** 1 to 2."
    ),
    "experts_unused_share": (
        "Share of this router's experts that got no token in a step, 0 to 1. **Healthy:** 0."
    ),
    "train/loss": "The loss that step() was given.",
    "clip_factor": (
        "Norm of the gradients after clipping / before, 0 to 1. The gradients in the histograms "
        "are those before."
    ),
    "monitor/ms_per_step": "What measuring took of this training step, in milliseconds.",
    "monitor/share_of_step": "The same as a share of the step's whole time, 0 to 1.",
    "activation_grad_rms": (
        "Root mean square of d loss / d output. Compare the layers: **healthy** is about equal."
    ),
    "activation_grad_rms_log10": (
        "log10 of the root mean square of d loss / d output: -3 is 0.001. **Healthy:** about equal "
        "in all layers. TensorBoard's charts have no logarithmic axis until one is chosen, and one "
        "run that explodes would flatten the others."
    ),
    "weight_grad_rms_log10": (
        "log10 of the root mean square of the weight gradient, before clipping: -3 is 0.001."
    ),
    "weight_grad_rms": "Root mean square of the weight gradient, before clipping.",
    "bias_grad_rms": "Root mean square of the bias gradient, before clipping.",
}


def describe_log(quantity: Quantity) -> str:
    """How to read a histogram of log10 of a quantity's absolute value."""
    return quantity.reading_aid + _ABOUT_LOG


def describe_scalar(name: str) -> str:
    """How to read a scalar, with its unit."""
    return _ABOUT_SCALAR[name]


_TAG, _PLUGIN = "custom_scalars__config__", "custom_scalars"

_CHARTS = {
    "Layers": {
        "std per layer": "activation_std",
        "saturated share per layer": "saturated_share",
        "log10(activation gradient RMS) per layer": Quantity.ACTIVATION_GRAD.rms_log10,
        "log10(weight gradient RMS) per layer": Quantity.WEIGHT_GRAD.rms_log10,
        "log10(update / weight) per layer": "update_to_weight_log10",
    },
    "Residual stream": {
        "RMS after each addition": "stream_rms",
        "branch / stream": "branch_to_stream",
        "share above 10 RMS": "outlier_share",
    },
}
"""Category: chart: what the tags of its lines begin with. All but the first are folded at first, as
not every network has such tags.
"""


def layer_charts() -> bytes:
    """Encode the layout as a value for `EventFile.add`, once a run, at any step.

    The same bytes for every run, so that TensorBoard, which merges the layouts of all runs, shows
    each chart once. A chart has a line for each layer and each run that is ticked. Field numbers
    are those of tensorboard/plugins/custom_scalar/layout.proto.
    """
    folded = varint(key(3, VARINT)) + varint(1)
    categories = []
    for number, (title, charts) in enumerate(_CHARTS.items()):
        content = b"".join(_chart(name, figure) for name, figure in charts.items())
        categories.append(field(2, _named(title, content) + (folded if number else b"")))
    return document(_TAG, b"".join(categories), _PLUGIN)


def _chart(title: str, figure: str) -> bytes:
    lines = field(1, f"^{figure}/".encode())  # a regular expression that the tags match
    return field(2, _named(title, field(2, lines)))


def _named(title: str, content: bytes) -> bytes:
    return field(1, title.encode()) + content
