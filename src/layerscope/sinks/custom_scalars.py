"""The layout of TensorBoard's Custom Scalars tab: all layers of a quantity in one chart."""

from layerscope.events.summaries import document
from layerscope.events.wire import VARINT, field, key, varint
from layerscope.quantity import Quantity

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
