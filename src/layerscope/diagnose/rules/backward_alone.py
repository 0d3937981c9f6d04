"""An autograd function of one's own whose backward leaves out the gradient that it gets."""

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run


@rule_of_run("backward_alone", looks_at="backward_alone")
def backward_alone(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """How many functions give the same gradient for a gradient of ones and for one of minus ones,
    or stand in a loss behind a factor and never read theirs.
    """
    return Symptoms.of_run_above(
        "network",
        figures["backward_alone"],
        Advice(
            "the backward of {value:.0f} torch.autograd.Function of the network, or of a term of "
            "its loss, returns the same gradient whatever gradient it is given: nothing of the "
            "loss, or of the term's weight, reaches the layers before it",
            "in backward(ctx, grad_output), return grad_output * derivative, not the derivative "
            "alone; torch.autograd.gradcheck compares it with differences",
        ),
        warning=0.0,
        source="torch.autograd.Function.backward: a product of the vector with the Jacobian",
    )
