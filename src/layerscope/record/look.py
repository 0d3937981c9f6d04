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
        gradient_norm: of all of them together, as the last optimizer got them; NaN if none did.
        dropout, norm_momentum, evaluation_share: see `TwoModes`; dropouts that are called, too.
        row_spreads: by entry, how much the rows of its weight differ, where that is not settled.
        optimizers: how many have taken a step so far, those of other networks in the loop too.
        stepped: whether an optimizer took a step that has parameters of the network.
        unregistered: parameters that the output is made of, and neither the network nor an
            optimizer has.
        optimizers_replaced: how many had the parameters of one before, and took its place.
        made_anew: such parameters that the forward pass makes anew in every step.
        planned_steps: how many the training will have; infinity if unknown.
        weights_drawn, weights_returned: see `OverwrittenWeights`.
        inside: what was seen at places that are no layers, by kind and by the place's name:
            "attention", heads; "stream", additions; "experts", tokens; "gates", how many are shut.
    """

    ends: Ends
    ownership: Ownership | None
    gradients: frozenset[int]
    gradient_norm: Pending[float]
    row_spreads: Mapping[str, float]
    dropout: float
    norm_momentum: float
    optimizers: int
    evaluation_share: float
    stepped: bool
    unregistered: int
    made_anew: int
    optimizers_replaced: int
    planned_steps: float
    weights_drawn: int
    weights_returned: int
    inside: Mapping[str, Mapping[str, Seen]]
