"""Two findings of one run do not ask for a larger learning rate and for a smaller one as equals."""

from collections.abc import Sequence
from dataclasses import replace

from layerscope.diagnose.findings.finding import Finding

_SMALLER = ("a tenth of what it is", "a smaller optimizer.lr", "ten times smaller")
_LARGER = ("times what it is", "times larger", "a larger optimizer.lr")
"""As the remedies of rules say it."""

AFTERWARDS = "if it is still there once what stands above is mended: "


def with_one_rate(told: Sequence[Finding]) -> list[Finding]:
    """The same findings; what asks for the opposite of what a finding before it asks for, the
    learning rate being concerned, is said to come after that. Consequences ask for nothing.

    Args:
        told: in the order in which to mend them.
    """
    asked, result = 0, []
    for finding in told:
        way = 0 if finding.because else _way(finding.remedy)
        if asked and way == -asked:
            finding = replace(finding, remedy=AFTERWARDS + finding.remedy)
        asked = asked or way
        result.append(finding)
    return result


def _way(remedy: str) -> int:
    """1 of a larger rate, -1 of a smaller one, 0 of neither, or of both to try."""
    larger = any(words in remedy for words in _LARGER)
    return larger - any(words in remedy for words in _SMALLER)
