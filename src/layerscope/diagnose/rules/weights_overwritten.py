"""Weights that something else than the optimizer writes, again and again; or seems to write."""

import numpy as np

from layerscope.diagnose import Case, Figures, Finding, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.solved import has_learned

_OFTEN = 3
"""Times: a training may be begun again, and the best weights be loaded once."""


_OF_NORMS = 7
"""Of the figure `untrained`."""

_UNDONE = 10
"""Steps in a row."""


@rule_of_run(
    "weights_overwritten", looks_at=("weights_drawn", "weights_returned", "weights_undone")
)
def weights_overwritten(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """How often an optimizer's step started from other weights than its step before had left; or
    how many steps in a row were taken back; or normalisations whose weights begin at 0.
    """
    norms = (figures["untrained"] == _OF_NORMS).sum(1).astype(np.float64)
    drawn, undone = figures["weights_drawn"], figures["weights_undone"]
    returned = figures["weights_returned"]
    return Symptoms.of_cases(
        "network",
        drawn,
        Case(
            drawn >= _OFTEN,
            "the weights of most layers were drawn anew between two steps of the same optimizer, "
            "at least {value:.0f} times: what had been learned was lost",
            "whatever writes new weights once, before the loop: net.apply(init), "
            "reset_parameters() and the like do not belong into the loop over epochs; where a "
            "new training is to begin, as for a fold, make the optimizer anew too",
        ),
        Case(
            returned >= _OFTEN,
            "the weights went back to earlier ones, bit for bit, at least {value:.0f} times: what "
            "the steps in between had learned was lost",
            "load_state_dict() once, before the loop; if each round is to begin at the same "
            "weights, as a fold or a task does, make the optimizer anew with it",
            value=returned,
            severity=np.where(has_learned(figures, memory), 1, 2),
        ),
        Case(
            undone >= _UNDONE,
            "most of each of the last {value:.0f} steps was taken back: a tenth or less of what "
            "the optimizer changed was left when the next step came. Something draws the weights "
            "to others, such as an average of them that is written into the network",
            "keep an average in a copy (average.mul_(0.999).add_(weight, alpha=0.001)), and use "
            "it for evaluation alone; of a teacher and a student it is the teacher that follows",
            float(_UNDONE),
            value=undone,
        ),
        Case(
            norms > 0,
            "the normalisations begin with weights about 0, half of them negative ({value:.0f} "
            "layers): something drew all parameters at random, those of normalisations too, which "
            "begin at 1, and what was loaded or trained before is lost",
            "run initialisers over the layers that are new alone, before weights are loaded, and "
            "leave normalisations out: isinstance(module, (nn.Linear, nn.Conv2d)), not "
            "model.parameters(); to mend a normalisation module.reset_parameters()",
            0.0,
            value=norms,
        ),
        limits=(np.nan, float(_OFTEN), np.nan),
        source="the weights, as the optimizer left them and as it found them",
    )


def own_weights_loaded(step: int) -> Finding:
    """The finding of a loop that loads the network's own weights, having kept no copy of them."""
    return Finding.of_no_figures(
        "weights_overwritten",
        "network",
        step,
        source="torch.nn.Module.state_dict: the tensors are references to the parameters",
        explanation="what load_state_dict was given are the network's own weights as they are now, "
        "taken some steps ago and not copied: they have changed with every step since, and to load "
        "them changes nothing",
        remedy="copy.deepcopy(model.state_dict()) where weights are kept, such as the best so far",
    )
