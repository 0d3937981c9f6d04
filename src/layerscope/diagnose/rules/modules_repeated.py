"""A list that names one module several times, where each entry was meant to be a layer."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ANEW = "nn.ModuleList([Block() for _ in range(n)]), which makes each of them, not [Block()] * n"


@rule_of_run("modules_repeated", looks_at="modules_repeated")
def modules_repeated(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Entries of the network's lists that are a module with weights which stands in the same list
    before.

    A note, since layers may share their weights on purpose. A warning where a batch normalisation
    with running statistics is among them: each call gets data of another layer, and none of those
    is what the statistics, a mean over all of them, tell of in evaluation.
    """
    values = figures["modules_repeated"].astype(np.float64)
    mixed = figures["statistics_repeated"] > 0
    return Symptoms.of_run(
        "network",
        values,
        np.where(mixed, 2, np.where(values > 0, 1, 0)),
        Advice(
            "{value:.0f} entries of the network's lists are a module that stands there before: "
            "they have its weights, and none of their own",
            f"{_ANEW}; if they are to share their weights, all is well",
        ),
        Advice(
            "{value:.0f} entries of the network's lists are a module that stands there before, "
            "and it has a batch normalisation: its running statistics are a mixture of what all "
            "of them get, and fit none of them in evaluation",
            f"{_ANEW}; where weights are to be shared, a batch normalisation of its own for each",
        ),
        limits=(0.0, 0.0, np.nan),
        source="torch.nn.ModuleList and Sequential: a module may have several names",
        cause=mixed,
    )
