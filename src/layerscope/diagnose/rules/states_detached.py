"""A recurrent cell whose states are cut off from the graph at each step."""

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run


@rule_of_run("states_detached", looks_at="states_detached")
def states_detached(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 for a cell, or a recurrent layer that is called for one step at a time, that always gets
    what it gave in its last call without the gradient, before any backward pass.
    """
    return Symptoms.of_run_above(
        "network",
        figures["states_detached"],
        Advice(
            "the states of a recurrent cell are detached at each step of a sequence: the gradient "
            "goes back one step, and what has to be remembered for longer is not learned",
            "hand the state on as it is within a sequence; detach() it between backward passes "
            "only, once for each part of a long sequence",
        ),
        warning=0.0,
        source="Williams and Peng 1990: truncated backpropagation through time goes back as many "
        "steps as there is to remember",
        lasting=3,
    )
