"""What each parameter is and got, as figures of its layer: a gradient, an optimizer, a rate."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from layerscope.diagnose.measured.figure_names import LAYER_COLUMN
from layerscope.diagnose.measured.figures import Array
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.record.look import Look
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.new_head import is_new_head, is_trained_head, were_trained
from layerscope.record.parameters.untrained import (
    blank_rows,
    drawn_norms,
    drawn_recurrences,
    is_fresh_head,
    untrained,
)

_NORMS = ("SyncBatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm", "GroupNorm",
          "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")  # fmt: skip


class ParameterFigures:
    """Knows which parameters are trained, and of which layers; each by its `id`."""

    def __init__(self) -> None:
        self._trained: dict[int, int] = {}  # each with its layer's place
        self._frozen: dict[int, int] = {}
        self._untrained: dict[int, float] = {}  # by place, as the next
        self._blank: dict[int, float] = {}

    def meet(
        self,
        layers: Sequence[LayerFacts],
        parameters: Sequence[LayerParameter],
        all_of_them: Mapping[str, Sequence[tuple[str, nn.Parameter]]],
    ) -> None:
        """From now on these layers have these parameters, of which all are not measured."""
        at = {facts.name: place for place, facts in enumerate(layers)}
        every = [pair for own in all_of_them.values() for pair in own]
        widths = {facts.name: facts.width for facts in layers if facts.width}
        drawn = dict.fromkeys(untrained(parameters, (each for _, each in every), widths), 1.0)
        drawn |= dict.fromkeys(drawn_recurrences(parameters), 3.0)
        drawn |= dict.fromkeys(drawn_norms(_scales(layers, all_of_them)), 7.0)
        for facts in layers:
            own = all_of_them.get(facts.name, ())
            if facts.last and is_fresh_head(own, parameters):
                drawn[facts.name] = 2.0
            elif facts.last and is_new_head(own, every):
                drawn[facts.name] = 4.0
            elif facts.last and were_trained(every):
                drawn[facts.name] = 6.0 if is_trained_head(own) else 5.0
        self._untrained = {at[name]: how for name, how in drawn.items()}
        named = [(at[each.channel.layer], each.parameter) for each in parameters]
        of_tokens = [pair for pair in named if layers[pair[0]].module.startswith("Embedding")]
        self._blank = {place: blank_rows(parameter) for place, parameter in of_tokens}
        self._trained, self._frozen = {}, {}
        for place, parameter in named:
            of = self._trained if parameter.requires_grad else self._frozen
            of[id(parameter)] = place

    def fill(self, look: Look, of_layers: Array, *, skipped: bool) -> None:
        """Write what each trained parameter got in a step among its layer's figures, and what each
        was at the start.

        Args:
            of_layers: float32 [layers, len(LAYER_FIGURES)].
            skipped: whether a gradient scaler has left the step out.
        """
        of_layers[list(self._untrained), LAYER_COLUMN["untrained"]] = list(self._untrained.values())
        of_layers[list(self._blank), LAYER_COLUMN["blank_rows"]] = list(self._blank.values())
        for thawed in look.trained & self._frozen.keys():
            self._trained[thawed] = self._frozen.pop(thawed)
        places = np.array(list(self._trained.values()), np.intp)
        if look.ends.form is not None and (beside := look.ends.form.baseline):
            is_beside = [each in beside for each in self._trained]
            of_layers[places, LAYER_COLUMN["baseline"]] = is_beside
        # A step was taken, or the loss's gradient came to the output: whether there are gradients
        # to take it with or not, they were due.
        came = look.ends.output is not None and look.ownership is not None
        if (look.gradients or came or look.stepped) and not skipped:
            none = [
                (each not in look.gradients) * (1 + (each in look.cut_off))
                for each in self._trained
            ]
            np.fmax.at(of_layers[:, LAYER_COLUMN["no_gradient"]], places, none)
        if look.ownership is not None:
            owned = look.ownership.owned
            of_layers[places, LAYER_COLUMN["owned"]] = [each in owned for each in self._trained]
            for each in look.ownership.rate_shares.keys() & self._trained.keys():
                share = look.ownership.rate_shares[each]
                of_layers[self._trained[each], LAYER_COLUMN["rate_share"]] = share


def _scales(
    layers: Sequence[LayerFacts], all_of_them: Mapping[str, Sequence[tuple[str, nn.Parameter]]]
) -> dict[str, nn.Parameter]:
    """The weights of torch's normalisations, by entry, which may be that of the function behind.
    One with a class of its own may add 1 to its weights, which then begin at 0.
    """
    owns = {
        facts.name: dict(all_of_them.get(facts.name, ()))
        for facts in layers
        if facts.module in _NORMS or (facts.nonlinearity and facts.module != "PReLU")
        if not facts.last
    }
    return {name: own["weight"] for name, own in owns.items() if "weight" in own}
