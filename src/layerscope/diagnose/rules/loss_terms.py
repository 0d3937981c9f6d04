"""Terms of a loss that do not do what they are there for."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_LOOKS = 3


@rule_of_run("penalty_without_gradient", looks_at="number_added")
def penalty_without_gradient(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 where a step takes slopes of an output by the data without a graph, and the loss then adds
    to its terms something that has no gradient.
    """
    so = (figures["slopes_plain"] == 1) & ~(figures["slopes_taken"] == 1)
    return Symptoms.of_run_above(
        "loss",
        np.where(np.isnan(figures["number_added"]), np.nan, so & (figures["number_added"] == 1)),
        Advice(
            "the derivatives of the output by the data were taken without a graph, so what is "
            "made of them is only a number in the loss: it has no gradient, and no effect",
            "torch.autograd.grad(..., create_graph=True) for the slopes that a penalty, or an "
            "equation, is made of; never .item() or .detach() on what is added to the loss",
        ),
        warning=0.0,
        source="Gulrajani et al. 2017, Improved Training of Wasserstein GANs, section 4: the "
        "penalty's own gradient by the weights is what holds the critic",
        lasting=_LOOKS,
    )


@rule_of_run("loss_weights", looks_at="weights_free")
def loss_weights(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 where parameters multiply terms of the loss, stand nowhere else in it, and have all moved
    so as to make it small since the first look.

    A weight's gradient is the term itself, or that times the slope of its function, and has the
    same sign in each step as long as the term is no less than 0.
    """
    return Symptoms.of_run_above(
        "loss",
        figures["weights_free"].astype(np.float64),
        Advice(
            "the weights of the loss's terms are learned, and nothing in the loss holds them: "
            "they go to where the terms count for nothing, or below 0, where large errors make "
            "the loss small",
            "exp(-s) * term + s with a learned s for each term (Kendall et al. 2018); or weights "
            "that are numbers",
        ),
        warning=0.0,
        source="Kendall, Gal and Cipolla 2018, Multi-Task Learning Using Uncertainty to Weigh "
        "Losses, section 3.2: the logarithm keeps the noise from growing too far",
        lasting=_LOOKS,
    )
