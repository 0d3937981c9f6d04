"""Targets that are the network's own inputs, where nothing keeps it from copying them."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Values
from layerscope.diagnose.questions.recurrent import is_recurrent


@rule_of_run("target_is_input", looks_at=("targets_are_inputs", "target_column"))
def target_is_input(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A squared error between the output and the very data that the network gets; or a column of a
    table that is the target itself.
    """
    same = figures["targets_are_inputs"]
    count = figures["activation_count"]
    ill = (same > 0) & ~_is_narrowed(count, figures, memory) & ~(figures["dropout"] > 0)
    has_a_code = _is_narrowed(count / figures["units"], figures, memory)
    left_in = (figures["target_column"] >= 0) & ~(same > 0)
    unknown = np.isnan(same) & np.isnan(figures["target_column"])
    return Symptoms.of_cases(
        "loss",
        np.where(unknown, np.nan, 1.0),
        Case(
            left_in,
            "a column of the input is the target itself, in each sample: the answer was left "
            "among the features, so the network only copies it, and will not have it when it is "
            "used",
            "take the target's column out of the inputs: x = table.drop(columns=target)",
        ),
        Case(
            ill & has_a_code,
            "the targets are the network's own inputs, as an autoencoder's are, and its code may "
            "hold as many values as they: it may learn to copy them",
            "of an autoencoder make the code narrower than its input; of another network see which "
            "tensor the loss compares with: noise, next values or clean data",
            severity=1,
        ),
        Case(
            ill & (same == 2),
            "in nearly all samples the targets are the network's own inputs to a hundredth of "
            "their size, and no layer is narrower than they are: there is hardly anything to "
            "learn but to copy them",
            "see what data are mixed with: of a diffusion, alphas_cumprod is torch.cumprod(1 - "
            "betas, 0), so that the first steps are nearly clean and the last ones nearly noise; "
            "of a denoiser, noise of the data's size",
        ),
        Case(
            ill,
            "the targets are the network's own inputs, and no layer is narrower than they are: "
            "there is nothing to learn but to copy them",
            "see which tensor the loss compares with: noise, next values or clean data, not what "
            "the network is given; of an autoencoder make the code narrower than its input",
        ),
        limits=(np.nan, 0.0, np.nan),
        source="Goodfellow et al. 2016, Deep Learning, section 14.2: an overcomplete autoencoder "
        "can copy its input and learns nothing of the data",
        lasting=thresholds.lasting,
    )


def _is_narrowed(count: Values, figures: Figures, memory: Memory) -> Flags:
    """Whether a layer on the way gives fewer of something than the last one, [steps]; an embedding
    is on the way of what it looks up, and of no errors' data. The last state that a recurrent layer
    gives beside its outputs is on no way where no gradient comes to it.

    Args:
        count: of values, or of places, [steps, layers].
    """
    roles = memory.roles
    if roles.last < 0:
        return np.zeros(len(count), bool)
    chain = [each for each in roles.chain.tolist() if each not in roles.embeddings]
    recurrent = np.array([is_recurrent(roles.layers[each]) for each in chain], bool)
    aside = recurrent & ~(figures["activation_grad_rms"][:, chain] > 0)
    return np.any((count[:, chain] < count[:, [roles.last]]) & ~aside, axis=1)
