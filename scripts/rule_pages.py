"""The pages of rules as the site has them: thresholds filled in, how sure the rule is, its picture.

`scripts/site_pages.py` adds them when the site is built.
"""

from layerscope.diagnose.findings.sureness import sure_sentence
from layerscope.diagnose.rule_page import page_names, page_of

PICTURES = {
    "saturated": "Share of saturated outputs over the steps, a line per layer. Sick: 02_tanh jumps "
    "from 0 to 82 % at step 12, beyond critical. Healthy: all layers stay near or below 5 %.",
    "idle": "Standard deviation of the outputs over the steps. Sick: 04_tanh falls to 0.001 at "
    "step 12, below the limit of 0.01, and 05_tanh follows. Healthy: all layers stay between 0.28 "
    "and 0.65.",
    "biased": "Mean over standard deviation of the outputs over the steps. Sick: 02_tanh rises to "
    "29 at step 9, beyond the limit of 2. Healthy: all layers stay below 0.1.",
    "dead_units": "Share of dead units over the steps. Sick: 02_relu reaches 60 % at step 32, and "
    "step 17 is named, when the units fell silent. Healthy: no layer goes far above the note at "
    "10 %.",
    "vanishing_gradient": "Gradient norm over the layers, in three steps. Sick: from step 12 on, "
    "0.01 of it is left before 03_relu, below the limit of 0.05. Healthy: nearly level in all "
    "steps.",
    "exploding_gradient": "Gradient norm over the layers, in three steps. Sick: from step 6 on, it "
    "is about 2500 times as large before 03_relu, above the limit of 1000. Healthy: nearly level.",
    "gradient_spike": "Weight gradient over its running median, from step 20 on. Sick: 03_tanh "
    "shows 1000 in step 40, far above the limit of 10. Healthy: all layers stay near 1.",
    "update_too_large": "log10 of update over weight. Sick: all layers jump from -3 to above -1 at "
    "step 15, when the learning rate does. Healthy: they stay near the usual -3.",
    "update_too_small": "log10 of update over weight. Sick: 03_tanh stays near -7.5, below the "
    "limit of -5. Healthy: all layers stay near the usual -3.",
    "stalled": "log10 of update over weight, against the median layer. Sick: 03_tanh has no update "
    "at all, below the limit of -4. Healthy: all layers stay near 0.",
    "overconfident_start": "Loss over that of uniform guessing. Sick: 8.6 at step 0, above the "
    "limit of 1.5, and still above it at the end. Healthy: about 1 from the start.",
    "not_finite": "Share of outputs that are not finite. Sick: at step 10 few in 03_relu, which is "
    "named, and more in the layers after it; all outputs of all layers a step later. Healthy: "
    "none.",
    "collapsed": "Spread between samples over the size of the outputs. Sick: 02_tanh and all "
    "layers after it fall to 0.0004 at step 9, below the limit of 0.01. Healthy: all stay near 2.",
}
"""What each picture of docs/diagnosis/ shows, for who cannot see it."""


def pages() -> dict[str, str]:
    """The content of each page, by the rule's name, in the order of the rules."""
    return {name: _page(name) for name in page_names()}


def _page(rule: str) -> str:
    parts = [page_of(rule).markdown(), f"{sure_sentence(rule)}\n"]
    if rule in PICTURES:
        parts.append(
            "A small network with this fault planted, and its healthy twin:\n\n"
            f"![{PICTURES[rule]}](../diagnosis/{rule}.png)\n"
        )
    parts.append(f"`layerscope explain {rule}` prints this page. [All rules](../diagnosis.md)\n")
    return "\n".join(parts)
