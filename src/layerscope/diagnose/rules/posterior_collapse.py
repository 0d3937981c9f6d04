"""A variational autoencoder whose divergence drowns its error."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ALL = 0.95


@rule_of_run("posterior_collapse", looks_at="latent_drawn")
def posterior_collapse(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the gradients on a mean and a variance, which a network gives beside its output,
    that a Kullback-Leibler divergence from a standard normal makes: nearly all of both means that
    nothing of the input is to be kept.
    """
    values = figures["latent_drawn"].astype(np.float64)
    return Symptoms.of_run(
        "loss",
        values,
        np.where(values > _ALL, 2, 0).astype(np.int8),
        Advice(
            "{value:.1%} of the gradient on the mean and the variance of what is drawn comes from "
            "their divergence, and hardly any from the error (limit {threshold:.0%}): they are "
            "drawn to 0 and 1, whatever the input is",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence, or one that grows from "
            "0",
        ),
        limits=(np.nan, _ALL, np.nan),
        source="Bowman et al. 2016, Generating Sentences from a Continuous Space, section 3.1",
        lasting=thresholds.lasting,
    )
