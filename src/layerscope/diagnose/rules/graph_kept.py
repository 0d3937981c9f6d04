"""Graphs of earlier steps that are held, and a loss that is made of them."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run

_HELD = 2.0
"""Of the last eight looks, without the very last: as many as a loop may hold for a moment."""


@rule_of_run("graph_kept", looks_at=("graphs_kept", "loss_of_earlier"))
def graph_kept(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Outputs of earlier steps whose graph is alive, or 1 where the loss itself is made of such: a
    sum of all losses so far.
    """
    held = figures["graphs_kept"]
    return Symptoms.of_cases(
        "loss",
        held,
        Case(
            figures["loss_of_earlier"] == 1,
            "the loss also contains the losses of earlier steps, with their graphs: it grows from "
            "step to step, and backward passes through weights that have changed since",
            "a loss of its own in each step, for backward and for what is logged; add up "
            "loss.item() or loss.detach(), and take retain_graph=True out",
            0.0,
            value=np.fmax(held, 1),
        ),
        Case(
            held > _HELD,
            "the graphs of earlier steps are still held, those of {value:.0f} of the last eight "
            "looks: they take more memory with each step",
            "loss.item() or loss.detach() for what is added up, kept in a list or logged, and "
            "output.detach() for outputs",
            _HELD,
            severity=1,
        ),
        source="PyTorch FAQ: don't accumulate history across your training loop",
        lasting=3,
    )
