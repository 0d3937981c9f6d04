"""Terms of a loss that do not do what they are there for."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Series, Values
from layerscope.diagnose.questions.in_each_look import LOOKS


@rule_of_run("penalty_without_gradient", looks_at=("number_added", "term_cut_off"))
def penalty_without_gradient(figures: Figures, t: Thresholds, memory: Memory) -> Symptoms:
    """1 where a term of the loss has no gradient by what it is to train."""
    so = (figures["slopes_plain"] == 1) & ~(figures["slopes_taken"] == 1)
    values = np.where(
        np.isnan(figures["number_added"]), np.nan, so & (figures["number_added"] == 1)
    )
    cut_off = memory.known("cut_off", figures["term_cut_off"])
    looked = ~np.isnan(figures["term_cut_off"])
    values = np.where(looked, np.fmax(values, cut_off), values)
    lost = _in_a_row(figures["rewards_lost"], memory) >= t.warm_up
    values = np.where(lost & ~np.isnan(values), 1.0, values)
    return Symptoms.of_run_above(
        "loss",
        values,
        Advice(
            "the derivatives of the output by the data were taken without a graph, so what is "
            "made of them is only a number in the loss: it has no gradient, and no effect",
            "torch.autograd.grad(..., create_graph=True) for the slopes that a penalty, or an "
            "equation, is made of; never .item() or .detach() on what is added to the loss",
        ),
        Advice(
            "a term of the loss that trains one network comes from another network, which was "
            "given the first one's outputs cut off from it: the term does not reach what is "
            "trained, and the other network is not moved by it either",
            "detach() in the other network's own pass alone: discriminator(fake), and not "
            "discriminator(fake.detach()), in the generator's step; critic(state, actor(state)) "
            "in the actor's",
        ),
        Advice(
            "the policy gets the gradient of its entropy alone: the log-probabilities of the "
            "actions have none, or are multiplied by 0, and no reward reaches it",
            "take the log-probabilities of the actions with their gradient: no detach(), no_grad() "
            "or .item() on them. Then print the advantages: normalised over an axis of one "
            "element, such as that of the batch in [1, steps], or within a group of one, they are "
            "all 0: take mean and deviation over all; or all returns are the same, as where no "
            "reward has come yet",
        ),
        warning=0.0,
        source="Gulrajani et al. 2017, Improved Training of Wasserstein GANs, section 4: the "
        "penalty's own gradient by the weights is what holds the critic; Goodfellow et al. 2014, "
        "algorithm 1: the generator's gradient goes through the discriminator",
        lasting=LOOKS,
        cause=np.where(lost, 2, cut_off == 1),
    )


def _in_a_row(looks: Values, memory: Memory) -> Series:
    """How many looks in a row have shown a 1, as of each step, [steps]."""
    count = memory.of_run("lost")
    row, found = np.nan_to_num(count[0]), np.empty(len(looks))
    for step, look in enumerate(looks.tolist()):
        row = row if np.isnan(look) else (row + 1) * look
        found[step] = row
    count[0] = row
    return found


@rule_of_run("loss_weights", looks_at="weights_free")
def loss_weights(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 where parameters multiply terms of the loss, stand nowhere else in it, and have all moved
    so as to make it small since the first look.
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
        lasting=LOOKS,
    )
