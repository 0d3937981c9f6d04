"""One module where several were meant: several times in a list, or in the place of another."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Finding, Memory, Symptoms, Thresholds, rule_of_run

_ANEW = "nn.ModuleList([Block() for _ in range(n)]), which makes each of them, not [Block()] * n"


@rule_of_run("modules_repeated", looks_at="modules_repeated")
def modules_repeated(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Entries of the network's lists that are a module with weights which stands in the same list
    before.
    """
    values = figures["modules_repeated"].astype(np.float64)
    shared = (figures["norms_shared"] > 0) & ~(values > 0)
    mixed = (figures["statistics_repeated"] > 0) | shared
    values = np.where(shared, figures["norms_shared"], values)
    return Symptoms.of_run(
        "network",
        values,
        np.where(mixed, 2, np.where(values > 0, 1, 0)),
        Advice(
            "the network's lists hold a module more than once (entries that repeat one: "
            "{value:.0f}): these have its weights, and none of their own",
            f"{_ANEW}; if they are to share their weights, all is well",
        ),
        Advice(
            "the network's lists hold a module more than once (entries that repeat one: "
            "{value:.0f}), and it has a batch normalisation: its running statistics are a mixture "
            "of what all of them get, and fit none of them in evaluation",
            f"{_ANEW}; where weights are to be shared, a batch normalisation of its own for each",
        ),
        Advice(
            "batch normalisations ({value:.0f}) stand in several layers of one kind: their running "
            "statistics are a mixture of what all of these get, and fit none of them in evaluation",
            "a batch normalisation of its own in each layer, also where they share their weights",
        ),
        limits=(0.0, 0.0, np.nan),
        source="torch.nn.ModuleList and Sequential: a module may have several names",
        cause=np.where(shared, 2, mixed),
    )


def called_twice(called: str, uncalled: str) -> Finding:
    """The finding of a layer that is called in the place of another.

    Args:
        called: the layer that gets the same tensor twice in a step.
        uncalled: the one of the same class and shapes that is never called.
    """
    return Finding.of_no_figures(
        "modules_repeated",
        called,
        0,
        layers=2,
        source="two calls of one layer with one input have one output",
        explanation=f"{called} is called twice with the same input in a step, and {uncalled}, of "
        "the same kind and shapes and trained too, is never called: two outputs are one, to the "
        "last bit",
        remedy=f"in forward, call {uncalled} in one of the two places of {called}; if one layer is "
        f"to do both, take {uncalled} out of the network",
        layer_names=(called, uncalled),
    )
