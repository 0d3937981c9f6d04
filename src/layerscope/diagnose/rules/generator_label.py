"""A generator and its discriminator that ask the same of the same scores."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.in_each_look import LOOKS


@rule_of_run("generator_label", looks_at=("judge_asks", "maker_asks"))
def generator_label(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 where one network scores what another has given, in one pass cut off from it and in one
    connected with it, and both passes draw all scores the same way, as last known of each.
    """
    judge = memory.known("judge", figures["judge_asks"])
    maker = memory.known("maker", figures["maker_asks"])
    looked = ~np.isnan(np.fmax(figures["judge_asks"], figures["maker_asks"]))
    return Symptoms.of_run_above(
        "loss",
        np.where(looked, (judge == maker) & (judge != 0), np.nan).astype(np.float64),
        Advice(
            "two passes push the scores of one network's outputs the same way: the one that is "
            "cut off from that network, and the one that is to train it; so a generator learns to "
            "be told from real data, and both losses become small together",
            "ask for the opposite in the generator's pass: criterion(d(g(z)), ones) where d's own "
            "pass has criterion(d(g(z).detach()), zeros); of scores without labels -d(g(z)).mean()",
        ),
        warning=0.0,
        source="Goodfellow et al. 2014, Generative Adversarial Nets, equation 1: one raises what "
        "the other lowers",
        lasting=LOOKS,
    )
