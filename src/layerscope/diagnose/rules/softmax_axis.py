"""What runs along the wrong axis: a softmax over one unit or over samples, a sequence, a view."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import ERRORS, Loss
from layerscope.diagnose.measured.last_function import LastFunction

_CLAMPED = 1e-6
"""A loss: probabilities are often cut off at 1e-7 from 0 and 1, in float32."""

_DRAWN = 4
"""Of `along_batch`: told by a loader."""


@rule_of_run("softmax_of_one", looks_at="outputs")
def softmax_of_one(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """An output of one unit that is exactly 1 for every sample: a softmax of one number is 1. Or 0,
    of a loss that takes the softmax of that unit, or divides by the sum of one output.
    """
    single = figures["outputs"] == 1
    written = np.isin(figures["output_function"], (LastFunction.NONE, LastFunction.SOFTMAX))
    one = (figures["output_min"] == 1) & (figures["output_max"] == 1) & single & written
    # A loss that takes the softmax itself has nothing left to learn from the first step on.
    flat = ~(memory.known("norm", figures["gradient_norm"]) > 0)
    nothing = ~memory.ever("learned", ~(np.abs(figures["loss"]) <= np.where(flat, _CLAMPED, 0)))
    by_loss = single & nothing & (figures["output_min"] < figures["output_max"])
    by_loss &= figures["loss_kind"] == Loss.UNKNOWN
    one |= by_loss
    return Symptoms.of_run_above(
        "output",
        np.where(np.isnan(figures["outputs"]), np.nan, one),
        Advice(
            "the output is 1 for every sample: a softmax over one unit is always 1, and passes no "
            "gradient on",
            "a sigmoid in its place (and binary_cross_entropy), or two units and cross_entropy "
            "without the softmax; for a regression no function at all",
        ),
        Advice(
            "the output is 1 for every sample: a softmax over one unit is always 1, and passes no "
            "gradient on",
            "no function in its place: the loss is an error, as of a regression",
        ),
        Advice(
            "the loss is 0 from the start on, whatever the one output is: so it is where a "
            "cross-entropy takes a softmax over it, or divides by its sum, and that is always 1",
            "binary_cross_entropy_with_logits for two classes, or as many outputs as classes; with "
            "another loss, look for a mask or a factor that is 0",
        ),
        critical=0.0,
        source="softmax(z) = exp(z) / exp(z)",
        lasting=2,
        cause=np.where(by_loss, 2, np.isin(figures["loss_kind"], ERRORS)),
    )


@rule_of_run("softmax_over_batch", looks_at="outputs")
def softmax_over_batch(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for outputs that sum to 1 over the samples of the batch, not over the classes, or the
    logarithms of such; or for a softmax further inside, see `SoftmaxWithin`.
    """
    over = (figures["output_columns_one"] == 1) & (figures["output_rows_one"] != 1)
    over |= figures["softmax_over_samples"] == 1
    # A sample that is alone gets 1, or the logarithm of 1, for every class.
    function = figures["output_function"]
    all_of_it = np.where(function == LastFunction.SOFTMAX, 1.0, 0.0)
    alone = np.isin(function, (LastFunction.SOFTMAX, LastFunction.LOG_SOFTMAX))
    alone &= (figures["samples"] == 1) & (figures["outputs"] > 1)
    over |= alone & (figures["output_min"] == all_of_it) & (figures["output_max"] == all_of_it)
    beside = figures["softmax_beside_classes"] == 1
    known = ~np.isnan(figures["output_columns_one"]) | alone
    values = np.where(known, over.astype(np.float64), np.nan)
    within = (figures["softmax_over_samples"] == 2) & ~over & ~beside
    values[beside | within] = 1.0
    return Symptoms.of_run(
        "network" if memory.ever("within", within)[-1] else "output",
        values,
        np.where(over | beside, 3, np.where(within, 2, 0)),
        Advice(
            "the outputs sum to 1 over the samples of the batch, not over the classes: the softmax "
            "is taken along the wrong axis",
            "softmax(dim=-1), or dim=1 for [samples, classes]",
        ),
        Advice(
            "the softmax of the output is taken along another axis than the one that the loss "
            "takes the classes from: the classes of a place do not sum to 1",
            "softmax(dim=-1) for [samples, places, classes], dim=1 for [samples, classes, places]",
        ),
        Advice(
            "a softmax within the network runs along the samples of the batch: its weights add up "
            "to 1 over the samples, and not within each of them",
            "softmax(dim=1) for scores of [samples, places]",
        ),
        limits=(np.nan, np.nan, 0.0),
        source="torch.nn.Softmax, argument dim",
        lasting=2,
        cause=np.where(within, 2, beside),
    )


@rule_of_run("sequence_over_batch")
def sequence_over_batch(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 for a recurrent layer or attention that takes the batch's axis for time, by shapes alone.
    2 and 3, see `places_axis`; 4, if it is told by the samples that a loader draws.
    """
    along = figures["along_batch"]
    return Symptoms.of_run(
        "network",
        along,
        np.where(along == _DRAWN, 2, np.where(along > 0, 3, 0)),
        Advice(
            "a recurrent layer or attention takes the first axis of its inputs for the sequence, "
            "and that is the batch: it runs from sample to sample",
            "batch_first=True where the layer is made; or inputs of [time, samples, features]",
        ),
        Advice(
            "a recurrent layer or attention takes the second axis of its inputs for the sequence, "
            "as it was made with batch_first=True, and that is the batch: it runs from sample to "
            "sample",
            "inputs of [samples, time, features], x.transpose(0, 1), and out[:, -1] behind the "
            "layer; or batch_first=False where it is made",
        ),
        Advice(
            "positions are encoded along one axis of [.., .., width], and attention runs along "
            "the other: either attention runs from sample to sample, or each sample gets a "
            "position of its own",
            "batch_first=True where nn.MultiheadAttention or nn.TransformerEncoderLayer is made, "
            "for inputs of [samples, time, features]; and an encoding of places of [time, width], "
            "or of [time, 1, width] for inputs of [time, samples, features]",
        ),
        Advice(
            "a recurrent layer or attention takes the samples of the batch, which a DataLoader "
            "draws in random order, for the places of one sequence: it runs from sample to sample",
            "inputs of [samples, time, features] and batch_first=True where the layer is made; "
            "what is [samples, features] has no sequence yet: x.unsqueeze(-1) of values that "
            "follow each other, else a linear layer; change nothing if samples are to see each "
            "other",
        ),
        limits=(np.nan, 0.0, 0.0),
        source="torch.nn.LSTM, argument batch_first",
        cause=np.clip(np.nan_to_num(along) - 1, 0, 3),
    )


@rule_of_run("axes_mixed", looks_at=("axes_mixed", "views_mixed"))
def axes_mixed(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 for a `view` or `reshape` in the place of a transpose, between the output and a cross-
    entropy, or within the network.
    """
    views = figures["views_mixed"]
    within = views > 0
    return Symptoms.of_run_above(
        "network" if memory.ever("within", within)[-1] else "loss",
        np.fmax(figures["axes_mixed"], views),
        Advice(
            "the loss mixes up the classes and the positions of the output: there is a view or "
            "reshape where axes should be exchanged",
            "transpose(1, 2), permute or movedim in the place of that view or reshape, and reshape "
            "after it",
        ),
        Advice(
            "a view or reshape stands within the network where axes should be exchanged: each row "
            "behind it is made of parts of several samples",
            "x.transpose(0, 1) in the place of x.view(time, samples, features); of a recurrent "
            "layer's states h_n[-1], or torch.cat([h_n[-2], h_n[-1]], 1) of both directions, in "
            "the place of h_n.view(samples, -1)",
        ),
        Advice(
            "a view cuts the data's memory anew where axes were to be exchanged: what a "
            "convolution gets as a channel are parts of several channels and places",
            "x.permute(0, 3, 1, 2) of pictures [samples, height, width, channels], or "
            "x.transpose(1, 2) of [samples, time, channels], in the place of view or reshape",
        ),
        Advice(
            "a view or reshape cuts a convolution's maps into the steps of a sequence, whose axis "
            "was to be exchanged with the channels' before: each step is made of parts of some "
            "channels, and holds several times",
            "x.permute(0, 2, 1, 3).flatten(2) of [samples, channels, time, bands], "
            "x.permute(0, 3, 1, 2).flatten(2) where time comes last, or x.transpose(1, 2) of "
            "[samples, channels, time], in the place of view or reshape",
        ),
        critical=0.0,
        source="torch.Tensor.view: the data stay in their order",
        lasting=3,
        cause=np.where(views >= 2, views, within),
    )
