"""Gradients in units of the mean loss: without a gradient scaler's factor, over all ranks."""

from collections.abc import Collection, Sequence

import numpy as np

from layerscope.measure.pending import Pending
from layerscope.measure.reading import Reading
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.observation import SCALE


def in_units_of_the_loss(
    reading: Pending[Reading],
    channels: Sequence[Channel],
    scaled: Collection[Quantity],
    ranks: int,
    losses: int,
) -> Pending[Reading]:
    """Divide what carries a loss scale, and the activation gradients of ranks, when it arrives.

    Args:
        reading: of these channels, perhaps still on its way: nothing waits for it here.
        channels: what its rows hold.
        scaled: quantities that carry the factor, the SCALE that travels along.
        ranks: how many processes' measurements it holds, which have all added to what it carries.
        losses: how many of them have a loss of their own: activation gradients become those of the
            mean of these losses.
    """
    if not scaled and losses == 1:
        return reading
    of_losses = np.array([c.quantity is Quantity.ACTIVATION_GRAD for c in channels], np.bool_)
    with_scale = np.array([c.quantity in scaled for c in channels], np.bool_)

    def divided(arrived: Reading) -> Reading:
        scale = arrived.carried[SCALE] / ranks or 1.0
        return arrived.scaled(with_scale, 1 / scale).scaled(of_losses, 1 / losses)

    return reading.then(divided)
