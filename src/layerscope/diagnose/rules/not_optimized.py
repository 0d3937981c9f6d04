"""Parameters that get a gradient, and that no optimizer has, or none of whose steps moves."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.findings.finding import Finding

_HEAD = 2
"""Of the figure `untrained`: a last layer that was frozen as it was drawn."""


@rule_with_memory("not_optimized")
def not_optimized(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A layer whose trained parameters get a gradient, and that no optimizer has."""
    values = figures["owned"].astype(np.float64)
    # Of what no optimizer has, a plain loop does not say when its gradient is whole to be measured.
    unmeasured = np.isnan(figures["weight_grad_rms"]) & (figures["no_gradient"] == 0)
    measured = (figures["weight_grad_rms"] > 0) & ~(figures["no_gradient"] > 0)
    ill = (values == 0) & (measured | unmeasured)
    # What it has is the network's own, and none of that is trained.
    frozen = ((figures["unowned_share"] == 1) & (figures["foreign"] == 0))[:, np.newaxis]
    head = (figures["untrained"] == _HEAD).any(axis=1, keepdims=True)  # `frozen_untrained` says so
    return Symptoms.of_layers(
        1 - values,
        np.where(ill, np.where(frozen & head, 1, 2), 0),
        Advice(
            "{layer} gets a gradient, and no optimizer has its parameters: it never learns",
            "hand all parameters to the optimizer: torch.optim.AdamW(model.parameters()), made "
            "after the last layer; optimizer.add_param_group for what is unfrozen later; or "
            "layer.requires_grad_(False) if it is to stay as it is",
        ),
        Advice(
            "{layer} gets a gradient, and no optimizer has its parameters: it has those of "
            "another network, or of this one before it was changed",
            "make the optimizer from the network that is trained, after it was copied, moved, "
            "wrapped or given a new head",
        ),
        Advice(
            "all parameters that the optimizer has are frozen, so no step moves anything: {layer} "
            "gets a gradient, and no optimizer has its parameters",
            "requires_grad_(True) for what the optimizer is to train, such as a new head, after "
            "the others were frozen; or hand it what is not frozen: [p for p in model.parameters() "
            "if p.requires_grad]",
        ),
        limits=(np.nan, 0.0, np.nan),
        source="torch.optim: an optimizer steps the parameters that it was given",
        lasting=thresholds.lasting,
        cause=np.broadcast_to(
            np.where(frozen, 2, (figures["foreign"] > 0)[:, np.newaxis]), values.shape
        ),
    )


NEVER_STEPPED = 20
"""Batches that no optimizer took a step with, from the first on: gradients of fewer may add up."""


def never_stepped(batches: int) -> Finding:
    """The finding of a loop that has given a loss for so many batches, and whose optimizer, made
    of the network's parameters, has never taken a step: there are no figures to judge.
    """
    return Finding.of_no_figures(
        "not_optimized",
        "optimizer",
        0,
        severity="critical",
        value=float(batches),
        threshold=float(NEVER_STEPPED),
        source="torch.optim: an optimizer moves parameters when its step() is called",
        explanation=f"after {batches} batches the optimizer has not taken a single step: nothing "
        "is trained",
        remedy="optimizer.step() after loss.backward(), with its parentheses; with a gradient "
        "scaler scaler.step(optimizer)",
    )


def never_given(path: str, more: int, step: int) -> Finding:
    """The finding of layers that were put into the network in mid-run, get a gradient, and are no
    optimizer's: they are not measured, so no rule sees them.

    Args:
        path: of the first of them.
        more: how many there are beside it.
        step: before which they came.
    """
    others = f", and {more} more layer{'s' * (more > 1)}," if more else ""
    return Finding.of_no_figures(
        "not_optimized",
        path,
        step,
        layers=1 + more,
        source="torch.optim: an optimizer steps the parameters that it was given",
        explanation=f"{path}{others} came into the network before step {step} and got a gradient, "
        "and no optimizer has its parameters: it never learns",
        remedy='optimizer.add_param_group({"params": layer.parameters()}) once the layer is there; '
        "or layer.requires_grad_(False) if it is to stay as it is",
    )
