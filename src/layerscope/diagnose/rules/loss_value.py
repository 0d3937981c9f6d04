"""A loss that is no number, and one below zero where its kind has no values there."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import OF_BITS, Loss
from layerscope.diagnose.losses.shares import Shares
from layerscope.diagnose.measured.figures import Flags, Series
from layerscope.diagnose.measured.loss_curve import WINDOW
from layerscope.diagnose.questions.in_each_look import LOOKS, in_each_look
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind, is_of_rewards
from layerscope.diagnose.questions.summed_loss import is_summed
from layerscope.diagnose.questions.target_bits import targets_beyond_bits

_ROOT_OF_LARGEST = 1e18  # float32's largest number is 3e38, and errors are squared

_WHOLE = 0.1

_ENDLESS, _SOON = 1000.0, 100.0
"""Times the largest size of the first losses, below 0: that of a density flattens before."""

_PACE = 10.0
"""A loss that falls by the same in each step takes ten times as many for ten times as far."""

_NOT_FINITE = Advice(
    "the loss is not finite, though all outputs of the network are",
    "look in your own loss for a log or a root of what may be 0 or less, such as a difference of "
    "two scores (F.logsigmoid(a - b) takes any), a division by 0, or an exp of what may be large; "
    "torch.nn.functional.cross_entropy takes logits, and is 0 / 0 where all targets are left out "
    "(ignore_index, -100)",
)
_ONE_SAMPLE = Advice(
    "the loss is not finite in a batch of one sample, though all outputs of the network are",
    "drop_last=True in the DataLoader; or no standard deviation of one sample: std() divides by n "
    "- 1, which is 0, where std(unbiased=False) + 1e-8 does not",
)
_ALIGNMENT = Advice(
    "the loss is not finite, though all outputs of the network are: it is a CTC loss, which is "
    "infinite where a text has more letters than the output has steps",
    "more steps in the output, at least as many as letters and one for each pair of equal ones "
    "that follow each other; or leave such texts out, as zero_infinity=True does",
)
_OF_A_SUM = Advice(
    "the loss is not finite, though all outputs of the network are; it is a sum over the batch, "
    "{value:.4g} times the mean, and the steps before were as many times as large as those of a "
    "mean",
    "reduction='mean', or an optimizer.lr divided by {value:.4g}; and look in your own loss for a "
    "log of what may be 0 or less, a division by 0, or an exp of what may be large: "
    "torch.nn.functional.cross_entropy takes logits",
)
_NEGATIVE = (
    Advice(
        "the loss is {value:.3g}, below 0: it is the output itself at the place of the target, "
        "which should be a log-probability",
        "torch.nn.functional.cross_entropy on logits, or log_softmax before nll_loss or kl_div",
    ),
    Advice("", ""),  # in its place stands what `targets_beyond_bits` says
    Advice(
        "the loss is {value:.3g}, below 0",
        "change nothing if your loss may be negative, as a log-density may; else look at its sign",
    ),
    Advice(
        "the loss is {value:.3g}: it is minus a cross-entropy or an error, so it is smallest "
        "where outputs are as wrong as can be",
        "turn the sign of the loss: a cross-entropy is minus the mean of the log-probabilities",
    ),
    Advice(
        "the loss is {value:.3g}: the divergence of a variational autoencoder has the wrong sign, "
        "and the loss falls without end as mean and variance move away from 0 and 1",
        "error + divergence, with divergence = -0.5 * (1 + log_variance - mean**2 - "
        "log_variance.exp()), which is never below 0",
    ),
    Advice(
        "the loss is {value:.3g}: it is the mean cosine of the output with what it is compared "
        "with, so it is smallest where outputs point away from that",
        "1 - cosine, or minus the cosine: torch's cosine_similarity is 1 for what is alike, where "
        "Keras' loss of that name has a minus",
    ),
    Advice(
        "the loss is {value:.3g}, below 0, a thousand times as large as at the start, and falls "
        "as fast as ever: it has no lower bound",
        "look at the sign of each term: a penalty is added, and so is the logarithm of a variance; "
        "targets of a cross-entropy are shares: none below 0, and 1 in all (for numbers mse_loss); "
        "a factor that is learned needs a term of its own",
    ),
    Advice(
        "the loss is {value:.3g}: it is made of a critic's scores, which differ by far more than "
        "its inputs do, and more and more: nothing bounds how steep the critic is",
        "a penalty of its slopes, 10 * (|slope| - 1)**2 at points between real and made samples "
        "(Gulrajani et al. 2017), spectral_norm around its layers, or weights that are clipped "
        "after each of its steps; of energies a penalty of their squares",
    ),
    Advice(
        "a cross-entropy takes targets of the outputs' shape for probabilities, and some of these "
        "are negative: the loss is {value:.3g}, below 0, and nothing keeps it from falling for "
        "ever",
        "for a regression, mse_loss; for classes, their numbers as integers, or probabilities that "
        "add up to 1 in each sample",
    ),
)
_OF_BITS, _NO_SHARES = 1, 8

_STEEP, _AGAIN = 3.0, 2.0
"""Times the slope of 1 that a critic is to have; and times what it was half of the way before."""

_ROUNDING = 1e-6
"""A loss that is 0 may come out so far below it: log(1 + 1e-7) is what guards a logarithm."""

_DRAWN_AWAY = -0.5
"""Share of the gradient on mean and variance that is that of minus a divergence: most."""


@rule_of_run("loss_not_finite")
def loss_not_finite(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """NaN or infinite, in a step in which all measured outputs are finite: the loss makes it.

    Where outputs are not finite, `not_finite` names the layer that made it.
    """
    wrong = ~memory.loss_curve.of(figures).finite
    values = wrong.astype(np.float64)
    alone = _is_one_sample(figures, memory)
    aligns = memory.known("alignment", figures["of_alignment"]) == 1
    # Adam and its kind do not see it.
    summed = is_summed(figures) & ~(figures["squares_averaged"] > 0) & ~(figures["passes"] > 1)
    looked = ~np.isnan(figures["loss_reduction"])
    times = np.where(looked, np.where(summed, figures["loss_reduction"], 0.0), np.nan)
    times = np.nan_to_num(memory.known("summed", times))
    if not wrong.any():
        return Symptoms.of_run("loss", values)
    largest = np.fmax(-figures["activation_min"], figures["activation_max"])
    overflow = (largest > _ROOT_OF_LARGEST).any(1)  # an honest loss of a network that has diverged
    made_before = (figures["activation_nonfinite"] > 0).any(1) | overflow
    passed_on = memory.ever("began", made_before)
    severity = np.where(wrong & ~passed_on, 3, 0).astype(np.int8)
    return Symptoms.of_run(
        "loss",
        np.where(wrong & (times > 0) & ~(aligns | alone), times, values),
        severity,
        *(_NOT_FINITE, _ONE_SAMPLE, _ALIGNMENT, _OF_A_SUM),
        limits=(np.nan, np.nan, 0.0),
        source="any at all",
        cause=np.select((aligns, alone, times > 0), (2, 1, 3), 0),
    )


def _is_one_sample(figures: Figures, memory: Memory) -> Flags:
    """Whether a step's batch is a single sample where others have several, [steps]: the last layer
    gives as many values for each.
    """
    most = memory.highest("samples", figures["samples"])
    if memory.roles.last < 0:
        return np.zeros(len(most), bool)
    counts = figures["activation_count"][:, memory.roles.last]
    largest = memory.highest("counts", counts)
    return (most > 1) & (np.abs(counts / largest * most - 1) < _WHOLE)


@rule_of_run("negative_loss")
def negative_loss(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """The loss, where it is below 0, or is made small where it should be large.

    Minus a cross-entropy, or minus an error, is told by its gradient: prediction minus target, with
    its sign turned (Bishop 2006, section 4.3.6). Minus a loss that an adversary is to raise is one
    of several terms, or its own optimizer's, and such a sum is of no kind that is known. One look
    is none: where the returns of a policy are all the same, a small term beside them may look like
    it. Nor are a few among many of no known kind: several terms may have the value of another loss
    by chance.
    """
    loss = memory.loss_curve.of(figures).loss
    below = loss < -_ROUNDING
    # Kinds that were told stay: outputs that have grown certain tell nothing any more.
    told = np.where(figures["loss_kind"] > Loss.UNKNOWN, figures["loss_kind"], np.nan)
    kind = memory.known("kind", told)
    negated = in_each_look(figures["loss_negated"], memory.of_run("negated", 1 + LOOKS))
    drawn = figures["latent_drawn"]
    drawn = np.where(np.isnan(drawn), np.nan, drawn < _DRAWN_AWAY)
    by_chance = is_of_no_known_kind(figures, memory)
    away = in_each_look(drawn, memory.of_run("away", 1 + LOOKS))
    of_cosines = in_each_look(figures["loss_of_cosines"], memory.of_run("cosines", 1 + LOOKS))
    largest = np.fmax(-figures["target_min"], figures["target_max"] - 1)  # beyond 0 to 1
    beyond = memory.known("beyond", largest) > 0
    endless = _falls_without_end(figures, memory)
    steep = in_each_look(_is_ever_steeper(figures, memory), memory.of_run("steep", 1 + LOOKS))
    no_shares = np.where(figures["passes"] > 1, np.nan, figures["targets_no_shares"])
    no_shares = np.where(np.isnan(no_shares), np.nan, no_shares == Shares.NEGATIVE)
    no_shares = in_each_look(no_shares, memory.of_run("no_shares", 1 + LOOKS))
    came_down = memory.ever("above", loss > 0)  # minus a loss is below 0 from the first step on
    minus = memory.known("minus", figures["loss_negated"]) == 1
    cause = np.full(len(loss), 2, np.int8)
    cause[endless] = 6
    cause[steep] = 7
    cause[(kind == Loss.LOG_LIKELIHOOD) & ~by_chance & ~minus] = 0
    cause[np.isin(kind, OF_BITS) & beyond & ~by_chance] = _OF_BITS
    cause[no_shares] = _NO_SHARES
    cause[negated] = 3
    cause[away] = 4
    cause[of_cosines] = 5
    words, remedy = targets_beyond_bits(figures, memory, below & (cause == _OF_BITS))
    if not below.any():
        return Symptoms.of_run("loss", loss, falling=True)
    advice = list(_NEGATIVE)
    advice[_OF_BITS] = Advice(f"{words}; the loss is {{value:.3g}}, below 0", remedy)
    # A policy's is of either sign, and what comes down to 0 and passes it, a density's, say.
    plain = np.where(is_of_rewards(figures, memory) | came_down, 0, 1)
    severity = np.where(below, np.where(cause == 2, plain, 2), 0).astype(np.int8)
    return Symptoms.of_run(
        "loss",
        loss,
        severity,
        *advice,
        limits=(0.0, 0.0, np.nan),
        source="a cross-entropy is the negative logarithm of a probability",
        lasting=thresholds.lasting,
        cause=cause,
        falling=True,
    )


def _is_ever_steeper(figures: Figures, memory: Memory) -> Series:
    """1 if a critic is steeper than it should be and twice as steep as half of the way before, 0 if
    not, NaN in steps without a look at one, [steps].
    """
    slopes = figures["critic_slope"].astype(np.float64)
    known = memory.loss_curve.of(figures).known
    steeper = np.full(len(slopes), np.nan)
    before = memory.of_run("slopes", 3)  # (number of steps, slope) to double, and the one before
    for row in np.flatnonzero(~np.isnan(slopes)).tolist():
        if not known[row] < 2 * before[0]:
            before[:] = known[row], slopes[row], before[1]
        steeper[row] = slopes[row] > max(_STEEP, _AGAIN * np.nan_to_num(before[2], nan=np.inf))
    return steeper


def _falls_without_end(figures: Figures, memory: Memory) -> Flags:
    """Whether a loss that is below 0 has come to 1,000 times its first size, no slower than from
    there to 100 times that, [steps]. One of rewards goes as far as these do.
    """
    curve = memory.loss_curve.of(figures)
    sizes = np.where(curve.known <= WINDOW, np.abs(curve.loss), np.nan)
    first = memory.highest("first", sizes)
    passed = memory.of_run("passed", 1)
    soon = curve.level < -_SOON * first
    if np.isnan(passed[0]) and soon.any():
        passed[0] = curve.known[soon.argmax()]
    far = curve.level < -_ENDLESS * first
    fast = curve.known <= _PACE * passed[0]
    endless: Flags = far & ~is_of_rewards(figures, memory)
    return memory.ever("endless", endless & fast) & far
