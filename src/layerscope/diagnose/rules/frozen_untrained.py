"""Layers that were frozen before anybody has trained them."""

import math
from collections.abc import Sequence

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.questions.solved import left_of_chance

_AT_CHANCE = 0.95

_MOST = 0.5
"""Of an embedding's vectors."""


_ADVICE = (
    Advice(
        "{layer} is frozen, and its weights look as if just drawn at random: it was never trained",
        "load the weights that were meant (weights='DEFAULT', load_state_dict) before they "
        "are frozen; or leave requires_grad as it is, and hand them to the optimizer",
    ),
    Advice(
        "{layer}, the last layer, is frozen while layers before it are trained, and its weights "
        "or biases are as they were drawn: it was never trained",
        "train the new head: requires_grad_(True) for it, and its parameters in the optimizer; "
        "with peft modules_to_save=['classifier'], the head's name, or a task_type, which does "
        "the same",
    ),
    Advice(
        "{layer} is frozen, and {value:.0%} of its vectors are 0: the network cannot tell their "
        "tokens apart",
        "let it train (from_pretrained freezes it, unless told freeze=False), and draw the "
        "vectors of unknown tokens at random; or look whether the tokens are spelled as in "
        "the file of vectors",
    ),
)


def _place(layer: LayerFacts, layers: Sequence[LayerFacts]) -> int:
    """In the order of the forward pass; of a parameter, that of the first output of its module."""
    if layer.order >= 0:
        return layer.order
    module = layer.name.rpartition(".")[0] + "."
    return min((e.order for e in layers if e.order >= 0 and e.name.startswith(module)), default=-1)


@rule_with_memory("frozen_untrained")
def frozen_untrained(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for a frozen layer with weights as they are drawn at random, where all frozen layers have
    such, and stand before all that are trained; 2 for a frozen last layer behind trained ones; the
    share of vectors that are 0 for a frozen embedding.
    """
    layers = memory.roles.layers
    drawn, heads = figures["untrained"] == 1, figures["untrained"] == 2
    of_tokens = np.isin(np.arange(len(layers)), memory.roles.embeddings)
    blank = (figures["blank_rows"] > _MOST) & of_tokens & ~drawn & ~heads
    values = np.where(blank, figures["blank_rows"], drawn | heads).astype(np.float64)
    if not values.any():
        return Symptoms(values)
    trained = [each.order for each in layers if each.weights and each.trainable and each.order >= 0]
    is_drawn = drawn.any(0).tolist()
    frozen = [_place(each, layers) for each, of_it in zip(layers, is_drawn, strict=True) if of_it]
    others = any(each.weights and each.trainable for each in layers)  # an adapter's parameters, too
    # Bare parameters have no place: a head of cosines, where nothing that has one is trained.
    behind = min(trained, default=math.inf if others else -1)
    stands_first = bool(frozen) and -1 < min(frozen) <= max(frozen) < behind
    at_chance = left_of_chance(figures, memory) > _AT_CHANCE
    several = memory.known("several", figures["optimizers"]) > 1
    at_chance &= memory.loss_curve.of(figures).known >= thresholds.patience
    blank &= bool(trained)
    severity = np.where(drawn & stands_first | blank, 1 + at_chance[:, np.newaxis], 0)
    severity[heads & others & ~several[:, np.newaxis]] = 2
    first = memory.of_run("first")
    first[0] = figures.steps[0] if np.isnan(first[0]) else first[0]
    return Symptoms.of_layers(
        values,
        severity,
        *_ADVICE,
        limits=(0.0, 0.0, np.nan),
        source="torch.nn.init: bounds and variances of what is drawn",
        cause=np.select((heads, blank), (1, 2)),
        since=np.full(drawn.shape, first[0]).astype(np.int64),
    )
