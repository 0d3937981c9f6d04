"""What was seen around a network in one step."""

from collections.abc import Mapping
from dataclasses import dataclass

from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Ends
from layerscope.record.parameters.ownership import Ownership
from layerscope.record.place import Seen


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen in one step.

    Attributes:
        ends: data, output, and the loss's gradient on it.
        ownership: what the optimizers have; None while none is known.
        gradients: the `id` of each parameter that got one.
        cut_off: and of each trained one that a forward pass has detached.
        trained: and of each measured one that required one when the step was over.
        row_spreads: by entry, how much the rows of its weight differ, where that is not settled.
        stepped: whether an optimizer took a step that has parameters of the network.
        figures: by names of `STEP_FIGURES`, what else is known of modules and optimizers.
        inside: what was seen at places that are no layers, by kind and by the place's name:
            "attention", heads; "stream", additions; "experts", tokens; "gates", how many are shut.
    """

    ends: Ends
    ownership: Ownership | None
    gradients: frozenset[int]
    cut_off: frozenset[int]
    trained: frozenset[int]
    row_spreads: Mapping[str, float]
    stepped: bool
    figures: Mapping[str, float | Pending[float]]
    inside: Mapping[str, Mapping[str, Seen]]
