"""Graphs of earlier steps that are held, and a loss that is made of them."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_HELD = 2.0
"""Of the last eight looks, without the very last: as many as a loop may hold for a moment."""


@rule_of_run("graph_kept", looks_at=("graphs_kept", "loss_of_earlier"))
def graph_kept(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Outputs of earlier steps whose graph is alive, or 1 where the loss itself is made of such: a
    sum of all losses so far.
    """
    held, of_loss = figures["graphs_kept"], figures["loss_of_earlier"] == 1
    values = np.where(of_loss, np.fmax(held, 1), held).astype(np.float64)
    return Symptoms.of_run(
        "loss",
        values,
        np.where(of_loss, 2, np.where(held > _HELD, 1, 0)),
        Advice(
            "the loss also contains the losses of earlier steps, with their graphs: it grows from "
            "step to step, and backward passes through weights that have changed since",
            "a loss of its own in each step, for backward and for what is logged; add up "
            "loss.item() or loss.detach(), and take retain_graph=True out",
        ),
        Advice(
            "the graphs of earlier steps are still held, those of {value:.0f} of the last eight "
            "looks: they take more memory with each step",
            "loss.item() or loss.detach() for what is added up, kept in a list or logged, and "
            "output.detach() for outputs",
        ),
        limits=(_HELD, 0.0, np.nan),
        source="PyTorch FAQ: don't accumulate history across your training loop",
        lasting=3,
        cause=~of_loss,
    )
