"""All of the data in each step, and so few steps that the loss has hardly begun to fall."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.pace import median_update
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.solved import is_learning, is_solved
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds


@rule_of_run("full_batch", looks_at="whole_set")
def full_batch(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / the loss at the start, where each step got the same samples, all at once, and the loss
    falls: an epoch is one step.

    A step of 32 samples costs a small part of a step of all, and its gradient is nearly as good
    (Goodfellow et al. 2016, Deep Learning, section 8.1.3: the error of a mean falls with the square
    root of the samples, its cost grows with them).
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    ratio = curve.level / curve.start
    is_whole = memory.known("whole", figures["whole_set"]) > 0
    slow = median_update(figures, memory) < t.update_slow  # that is the rate's part
    ill = is_whole & (curve.known >= t.patience) & curve.judged & ~slow
    ill &= (ratio > t.loss_slow) & (curve.level > 0) & is_learning(figures, memory)
    ill &= ~is_solved(figures, memory)
    return Symptoms.of_run(
        "loss",
        ratio,
        np.where(ill, 2, 0),
        Advice(
            "each step gets the same samples, all of them at once, so that an epoch is one step: "
            "the loss falls, and is still {value:.1%} of what it was at the start (limit "
            "{threshold:.0%})",
            "smaller batches, of 32 samples say, drawn anew in each epoch "
            "(DataLoader(..., batch_size=32, shuffle=True)): many more steps for the same work; "
            "where all data must come at once, as a graph must, many more steps, and optimizer.lr "
            "larger as far as the loss stays steady",
        ),
        limits=(np.nan, t.loss_slow, np.nan),
        source="Goodfellow et al. 2016, Deep Learning, section 8.1.3: many small steps for the "
        "price of a large one",
        lasting=t.lasting,
    )
