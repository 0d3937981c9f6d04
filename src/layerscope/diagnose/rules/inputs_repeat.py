"""Inputs that are the same again and again: blank samples, one token, one batch."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.in_each_look import LOOKS
from layerscope.diagnose.solved import has_learned

_BLANK = 0.5
_ONE_TOKEN = 0.9


@rule_of_run("inputs_repeat", looks_at=("input_blank", "token_share", "batch_of", "same_noise"))
def inputs_repeat(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the samples that are one number throughout, or of the tokens that are one token and
    no padding. Or at how many looks in a row the targets of a squared error, or what they differ by
    from the inputs, were the same numbers beside other inputs. Or how many samples a loader has of
    which each step got the first batch, made anew, bit for bit.
    """
    blank, token = figures["input_blank"], figures["token_share"]
    noise, batch_of = figures["same_noise"], figures["batch_of"]
    is_early = memory.loss_curve.of(figures).known < thresholds.patience
    hardly = np.where(is_early | has_learned(figures, memory), 1, 2)
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
            "batch each time; shuffle=True; nothing, if you overfit one batch on purpose",
            0.0,
            value=batch_of,
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
