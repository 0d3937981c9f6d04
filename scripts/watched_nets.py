"""Many nets trained at once, each seen by the instrument as if it were alone.

Only the training is done together. Each net has rows of its own in a tally of its own, the figures
come from `StepFigures`, and the verdict from `Judge`. What the stack cannot tell, the facts of the
layers and what was seen of data, loss and optimizer, is taken from one net of the shape that
`layerscope.watch` has watched: it is the same for all of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import layerscope
from layerscope.diagnose import Figures, Finding, Judge
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.lab.mlp import MLP
from layerscope.quantity import Quantity
from layerscope.record import is_keyframe
from scripts.many_nets import Nets
from scripts.stacked_rows import SETTINGS, StackedRows, norms_of

Batch = tuple[Tensor, Tensor]
Optimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
Tamper = Callable[[int, Nets, str], None]
"""Called with the step, the nets, and when: "before" the forward pass; when there are "gradients";
before the "update", when they are measured. It changes what it likes."""

_SHARED_OF_STEP = [
    column
    for column, name in enumerate(STEP_FIGURES)
    if not name.startswith("output_") and name not in ("logit_z", "monitor_ms", "step_ms")
]
_SHARED_OF_LAYER = [
    list(LAYER_FIGURES).index(name) for name in ("owned", "no_gradient", "weight_row_spread")
]


@dataclass(frozen=True)
class Watched:
    """What was seen of one net.

    Attributes:
        figures: of every step.
        findings: by the project's rules and thresholds, causes first.
        buckets: float32 [kept steps, outputs, 30, 3] of the activations of the embedding, the
            hidden layers and the logits: left, right, count.
    """

    figures: Figures
    findings: Sequence[Finding]
    buckets: npt.NDArray[np.float32]


def watch_alone(network: MLP, batches: Sequence[Batch], optimizer: Optimizer) -> Watched:
    """Train one net in a plain loop under `layerscope.watch`; its buckets are of all steps."""
    chosen = optimizer(network.parameters())
    with TemporaryDirectory() as folder:
        with layerscope.watch(network, folder, summary=False, images=False) as watcher:
            for contexts, targets in batches:
                chosen.zero_grad()
                loss = cross_entropy(network(contexts), targets)
                loss.backward()
                chosen.step()
                watcher.step(loss)
        run = layerscope.read(folder)
        assert run.figures is not None
        buckets = [run.histograms[f"activation/{f.name}"].buckets for f in run.figures.layers]
        return Watched(run.figures, run.findings, np.stack(buckets, 1))


def watch_together(
    networks: Sequence[MLP],
    batches: Sequence[Batch],
    optimizer: Optimizer,
    alone: Figures,
    keep: Callable[[int], bool],
    tamper: Tamper | None = None,
    updates_every: int = SETTINGS.updates_every_n_steps,
) -> list[Watched]:
    """Train a stack of nets of one shape on the same batches.

    Args:
        networks: initialised; they are trained.
        batches: contexts int64 [B, n] and targets int64 [B] of each step.
        optimizer: makes one of the stacked parameters; what it does to an element must not depend
            on other elements.
        alone: what a net of the same shape was seen to do alone on the same batches.
        keep: the steps whose buckets are kept.
        tamper: plants a disease.
        updates_every: steps from one measurement of the updates to the next.
    """
    nets, rows = Nets(networks), StackedRows(networks)
    chosen = optimizer(nets.parameters)
    weights = [nets.table, *nets.weights]
    for step, (contexts, targets) in enumerate(batches):
        if tamper:
            tamper(step, nets, "before")
        chosen.zero_grad()
        outputs = nets.outputs(contexts.expand(len(networks), *contexts.shape))
        for output in outputs:
            output.retain_grad()
        losses = nets.loss(outputs[-1], targets.expand(len(networks), *targets.shape))
        losses.sum().backward()
        if tamper:
            tamper(step, nets, "gradients")
        rows.measure(Quantity.ACTIVATION, outputs)
        rows.measure(Quantity.ACTIVATION_GRAD, _gradients(outputs))
        rows.measure(Quantity.WEIGHT_GRAD, _gradients(weights))
        if is_keyframe(step):
            rows.measure(Quantity.WEIGHT, weights)
        before = None
        if step % updates_every == 0 or is_keyframe(step):
            before = [weight.detach().clone() for weight in weights]
        if tamper:
            tamper(step, nets, "update")
        chosen.step()
        norms = None if before is None else norms_of(before, [each.detach() for each in weights])
        rows.end_step(step, losses.detach(), norms, keep(step))
    lr = float(chosen.param_groups[0]["lr"])
    buckets = np.stack(rows.buckets, 1)
    watched = []
    for net in range(len(networks)):
        figures = rows.figures(net, alone.layers, lr)
        _add_what_is_shared(figures, alone)
        judge = Judge(alone.layers)
        judge.look(figures)
        watched.append(Watched(figures, judge.findings, buckets[net]))
    return watched


def _gradients(of: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.grad for tensor in of if tensor.grad is not None]


def _add_what_is_shared(figures: Figures, alone: Figures) -> None:
    """Fill in what was seen of data, loss and optimizer."""
    for made, known, shared in (
        (figures.of_steps, alone.of_steps, _SHARED_OF_STEP),
        (figures.of_layers, alone.of_layers, _SHARED_OF_LAYER),
    ):
        own = made[..., shared]
        made[..., shared] = np.where(np.isnan(own), known[: len(made)][..., shared], own)
