"""Layers that no hook ever told of are named: a blank chart looks like a healthy one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from layerscope.diagnose.finding import Finding


def not_measured_finding(reasons: Mapping[str, str]) -> Finding:
    """A note about the layers whose outputs could not be measured.

    Args:
        reasons: by layer, at least one.
    """
    layer, reason = next(iter(reasons.items()))
    others = f", nor could {len(reasons) - 1} others" if len(reasons) > 1 else ""
    return Finding(
        rule="not_measured",
        severity="note",
        layer=layer,
        step=0,
        layers=len(reasons),
        last_step=0,
        value=math.nan,
        worst=math.nan,
        threshold=math.nan,
        source="its hooks never fired",
        explanation=f"the outputs of {layer} could not be measured{others}: {reason}",
        remedy="call the module itself instead of a function on its weights, and compile the "
        "network after the monitor has put its hooks on; or leave the layer out of monitor.layers",
        layer_names=tuple(reasons),
    )
