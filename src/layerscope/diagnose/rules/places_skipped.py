"""A convolution whose stride carries it over places that it never reads."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory

_HALF = 0.5


@rule_with_memory("places_skipped")
def places_skipped(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Share of its input's places, pixels or steps, that no window of a convolution reads: told by
    its kernel, stride and dilation.
    """
    shares = np.array([facts.skipped for facts in memory.roles.layers])
    values = np.zeros((len(figures.steps), len(shares)))
    if not shares.any():
        return Symptoms(values)
    values[:] = shares
    return Symptoms.of_layers(
        values,
        np.where(values >= _HALF, 2, np.where(values > 0, 1, 0)),
        Advice(
            "{layer} never reads {value:.0%} of the places of its input: its stride is larger than "
            "its kernel reaches, or jumps between the places of a dilated one",
            "a stride no larger than the kernel (nn.Conv2d(..., kernel_size=k, stride=s) with "
            "s <= k), or a larger kernel; with dilation, a stride of 1",
        ),
        limits=(0.0, _HALF, np.nan),
        source="the places that a window reads: kernel, stride and dilation of torch.nn.Conv2d",
    )
