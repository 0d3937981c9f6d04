"""How a layer is: its worst finding, and nothing else says so."""

import math
from collections.abc import Iterable

from layerscope.diagnose.findings.finding import Finding


def worst_by_layer(findings: Iterable[Finding], until: float = math.inf) -> dict[str, Finding]:
    """Of each layer that a finding names, the worst one; of equals, the first given.

    Only what the layer had by the step `until` counts.

    A finding that does not say which layers have it counts for its first layer alone.
    """
    worst: dict[str, Finding] = {}
    for finding in findings:
        for name in finding.layer_names or (finding.layer,):
            if finding.step_of(name) > until:
                continue
            known = worst.get(name)
            if known is None or finding.level > known.level:
                worst[name] = finding
    return worst
