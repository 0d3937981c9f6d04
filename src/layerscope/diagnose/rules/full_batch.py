"""All of the data in each step, where few will do; or few, where an optimizer wants them all."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.loss_curve import WINDOW
from layerscope.diagnose.questions.pace import median_update
from layerscope.diagnose.questions.solved import has_learned, is_learning, is_solved

_MANY = 256
"""Samples of a batch: of fewer nobody says that they are too many for one step."""


@rule_of_run("full_batch", looks_at=("whole_set", "wants_all_data"))
def full_batch(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / the loss at the start, where each step got the same samples, all at once, and the loss
    falls; or where an optimizer compares steps as if all were of one function.
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    ratio = curve.level / curve.start
    samples = memory.known("whole", figures["whole_set"])
    is_whole = samples >= _MANY
    wants_all = (memory.known("wants", figures["wants_all_data"]) == 1) & (samples == 0)
    wants_all &= (curve.known >= WINDOW) & ~np.isnan(ratio)
    slow = median_update(figures, memory) < t.update_slow  # that is the rate's part
    ill = is_whole & (curve.known >= t.patience) & curve.judged & ~slow
    ill &= (ratio > t.loss_slow) & (curve.level > 0) & is_learning(figures, memory)
    ill &= ~is_solved(figures, memory)
    return Symptoms.of_cases(
        "loss",
        ratio,
        Case(
            wants_all,
            "the optimizer compares the gradients of successive steps, but each step gets other "
            "samples: it takes a change of the batch for a change of the slope (the loss is "
            "{value:.1%} of what it was at the start)",
            "torch.optim.Adam or SGD for batches; Rprop and LBFGS with all data in each step",
            0.0,
            severity=np.where(has_learned(figures, memory), 1, 2),
        ),
        Case(
            ill,
            "each step gets the same samples, all of them at once, so an epoch is one step: the "
            "loss falls, but is still {value:.1%} of what it was at the start (limit "
            "{threshold:.0%})",
            "smaller batches, of 32 samples say, drawn anew in each epoch "
            "(DataLoader(..., batch_size=32, shuffle=True)): many more steps for the same work; "
            "where all data must come at once, as a graph must, many more steps, and optimizer.lr "
            "larger as far as the loss stays steady",
            t.loss_slow,
        ),
        source="Goodfellow et al. 2016, Deep Learning, section 8.1.3: many small steps for the "
        "price of a large one",
        lasting=t.lasting,
    )
