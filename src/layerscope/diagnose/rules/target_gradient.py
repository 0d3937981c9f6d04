"""A gradient that flows into what a loss should take as given: a target, or an advantage."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run


@rule_of_run("target_gradient", looks_at=("bootstrapped", "advantage_gradient"))
def target_gradient(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 for a value and the target that the network gives for it, r + d z', which has a gradient
    too; or a policy's loss, log p times (r - value), whose advantage has one.
    """
    of_target, of_advantage = figures["bootstrapped"], figures["advantage_gradient"]
    return Symptoms.of_run_above(
        "loss",
        np.fmax(of_target, of_advantage),
        Advice(
            "the gradient flows into the targets, which the network computes itself: the error is "
            "made small by moving the value of the next state as well as that of this one",
            "target.detach(), or torch.no_grad() around the forward pass of the next state; and a "
            "target network that is copied now and then",
        ),
        Advice(
            "the policy's loss has a gradient on the advantage: the value is moved to make the "
            "loss small, away from the returns where actions are likely",
            "advantage.detach() in the policy's loss; the value learns from an error of its own",
        ),
        warning=0.0,
        source="Sutton and Barto 2018, section 11.5: the residual gradient learns slowly, and "
        "where chance decides on the next state it learns something else; Sutton et al. 2000, "
        "theorem 1",
        lasting=3,
        cause=(of_advantage == 1) & ~(of_target == 1),
    )
