"""Inputs that are the same again and again: blank samples, one token, one batch."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.questions.in_each_look import LOOKS
from layerscope.diagnose.questions.solved import has_learned

_BLANK = 0.5
_ONE_TOKEN = 0.9
_TWINS = 0.3
"""Of the samples: doubled with labels drawn by lot between two classes, half would be so."""
_OF_LOOKS = ("input_blank", "token_share", "batch_of", "same_noise", "twins_differ")


@rule_of_run("inputs_repeat", looks_at=(*_OF_LOOKS, "unit_spread"))
def inputs_repeat(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the samples that are one number throughout, or of the tokens that are one token and
    no padding; or what the case has.
    """
    blank, token = figures["input_blank"], figures["token_share"]
    of_one, embedding = _of_one_number(figures, thresholds, memory)
    if not of_one.any() and all(np.isnan(figures[name]).all() for name in _OF_LOOKS):
        return Symptoms.of_run("inputs", blank)  # the usual
    noise, batch_of = figures["same_noise"], figures["batch_of"]
    is_early = memory.loss_curve.of(figures).known < thresholds.patience
    learned, twins = has_learned(figures, memory), figures["twins_differ"]
    hardly = np.where(is_early | learned, 1, 2)
    return Symptoms.of_cases(
        "inputs",
        np.fmax(blank, token),
        Case(
            noise > 0,
            "the noise is the same at each step, while the data change: it was the same at "
            "{value:.0f} looks in a row, as the targets, or as what sets them apart from the "
            "inputs",
            "torch.manual_seed() once, before the loop, not within it; and noise that is drawn "
            "anew in each step, torch.randn_like(x)",
            0.0,
            value=noise,
        ),
        Case(
            ~np.isnan(batch_of),
            "each step so far got the same batch, bit for bit, in a new tensor; a DataLoader with "
            "batches of that size, which does not shuffle, has {value:.0f} samples",
            "for batch in loader: in the place of next(iter(loader)), which begins with the first "
            "batch each time; and shuffle=True; change nothing if you overfit one batch on purpose",
            0.0,
            value=batch_of,
        ),
        Case(
            twins > _TWINS,
            "{value:.0%} of the samples are in their batch again, bit for bit, with another label "
            "(limit {threshold:.0%}), and others are so in the next one: no input can tell these "
            "labels apart, and the loss cannot fall below what guessing between them costs",
            "see how inputs get their labels: one file that is opened for both classes, as where a "
            "path is cut the wrong way; rows that a join by a key with several matches has "
            "doubled; x.flatten(1).unique(dim=0, return_inverse=True)[1] numbers them",
            _TWINS,
            value=twins,
            severity=np.where(learned, 1, 2),
        ),
        Case(
            of_one,
            f"{embedding}, an embedding, gets one number alone, for all samples and places, and "
            "all outputs of the network are the same: nothing of the data comes through",
            "print what it gets: numbers between -1 and 1 that are cast to whole ones (.long(), "
            ".int()) are all 0, and measurements want a linear layer in place of an embedding; "
            "else look for words that are all unknown, and for an array that was never filled",
            0.0,
            value=1.0,
            severity=hardly,
        ),
        Case(
            token >= _ONE_TOKEN,
            "{value:.0%} of the tokens are one and the same, and it is not padding (limit "
            "{threshold:.0%}): the network reads hardly anything",
            "look at a batch of tokens: all words that the vocabulary does not know become the "
            "unknown token, as where texts are in capitals, or split in another way than those "
            "that the vocabulary was made from",
            _ONE_TOKEN,
            value=token,
            severity=hardly,
        ),
        Case(
            blank > _BLANK,
            "{value:.0%} of the samples hold one number throughout, the same in all of them "
            "(limit {threshold:.0%}): there is nothing in them to learn from",
            "look at a batch of inputs: a cast to whole numbers after a division (pictures / 255 "
            "as uint8 are 0), a mask that hides all, files that were not read",
            _BLANK,
            severity=hardly,
        ),
        source="the data, as the network gets them",
        lasting=LOOKS,
    )


def _of_one_number(figures: Figures, t: Thresholds, memory: Memory) -> tuple[Flags, str]:
    """Whether all embeddings give one vector, that is not 0, and whatever comes after them the same
    for all samples, [steps]; and the name of the first.
    """
    roles, spread = memory.roles, figures["unit_spread"]
    if not roles.embeddings:
        return np.zeros(len(spread), bool), ""
    layers, first = roles.layers, roles.embeddings[0]
    behind = [i for i in (*roles.chain, roles.last) if i not in roles.embeddings]
    is_one = (spread[:, first] == 0) & (np.abs(figures["activation_max"][:, first]) > 0)
    is_one &= figures["activation_count"][:, first] >= 2 * figures["units"][:, first]
    is_one &= ~(spread[:, roles.embeddings] > 0).any(axis=1)
    path = next((facts.path for facts in map(layers.__getitem__, behind)), "")
    # Of a recurrent layer the outputs of all places differ, and its last state does not.
    own = [place for place in behind if layers[place].path == path]
    is_one &= (spread[:, own] == 0).any(axis=1)
    return is_one & (spread[:, roles.last] < t.collapsed_spread), layers[first].name
