"""A variational autoencoder whose divergence drowns its error."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_ALL = 0.95


@rule_of_run("posterior_collapse", looks_at="latent_drawn")
def posterior_collapse(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the gradients on a mean and a variance, which a network gives beside its output,
    that a Kullback-Leibler divergence from a standard normal makes. Or the noise that the two
    terms' weights take the data to have, where it is larger than what the data vary by along any
    direction.
    """
    t = thresholds
    drawn = figures["latent_drawn"].astype(np.float64)
    noise = memory.known("noise", figures["latent_noise"])  # of the terms' weights, which stay
    too_weak = (noise > 1) & ~(drawn > _ALL) & ~np.isnan(drawn)
    values = np.where(too_weak, noise, drawn)
    values[np.isnan(drawn)] = np.nan
    return Symptoms.of_run(
        "loss",
        values,
        np.where(too_weak | (drawn > _ALL), 2, 0),
        Advice(
            "{value:.1%} of the gradient on the mean and the variance of the code comes from "
            "their divergence, and hardly any from the error (limit {threshold:.0%}): they go to "
            "0 and 1, whatever the input is",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence, or one that grows from "
            "0",
        ),
        Advice(
            "the error weighs so little beside the divergence that a code does not pay: together "
            "they treat the data as noise of {value:.3g} times the largest variance that the data "
            "have along any direction (limit {threshold:g})",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence",
            (np.nan, 1.0, np.nan),
        ),
        limits=(np.nan, _ALL, np.nan),
        source="Bowman et al. 2016, Generating Sentences from a Continuous Space, section 3.1; "
        "Lucas et al. 2019, Don't Blame the ELBO",
        lasting=t.lasting,
        cause=too_weak,
    )
