"""What a finding asks for does not contradict what one before it asks for."""

from collections.abc import Sequence
from dataclasses import replace

from layerscope.diagnose.findings.finding import Finding

_SMALLER = ("a tenth of what it is", "a smaller optimizer.lr", "ten times smaller")
_LARGER = ("times what it is", "times larger", "a larger optimizer.lr")
"""As the remedies of rules say it."""

AFTERWARDS = "if it is still there once what stands above is mended: "


def with_one_rate(told: Sequence[Finding]) -> list[Finding]:
    """The same findings. What asks for a larger learning rate below one that asks for a smaller
    one, or the reverse, is said to come after that; so is all that a consequence asks for, which
    goes when its cause is mended.

    Args:
        told: in the order in which to mend them.
    """
    asked, result = 0, []
    for finding in told:
        way = _way(finding.remedy)
        is_later = finding.because or (asked and way == -asked)
        if is_later and finding.remedy:
            finding = replace(finding, remedy=AFTERWARDS + finding.remedy)
        if not is_later:
            asked = asked or way
        result.append(finding)
    return result


def _way(remedy: str) -> int:
    """1 of a larger rate, -1 of a smaller one, 0 of neither, or of both to try."""
    larger = any(words in remedy for words in _LARGER)
    return larger - any(words in remedy for words in _SMALLER)
