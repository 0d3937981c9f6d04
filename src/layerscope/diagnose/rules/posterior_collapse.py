"""A variational autoencoder whose divergence drowns its error."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run

_ALL = 0.95
_HALF = 0.5
"""Of these gradients, by the divergence, in some look: there is a divergence."""


@rule_of_run("posterior_collapse", looks_at="latent_drawn")
def posterior_collapse(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the gradients on a mean and a variance, which a network gives beside its output,
    that a Kullback-Leibler divergence from a standard normal makes; or what the case has.
    """
    t = thresholds
    drawn = figures["latent_drawn"].astype(np.float64)
    noise = memory.known("noise", figures["latent_noise"])  # of the terms' weights, which stay
    known = ~np.isnan(drawn)
    pulled = memory.highest("pulled", drawn) > _HALF
    late = memory.loss_curve.of(figures).known >= t.patience
    return Symptoms.of_cases(
        "loss",
        drawn,
        Case(
            figures["latent_cut"] == 1,
            "the variance of the code gets no gradient but that of its divergence: no noise of "
            "that size is in what the decoder gets, which learns nothing of codes beside those of "
            "the data: what it makes of drawn codes is not like these",
            "code = mean + (log_variance / 2).exp() * torch.randn_like(mean) into the decoder in "
            "training, not the mean; the mean alone is for evaluation",
            1.0,
            value=1.0,
        ),
        Case(
            figures["latent_cut"] == 2,
            "all of the gradient on the mean and the variance of the code comes from their "
            "divergence, and none from the error: what is drawn is cut off from them, and they go "
            "to 0 and 1, whatever the input is",
            ".rsample() of the distribution, not .sample(), whose numbers have no gradient; no "
            "detach() and no no_grad() on the way from the code to the output",
            1.0,
            value=1.0,
        ),
        Case(
            drawn > _ALL,
            "{value:.1%} of the gradient on the mean and the variance of the code comes from "
            "their divergence, and hardly any from the error (limit {threshold:.0%}): they go to "
            "0 and 1, whatever the input is",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence, or one that grows from "
            "0",
        ),
        Case(
            (noise > 1) & known,
            "the error weighs so little beside the divergence that a code does not pay: together "
            "they treat the data as noise of {value:.3g} times the largest variance that the data "
            "have along any direction (limit {threshold:g})",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence",
            1.0,
            value=np.where(known, noise, np.nan),
        ),
        Case(
            (figures["latent_active"] == 0) & pulled & late,
            "no number of the code says anything of the input: over the samples, the mean of each "
            "varies by less than 0.01, beside a noise of 1, so the decoder gives the same for all",
            "both terms summed over their elements and divided by the batch, where one is a sum "
            "and the other a mean; else a smaller weight of the divergence, or one that grows from "
            "0",
            1.0,
            value=0.0,
        ),
        limits=(np.nan, _ALL, np.nan),
        source="Bowman et al. 2016, Generating Sentences from a Continuous Space, section 3.1; "
        "Lucas et al. 2019, Don't Blame the ELBO; Burda et al. 2016, Importance Weighted "
        "Autoencoders, section 5.2",
        lasting=t.lasting,
    )
