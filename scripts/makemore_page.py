"""docs/lesson/makemore_part3.md, of what scripts/measure_makemore.py has measured."""

from math import isnan
from typing import Any

import numpy as np

SEEDS, STEPS, BATCH = (0, 1, 2), 1000, 32

PLAIN = "model.norm=null"
IN_ORDER = {
    "weights and biases of N(0, 1)": [PLAIN, "init=random", "init.gain=1", "init.logits=1"],
    "logits × 0.01: the loss starts at a guess": [
        PLAIN, "init=random", "init.gain=1", "init.logits=0.01"
    ],
    "weights of 5/3 / √fan_in, no biases, logits × 0.1": [PLAIN],
    "batch norm": [],
}  # fmt: skip
ONE_AT_A_TIME = {
    "none": [PLAIN],
    "gain of 1 in place of 5/3": [PLAIN, "init.gain=1"],
    "gain of 0.5": [PLAIN, "init.gain=0.5"],
    "gain of 3": [PLAIN, "init.gain=3"],
    "logits not scaled": [PLAIN, "init.logits=1"],
    "no tanh": [PLAIN, "model.activation=identity"],
    "learning rate of 0.001": [PLAIN, "optimizer.lr=0.001"],
    "gain of 0.2, with batch norm": ["init.gain=0.2"],
}


def page(told: dict[str, Any]) -> str:
    """makemore_part3.md of what was measured."""

    def table(names: list[str]) -> str:
        lines = []
        for name in names:
            of = told["rows"][name]
            end = np.mean(of["end"])
            cells = (
                f"{np.mean(of['start']):.2f}",
                f"{np.mean(of['saturated']):.0%}",
                f"{np.exp(np.mean(np.log(of['gradient']))):.3g}",
                f"{np.mean(of['update']):.1f}",
                "diverged"
                if isnan(end)
                else f"{end:.3f} ({min(of['end']):.3f} to {max(of['end']):.3f})",
            )
            known = ("–" if cell.startswith("nan") else cell for cell in cells)
            lines.append(f"| {name} | {' | '.join(known)} |")
        head = (
            "first loss | saturated, worst layer | gradient, layer 1 / 5 | update:data, log10 | "
            f"loss after {STEPS:,} steps"
        )
        return f"| | {head} |\n|---|---|---|---|---|---|\n" + "\n".join(lines)

    zero, fold, steps = told["zero"], told["folded"], f"{STEPS:,}"
    moved = ", ".join(f"`{name}`" for name in zero["moved"])
    return f"""# makemore, part 3: its bugs and its exercises, measured

Karpathy's lecture "Building makemore Part 3: Activations & Gradients, BatchNorm"
([video](https://youtu.be/P6sfmUTpUmc)) builds a net of six layers, five of 100 tanh and the
logits, and looks at it by five diagnostics. `python train.py experiment=makemore_part3` trains it,
and `make lesson` draws the five. Here on our names, with batches of {BATCH}, SGD at 0.1 and
{len(SEEDS)} seeds. Losses are of 8,192 validation examples: the mean and the range over seeds. The
lecture trains for 200,000 steps; {steps} are enough to tell these apart.

## In the lecture's order

{table(list(IN_ORDER))}

## One bug at a time, in the net without batch norm

The lecture wants an update:data of about -3.

{table(list(ONE_AT_A_TIME))}

## E01: all weights and biases zero

"The network trains but only partially." Of {zero["of"]} parameters {len(zero["moved"])} moved in
{steps} steps: {moved}. The loss went from {zero["start"]:.3f} to {zero["end"]:.3f}; the frequencies
of the letters alone give {told["frequencies"]:.3f}. Every output is tanh(0) = 0, so the gradient of
the logits' weights, which is a gradient times an output, is 0; and what lies before gets its
gradient through those weights, which are 0. What is left is the logits' bias, which learns how
frequent each letter is.

## E02: a batch norm folded into the weights before it

With s = gamma / √(σ² + ε), weights W s and biases (b - μ) s + β, of the running μ and σ², the
network without its norms gives the same logits up to {fold["apart"]:.1e}: the loss is
{fold["after"]:.6f}, and was {fold["before"]:.6f}.

Written by `python scripts/measure_makemore.py` with torch {told["torch"]} on a CPU.
"""
