"""A language model's targets: where they stand in what it reads, and whether it sees them there."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.questions.in_each_look import LOOKS

_SEES = 0.25
"""Of the tokens behind a query: under a causal mask it is none, and padding hides some of all."""

_MOSTLY = 0.5

_RECURRENT = ("LSTM", "GRU", "RNN")
"""Their last states have a row for each sequence."""

_SAME, _SEEN, _TWICE, _PADDED, _FED, _NEXT = range(6)
_NO_LOOK_AHEAD = (
    "a causal mask: is_causal=True, or torch.nn.Transformer.generate_square_subsequent_mask; no "
    "bidirectional recurrence; for convolutions, padding before the sequence only: "
    "F.pad(x, (dilation * (kernel_size - 1), 0)) and padding=0"
)
_ADVICE = (
    Advice(
        "the targets are the very tokens that stand at the same places of the input: the network "
        "has only to copy them",
        "shift the targets by one token: logits[:, :-1] against tokens[:, 1:]; of a masked "
        "language model, -100 as the label of each token that is not masked",
    ),
    Advice(
        "the targets are the next tokens of the input, and the network sees them: an attention, "
        "a recurrent layer or a convolution looks ahead of each token",
        _NO_LOOK_AHEAD,
    ),
    Advice(
        "the targets are not the next tokens of the input but those after: they are shifted twice",
        "shift the targets once: a loss or a model that shifts them itself, as those of "
        "transformers do, takes labels=input_ids",
    ),
    Advice(
        "{value:.0%} of the targets are the padding at the end of sequences: the loss is mostly "
        "about where these end",
        "ignore_index=... of the padding's token in the cross-entropy, or -100 as its label",
    ),
    Advice(
        "the decoder is fed with the very tokens that are its targets, at the same places: it has "
        "only to copy them, and needs no encoder",
        "shift the targets by one token: tokens[:, :-1], with a token for the beginning before "
        "them, into the decoder, and tokens[:, 1:] as the targets",
    ),
    Advice(
        "the targets are the next values of the input, and the network sees them: a convolution "
        "that is padded on both sides, an attention or a recurrent layer looks ahead of each place",
        _NO_LOOK_AHEAD,
    ),
)


@rule_of_run("next_token", looks_at=("target_shift", "target_padding", "value_shift"))
def next_token(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Where all targets of a cross-entropy stand in the tokens that an embedding gets: 0, 1 or 2
    ahead; or the share of them that is padding. Or where those of a squared error stand in the only
    numbers that the network gets, if it looks ahead of them.

    With two inputs, as of an encoder and a decoder, only attention that always looks ahead is told
    of, and no recurrence. Targets at the same place are told of there if they are what the last of
    several embeddings gets, as a decoder's, and stand in none one ahead: what an autoencoder is to
    give again goes into its encoder, which comes first. Or if the other input is of numbers, as the
    picture that a caption is for.
    """
    shift, inputs = figures["target_shift"], figures["token_inputs"]
    padding = figures["target_padding"].astype(np.float64)
    single = inputs == 1
    alone = single & np.isnan(figures["input_rms"])
    narrowed = _is_narrowed(figures, memory)
    same = (shift == 0) & single & ~narrowed
    seen = (shift == 1) & _sees(figures, memory, alone)
    twice = (shift == 2) & ~np.isnan(figures["loss_reduction"])  # of one output
    padded = padding > _MOSTLY
    fed = (figures["targets_fed"] == 1) | ((shift == 0) & single & ~alone & narrowed)
    foreseen = (figures["value_shift"] == 1) & _sees(figures, memory, np.isnan(inputs))
    causes = (same, seen, twice, padded, fed, foreseen)
    ill = np.logical_or.reduce(causes)
    values = np.where(padded & ~(same | seen | twice | fed), padding, np.where(ill, 1.0, 0.0))
    unknown = np.isnan(inputs) | (np.isnan(shift) & np.isnan(padding))
    values[unknown & np.isnan(figures["value_shift"])] = np.nan
    return Symptoms.of_run(
        "loss",
        values,
        np.where(ill, 2, 0),
        *_ADVICE,
        limits=(np.nan, _MOSTLY, np.nan),
        source="Bengio et al. 2003, A Neural Probabilistic Language Model: each token from those "
        "before it",
        lasting=LOOKS,
        cause=np.select(causes, range(len(causes)), 0),
    )


def _is_narrowed(figures: Figures, memory: Memory) -> Flags:
    """Whether a layer on the way gives fewer rows than there are targets, [steps]; or may do so, as
    the first of two recurrent ones gives its last state to the other.
    """
    layers = memory.roles.layers
    recurrent = {facts.path for facts in layers if ".weight_hh" in facts.name}
    if len(recurrent) > 1:
        return np.ones(len(figures.steps), bool)
    chain = [
        i for i in memory.roles.chain if not layers[i].module.startswith(("Embedding", *_RECURRENT))
    ]
    rows = figures.values_of_units(chain)
    return np.any(rows < figures["samples"][:, np.newaxis], axis=1)


def _sees(figures: Figures, memory: Memory, alone: Flags) -> Flags:
    """Whether a layer looks ahead of each place, [steps]; `alone`, where they are all it gets."""
    ahead = figures["attention_ahead"]
    names = [facts.name for facts in memory.roles.layers if ".weight_hh" in facts.name]
    read_on = any("_reverse" in name for name in names)
    read_on |= any(facts.ahead and facts.order >= 0 for facts in memory.roles.layers)
    if ahead.shape[1]:
        any_ahead = np.fmax.reduce(ahead, axis=1) > _SEES
        all_ahead = np.fmin.reduce(ahead, axis=1) > _SEES
    else:
        any_ahead = all_ahead = np.zeros(len(ahead), bool)
    return np.where(alone, any_ahead | read_on, all_ahead & (not names))
