"""Targets that are the network's own inputs, where nothing keeps it from copying them."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds


@rule_of_run("target_is_input", looks_at=("targets_are_inputs", "target_column"))
def target_is_input(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A squared error between the output and the very data that the network gets.

    An autoencoder is to be held back: by a layer that gives fewer values than there are data, by a
    dropout, or by another term of the loss, beside which the error does not fit the gradient. With
    none of these the identity is the best that can be learned. Likewise a column of a table that
    is the target itself, of any loss with one target for each sample.
    """
    same = figures["targets_are_inputs"]
    ill = (same > 0) & ~_is_narrowed(figures, memory) & ~(figures["dropout"] > 0)
    left_in = (figures["target_column"] >= 0) & ~(same > 0)
    unknown = np.isnan(same) & np.isnan(figures["target_column"])
    return Symptoms.of_run(
        "loss",
        np.where(unknown, np.nan, ill | left_in),
        np.where(ill | left_in, 2, 0),
        Advice(
            "the targets are the network's own inputs, and no layer is narrower than they are: "
            "there is nothing to learn but to copy them",
            "see which tensor the loss compares with: noise, next values or clean data, not what "
            "the network is given; of an autoencoder make the code narrower than its input",
        ),
        Advice(
            "in nearly all samples the targets are the network's own inputs to a hundredth of "
            "their size, and no layer is narrower than they are: there is hardly anything to "
            "learn but to copy them",
            "see what data are mixed with: of a diffusion, alphas_cumprod is torch.cumprod(1 - "
            "betas, 0), so that the first steps are nearly clean and the last ones nearly noise; "
            "of a denoiser, noise of the data's size",
        ),
        Advice(
            "a column of the input is the target itself, in each sample: the answer was left "
            "among the features, so the network only copies it, and will not have it when it is "
            "used",
            "take the target's column out of the inputs: x = table.drop(columns=target)",
        ),
        limits=(np.nan, 0.0, np.nan),
        source="Goodfellow et al. 2016, Deep Learning, section 14.2: an overcomplete autoencoder "
        "can copy its input and learns nothing of the data",
        lasting=thresholds.lasting,
        cause=np.select((left_in, same == 2), (2, 1), 0),
    )


def _is_narrowed(figures: Figures, memory: Memory) -> npt.NDArray[np.bool_]:
    """Whether a layer on the way gives fewer values than the last one, [steps]; an embedding is on
    the way of what it looks up, and of no errors' data.
    """
    count, roles = figures["activation_count"], memory.roles
    if roles.last < 0:
        return np.zeros(len(count), bool)
    chain = [each for each in roles.chain.tolist() if each not in roles.embeddings]
    narrow: npt.NDArray[np.bool_] = np.any(count[:, chain] < count[:, [roles.last]], axis=1)
    return narrow
