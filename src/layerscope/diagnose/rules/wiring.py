"""What connects network and optimizer: what nobody has, and what becomes of gradients."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds
from layerscope.diagnose.registry import rule_of_run, rule_with_memory

_DETACHED = 3.0
"""Forward passes for each that is learned from: targets of the network's own, say."""


@rule_of_run("not_registered")
def not_registered(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Parameters in the graph of the network's output, or of the loss, that neither the network nor
    any optimizer has.
    """
    lost, anew = figures["unregistered"], figures["made_anew"]
    of_network, of_loss = np.fmax(lost, anew), figures["untrained_in_loss"]
    in_loss = (of_loss > 0) & ~(of_network > 0)
    return Symptoms.of_run_above(
        "network",
        np.where(in_loss, of_loss, of_network),
        Advice(
            "the forward pass uses parameters ({value:.0f}) that neither the network nor an "
            "optimizer has: they never learn, are not saved, and are not moved by model.to(...)",
            "torch.nn.ModuleList or ModuleDict for modules, ParameterList for parameters, instead "
            "of a Python list or dict; and the optimizer made after that",
        ),
        Advice(
            "the forward pass makes parameters ({value:.0f}) anew each time: their gradients are "
            "thrown away, and what they are made from never learns",
            "take the wrapping off: the module's own parameters, without torch.nn.Parameter(...) "
            "or requires_grad_() in the forward pass",
        ),
        Advice(
            "the loss has tensors that want a gradient ({value:.0f}), such as learned weights of "
            "its terms, and no optimizer has them: they are still what they were",
            "hand them to the optimizer: torch.optim.AdamW([*model.parameters(), "
            "*criterion.parameters()]), or an nn.Parameter of the model in the place of a tensor "
            "with requires_grad=True; without requires_grad if they are constants",
        ),
        warning=0.0,
        source="torch.nn.Module.__setattr__: only modules and parameters are registered",
        lasting=10,
        cause=np.where(in_loss, 2, anew > 0),
    )


@rule_of_run("gradients_accumulate")
def gradients_accumulate(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Whether the gradients that a step was taken with are still there when the next step's
    backward begins; with several optimizers, whether one of them takes its step with such.
    """
    alone = memory.loss_curve.of(figures).alone
    kept, by_one = figures["gradients_kept"], figures["gradients_kept_by_one"]
    return Symptoms.of_run_above(
        "optimizer",
        np.where(alone, kept, by_one),
        Advice(
            "gradients are not cleared between steps: each step is taken with the sum of all "
            "gradients so far",
            "optimizer.zero_grad() before each backward; without an optimizer model.zero_grad()",
        ),
        Advice(
            "one of the optimizers takes each step with the sum of all gradients so far: those of "
            "its parameters are never cleared",
            "zero_grad() of each optimizer before the backward pass of its own loss: an optimizer "
            "clears the gradients of its own parameters only",
        ),
        critical=0.0,
        source="torch.Tensor.backward accumulates into .grad",
        lasting=thresholds.lasting,
        cause=~alone,
    )


@rule_of_run("gradients_lost")
def gradients_lost(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 where gradients were cleared or changed in vain; else how many forward passes a step no
    backward pass comes to, for each like them that one does; or biases that all move by one number.
    """
    alone = memory.loss_curve.of(figures).alone
    late = (figures["gradients_late"] == 1) & (figures["gradients_kept"] == 0)
    values = np.where(late, 1.0, figures["gradients_cleared"].astype(np.float64))
    known = ~np.isnan(figures["gradients_late"]) | ~np.isnan(values)
    values = np.where(alone & known, np.nan_to_num(values), np.nan)
    unlearned = figures["passes_unlearned"] > _DETACHED
    values = np.where(unlearned & alone, figures["passes_unlearned"], values)
    uniform = figures["updates_alike"] > 0
    values = np.where(uniform, figures["updates_alike"], values)
    return Symptoms.of_run_above(
        "optimizer",
        values,
        Advice(
            "each step has several backward passes, and the gradients of all but the last are "
            "cleared between them: the step is that of the last part of the batch",
            "optimizer.zero_grad() once a step, before its first backward pass, or after "
            "optimizer.step()",
        ),
        Advice(
            "the gradients are changed after the optimizer's step, and cleared before the next: "
            "what changes them, such as clip_grad_norm_, has no effect",
            "clip gradients between loss.backward() and optimizer.step()",
        ),
        Advice(
            "for each forward pass with a backward pass there are {value:.0f} without one: "
            "nothing is learned from these",
            "loss.backward() and optimizer.step() within the loop over batches; passes that are "
            "not to be learned from under torch.no_grad()",
        ),
        Advice(
            "each step changes all elements of a bias by the very same number ({value:.0f} of the "
            "network's), though their gradients differ: these updates do not use the gradient",
            "bias -= rate * bias.grad in an update of your own, as of the weights, or an optimizer "
            "of torch.optim for both",
        ),
        warning=0.0,
        source="torch.optim: a step is taken with what .grad is at that moment",
        lasting=thresholds.lasting,
        cause=np.where(uniform, 3, np.where(unlearned, 2, late)),
    )


@rule_with_memory("updates_rounded_away")
def updates_rounded_away(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Of a layer's elements with a gradient, the share whose stored value the update left as it
    was: the update was smaller than half the distance to the next number of its type.
    """
    t = thresholds
    values = figures["update_lost"] * memory.roles.only("trained")
    moved = figures["owned"] != 0
    values = np.where(moved, values, np.nan)
    # All of them, bit for bit, is no rounding: no step came to them.
    severity = np.where((values > t.update_lost) & (values < 1), 2, 0)
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "{value:.0%} of the elements of {layer} that have a gradient are left as they were "
            "(limit {threshold:.0%}): the updates are rounded away",
            "weights in float32, and bfloat16 for the passes alone, "
            "trainer.precision=bf16-mixed; or stochastic rounding; or a larger optimizer.lr",
        ),
        limits=(np.nan, t.update_lost, np.nan),
        source="Zamirai et al. 2021, Revisiting BFloat16 Training: updates that nearest rounding "
        "cancels",
        lasting=3,
    )
