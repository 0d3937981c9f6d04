"""Which findings stand before what is wrong with the inputs, by how far off they are."""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.rule_groups import OF_LAYERS
from layerscope.diagnose.findings.severity import SEVERITIES

_WARNING = SEVERITIES.index("warning")
_BARRED = OF_LAYERS | {"vanishing_gradient", "no_gradient", "stalled"}
"""With one of them a step may be small since hardly any gradient comes through."""

_RESOLUTION = float(np.log10(2.0**-24))
"""log10 of half of what the smallest change of a float32 is, beside its size: a step below leaves
nearly all weights as they are."""

_OUTWEIGHS = 100.0
"""Times as far beyond its limit: scaled inputs bring the outputs no nearer to targets like that."""


def urgent(findings: Sequence[Finding]) -> frozenset[str]:
    """Rules of a run's findings that no scale of the inputs explains: `update_too_small` where
    steps move nothing though gradients come through, of inputs and targets that are large, which
    make gradients larger; `target_scale` where the targets are off by far more than the inputs.
    """
    warned = {each.rule: each for each in findings if each.level >= _WARNING}
    small, inputs, targets = map(warned.get, ("update_too_small", "input_scale", "target_scale"))
    scales = [each for each in (inputs, targets) if each is not None]
    found = set()
    is_still = small is not None and small.value < _RESOLUTION
    if is_still and all(map(_is_large, scales)) and not _BARRED & warned.keys():
        found.add("update_too_small")
    if inputs and targets and _is_large(inputs) and _is_large(targets):
        times = targets.value / targets.threshold * inputs.threshold / inputs.value
        if times > _OUTWEIGHS:
            found.add("target_scale")
    return frozenset(found)


def _is_large(finding: Finding) -> bool:
    return finding.value > finding.threshold > 0
