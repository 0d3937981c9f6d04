"""What becomes of the gradient between the last and the first hidden layer, in a sentence."""

from collections.abc import Mapping
from typing import Any

from layerscope.diagnose.gradient_flow import flow_in_words


def gradient_sentence(diagnosis: Mapping[str, Any]) -> str | None:
    """Say by which factor a layer the gradient changes toward the input in the first step.

    The geometric mean, from the last to the first hidden layer, of the RMS of d loss / d
    activation. Hidden layers are those that theory predicts; without a prediction, all but the last
    that a forward pass reached.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.

    Returns:
        None where there are not two such layers, or one of the two has no gradient.
    """
    step = diagnosis["steps"][0]
    reached = [entry for entry in step["layers"] if "activation" in entry]
    predicted = [entry for entry in reached if "predicted" in entry]
    hidden = predicted or reached[:-1]
    ends = [entry.get("activation_grad", {}).get("rms") for entry in (*hidden[:1], *hidden[-1:])]
    if len(hidden) < 2 or ends[0] is None or not ends[1]:
        return None
    where = f"{hidden[-1]['layer']} to {hidden[0]['layer']}"
    ratio = predicted[0]["predicted"]["activation_grad"] if predicted else None
    if ratio is not None:
        where += f"; theory expects {_a_layer(ratio, len(hidden)):.2g}"
    return f"Step {step['step']}: {flow_in_words(_a_layer(ends[0] / ends[1], len(hidden)), where)}."


def _a_layer(ratio: float, layers: int) -> float:
    """What one layer multiplies by, if so many change the gradient by this ratio."""
    return float(ratio ** (1 / (layers - 1)))
