"""Is a layer healthy? The course's test of one histogram, with its numbers.

The course (day 11, part II): healthy activations have a mean of about 0 and less than 5 % of them
saturated; more than 20 % saturated is bad, and so are activations clustered at zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from layerscope.diagnose.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is judged: one layer's activations in one step.

    Attributes:
        mean, std: of the finite outputs; NaN if unknown.
        saturated: share of saturated outputs; None if the function has no bounds.
        nonfinite: outputs that are NaN or infinite.
        is_activation_function: only these are judged by their spread: logits and embeddings may
            have any scale.
        odd: whether the function is odd, so that its mean should be about 0.
    """

    mean: float
    std: float
    saturated: float | None
    nonfinite: int
    is_activation_function: bool
    odd: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement and the figure it rests on.

    Attributes:
        state: "healthy", "watch" (between the two bounds), "bad", or "not judged".
        reason: the figure beside its threshold, for a person to read.
    """

    state: str
    reason: str


def judge(outputs: Outputs, thresholds: Thresholds) -> Verdict:
    """The verdict on one layer; the worst that applies."""
    t = thresholds
    if outputs.nonfinite:
        return Verdict("bad", f"{outputs.nonfinite} outputs not finite (limit 0)")
    if not outputs.is_activation_function:
        return Verdict("not judged", "any scale is right here")
    if outputs.saturated is not None and outputs.saturated > t.saturated_bad:
        return Verdict("bad", f"saturated {outputs.saturated:.1%} > {t.saturated_bad:.0%}")
    if outputs.std < t.idle_std:
        return Verdict("bad", f"spread {outputs.std:.2g} < {t.idle_std:g}: passes nothing on")
    if outputs.saturated is not None and outputs.saturated > t.saturated_healthy:
        return Verdict("watch", f"saturated {outputs.saturated:.1%} > {t.saturated_healthy:.0%}")
    if outputs.odd and abs(outputs.mean) > t.biased_mean * outputs.std:
        return Verdict("watch", f"|mean| {abs(outputs.mean):.2g} > {t.biased_mean:g} std")
    if outputs.saturated is None:
        return Verdict("healthy", f"spread {outputs.std:.2g} >= {t.idle_std:g}")
    return Verdict("healthy", f"saturated {outputs.saturated:.1%} < {t.saturated_healthy:.0%}")
